package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How coming from an app fails. It succeeds with APP_TO_WEB_SSO_SIGNED_IN and 303 to the registered target.
var (
	webEntryGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AppToWebSsoFailed, Text: "the link is unknown, too old or was used before",
	}.With(pageText, "error.link")
	webEntryRefused = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.AppToWebSsoFailed, Text: "the user may not sign in any more",
	}.With(pageText, "error.link")
	webEntryCSRF = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.CSRFInvalid, Text: "the form does not belong to this page",
	}
)

// webEntryCookie binds the form to its browser.
const webEntryCookie = "ts-app-to-web"

// webEntryPage answers GET /oauth/v1/app-to-web, which the app opens in the browser. It spends nothing, so that whoever
// looks at links before people do leaves them good. The form goes on by itself only when everything speaks for the app
// on this device; see stranger.
func (b *Browser) webEntryPage(c echo.Context) error {
	ctx := c.Request().Context()
	b.wearDefault(c)
	token := c.QueryParam("token")
	e, err := b.webEntry(c, token)
	if err != nil {
		return err
	}
	account, err := b.People.Person(ctx, e.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return webEntryRefused.Because(err).About(audit.Reason("account ended or disabled"))
	}
	if err != nil {
		return fmt.Errorf("app-to-web: %w", err)
	}
	former, err := b.session(c)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	value := b.cookies().Get(c, webEntryCookie)
	if value == "" {
		value = secret.NewChallenge()
		b.cookies().Set(c, webEntryCookie, value, webEntryLife)
	}
	app := b.Settings.Current().Application(e.Application)
	return b.Pages.AppToWeb(c, http.StatusOK, pages.AppToWeb{
		Language: pageLanguage(c), ClientName: appName(app), UserName: displayName(account), Action: publicPath(b.Issuer) + appToWebPath + "/enter",
		Token: token, FormToken: hex.EncodeToString(b.Keys.MAC(secret.ForFormToken, "app to web", value, token)), Target: e.Target,
		Ask:     stranger(c, e) || former.UserID != "" && former.UserID != e.UserID,
		Another: former.UserID != "" && former.UserID != e.UserID,
	})
}

func appName(app *settings.Application) string {
	if app.Name != "" {
		return app.Name
	}
	return app.ID
}

// stranger tells whether a link may have come from somebody else than the app on this device, who would have the person
// at the browser work in an account that is not theirs: the request was made by a page of another site, or from
// another network than the app's. Then the person has to press.
func stranger(c echo.Context, e store.WebEntry) bool {
	site := c.Request().Header.Get("Sec-Fetch-Site") // absent: an old browser, which does not tell
	return site != "" && site != "none" || ratelimit.Network(audit.ClientIP(c.Request().Context())) != e.Network
}

// webEntry returns what a token stands for, as long as its target is registered and its app is installed.
func (b *Browser) webEntry(c echo.Context, token string) (store.WebEntry, error) {
	ctx := c.Request().Context()
	e, err := b.WebEntries.WebEntry(ctx, webEntryHash(b.Keys, token))
	switch {
	case errors.Is(err, store.ErrNotFound):
		return e, webEntryGone.Because(err).About(audit.Reason("unknown"))
	case errors.Is(err, store.ErrExpired):
		return e, webEntryGone.Because(err).About(audit.Reason("expired"))
	case err != nil:
		return e, fmt.Errorf("app-to-web: %w", err)
	}
	audit.Know(ctx, audit.Client(e.ClientID), audit.Profile(e.ProfileID), audit.App(e.Application, e.Platform, e.AppVersion))
	audit.Admit(ctx, audit.User(e.UserID))
	s := b.Settings.Current()
	app, provider := s.Application(e.Application), s.IdentityProvider(e.Provider)
	if app == nil || !slices.Contains(app.AppToWebURLs, e.Target) || provider == nil || provider.Disabled {
		return e, webEntryRefused.About(audit.Reason("settings have changed"))
	}
	wear(c, s, nil, app)
	_, err = b.Profiles.Profile(ctx, e.ClientID, e.ProfileID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return e, webEntryRefused.Because(err).About(audit.Reason("profile ended"))
	case err != nil:
		return e, fmt.Errorf("app-to-web: %w", err)
	}
	return e, nil
}

// enterWeb answers POST: it spends the token and opens the session.
func (b *Browser) enterWeb(c echo.Context) error {
	ctx := c.Request().Context()
	b.wearDefault(c)
	form, err := web.BindForm(c)
	if err != nil {
		return webEntryCSRF.Because(err).About(audit.Reason("not a form"))
	}
	token := form["token"]
	value := b.cookies().Get(c, webEntryCookie)
	mac, err := hex.DecodeString(form["csrf_token"])
	if value == "" || err != nil || !b.Keys.Equal(secret.ForFormToken, mac, "app to web", value, token) {
		web.AnswerFailuresBy(c, b.backTo(publicPath(b.Issuer)+appToWebPath+"?"+url.Values{"token": {token}}.Encode()))
		return webEntryCSRF
	}
	e, err := b.webEntry(c, token)
	if err != nil {
		return err
	}
	if err := b.spendWebEntry(ctx, e); err != nil {
		return err
	}
	former, err := b.anySession(c)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	// The session is worth what the app's sign-in was, and never says that it is worth a level: who needs one asks for it.
	a := store.Authorization{
		ClientID: e.ClientID, UserID: e.UserID, Provider: e.Provider, AuthTime: e.AuthTime, ACR: e.ACR, AMR: e.AMR,
		SessionID: sessionIDFor(former, e.UserID, b.Sessions.NewSessionID),
	}
	var id store.Identity
	if former.UserID == e.UserID && former.Provider == e.Provider { // its logout still reaches this browser, and the other way round
		id.ProviderSession, id.ProviderToken = former.ProviderSession, former.ProviderToken
	}
	if err := b.openSession(c, a, id, former); err != nil {
		return err
	}
	b.cookies().Delete(c, webEntryCookie)
	web.NoStore(c)
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	return c.Redirect(http.StatusSeeOther, e.Target)
}

// spendWebEntry marks a token as used: the mark in SQL decides, together with the event. The account is held: who
// disables it or changes its password comes first, or afterwards and ends the session.
func (b *Browser) spendWebEntry(ctx context.Context, e store.WebEntry) error {
	err := b.Store.InTx(ctx, func(ctx context.Context) error {
		account, err := b.Accounts.HoldAccount(ctx, e.UserID)
		switch {
		case errors.Is(err, store.ErrNotFound), err == nil && account.Disabled:
			return webEntryRefused.Because(err).About(audit.Reason("account ended or disabled"))
		case err != nil:
			return err
		case e.AuthTime.Before(account.SignInsSince):
			return webEntryRefused.About(audit.Reason("signed in before the password was changed"))
		}
		err = b.Marks.MarkCodeUsed(ctx, store.UsedCode{Hash: e.Hash, ClientID: e.ClientID, UserID: e.UserID, UsedAt: b.Now()})
		if errors.Is(err, store.ErrConflict) {
			return webEntryGone.Because(err).About(audit.Reason("used"))
		}
		if err != nil {
			return err
		}
		b.Audit.Record(ctx, audit.AppToWebSsoSignedIn, audit.Detail("target_url", e.Target), audit.Detail("idp", e.Provider))
		return nil
	})
	if err != nil {
		return fmt.Errorf("app-to-web: %w", err)
	}
	return nil
}
