package oauth

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

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

// How entering a user code fails. It succeeds without an event and 303 to where the journey goes on.
var (
	userCodeCSRF = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.CSRFInvalid, Text: "the form does not belong to this page",
	}
	userCodeInvalid = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.DeviceAuthzUserCodeInvalid, Text: "no device waits with this code",
	}
	// Its one event in each window is RATE_LIMIT_EXCEEDED.
	userCodeLocked = outcome.Failure{Code: outcome.TooManyRequests, Text: "too many wrong codes, try again later"}

	deviceClientGone = outcome.Failure{
		Code: outcome.UnauthorizedClient, Audit: audit.AuthzRequestInvalid, Text: "the client may not use this grant type",
	}.With(pageText, "error.client")
)

// userCodeWindow is how long wrong codes count.
const userCodeWindow = 10 * time.Minute

// userCodeCookie binds the form to its browser: there is no transaction yet.
const userCodeCookie = "ts-user-code"

// userCodePage answers GET: the form. A code of the address is shown to be compared with the device's (RFC 8628 §3.3.1),
// and not looked up before it is sent.
func (b *Browser) userCodePage(c echo.Context) error {
	b.wearDefault(c)
	page := b.userCodeForm(c)
	if code, ok := readUserCode(c.QueryParam("user_code")); ok {
		page.UserCode, page.Confirm = shownUserCode(code), true
	}
	page.InvalidFormToken = c.QueryParam("again") != ""
	return b.Pages.UserCode(c, http.StatusOK, page)
}

func (b *Browser) wearDefault(c echo.Context) { wear(c, b.Settings.Current(), nil, nil) }

// userCodeForm makes the form, and the cookie that it is bound to.
func (b *Browser) userCodeForm(c echo.Context) pages.UserCode {
	value := b.cookies().Get(c, userCodeCookie)
	if value == "" {
		value = secret.NewChallenge()
		b.cookies().Set(c, userCodeCookie, value, authorizationLife)
	}
	return pages.UserCode{
		Language: pageLanguage(c), Action: publicPath(b.Issuer) + verificationPath,
		FormToken: hex.EncodeToString(b.Keys.MAC(secret.ForFormToken, "user code", value)),
	}
}

// enterUserCode answers POST: it finds the device login, and begins the journey that ends in it.
func (b *Browser) enterUserCode(c echo.Context) error {
	b.wearDefault(c)
	form, err := web.BindForm(c)
	if err != nil {
		return userCodeCSRF.Because(err).About(audit.Reason("not a form"))
	}
	value := b.cookies().Get(c, userCodeCookie)
	token, err := hex.DecodeString(form["csrf_token"])
	if value == "" || err != nil || !b.Keys.Equal(secret.ForFormToken, token, "user code", value) {
		address := publicPath(b.Issuer) + verificationPath + "?again=1"
		if code, ok := readUserCode(form["user_code"]); ok {
			address += "&user_code=" + code
		}
		web.AnswerFailuresBy(c, b.backTo(address))
		return userCodeCSRF
	}
	web.AnswerFailuresBy(c, b.userCodeAgain(form["user_code"]))
	d, err := b.deviceOf(c, form["user_code"], "browser:"+value)
	if result, err := deviceResult(d, err); err != nil {
		return err
	} else if result != "" {
		return b.showDevice(c, reply{language: pageLanguage(c), clientName: b.nameOfDevice(d)}, result)
	}
	web.AnswerFailuresBy(c, b.ErrorPage)
	return b.beginDevice(c, d)
}

func (b *Browser) nameOfDevice(d store.DeviceAuthorization) string {
	return nameOfClient(b.Settings.Current(), store.Authorization{ClientID: d.ClientID})
}

// deviceOf finds the device login of a user code. Wrong codes are counted for the browser and for its network, and after
// five of them nothing is looked up any more. Errors: store.ErrExpired, userCodeInvalid, userCodeLocked.
func (b *Browser) deviceOf(c echo.Context, typed, browser string) (store.DeviceAuthorization, error) {
	ctx := c.Request().Context()
	guessers := []string{browser, ratelimit.Network(audit.ClientIP(ctx))}
	for _, guesser := range guessers {
		if !b.Guesses.Exceeded(guesser) {
			continue
		}
		if n := b.Guesses.Refused(guesser); n > 0 {
			b.Audit.Record(ctx, audit.RateLimitExceeded, audit.Detail("limit", "user_codes"), audit.Count("refusals", n))
		}
		return store.DeviceAuthorization{}, userCodeLocked
	}
	code, ok := readUserCode(typed)
	var d store.DeviceAuthorization
	err := store.ErrNotFound
	if ok {
		d, err = b.Devices.DeviceByUserCode(ctx, userCodeHash(b.Keys, code))
	}
	if errors.Is(err, store.ErrNotFound) {
		for _, guesser := range guessers {
			b.Guesses.Spend(ctx, guesser)
		}
		return d, userCodeInvalid
	}
	return d, err
}

// userCodeAgain shows the form again after a wrong code.
func (b *Browser) userCodeAgain(typed string) ending {
	return func(c echo.Context, f outcome.Failure) error {
		page := b.userCodeForm(c)
		switch {
		case f.Code == outcome.TooManyRequests:
			page.LockedMinutes = int(userCodeWindow / time.Minute)
			c.Response().Header().Set(echo.HeaderRetryAfter, "600")
			return b.Pages.UserCode(c, f.Code.Status(), page)
		case f.Audit == userCodeInvalid.Audit:
			page.UserCode, page.InvalidUserCode = clipped(typed, 64), true
			return b.Pages.UserCode(c, http.StatusOK, page)
		}
		return b.ErrorPage(c, f)
	}
}

// beginDevice starts the journey of a device login: sign-in at its identity provider, unless the user is signed in
// there, then consent.
func (b *Browser) beginDevice(c echo.Context, d store.DeviceAuthorization) error {
	ctx := c.Request().Context()
	s := b.Settings.Current()
	client, err := b.requester(ctx, s, d.ClientID)
	if err != nil {
		return clientFailure(err, d.ClientID)
	}
	knowClient(ctx, client)
	audit.Admit(ctx) // who has the code has seen the device
	wear(c, s, client.Web, client.Application)
	if !mayUseDeviceCode(client.Client) {
		return deviceClientGone.About(audit.Reason("grant not enabled"))
	}
	provider, err := b.chooseProvider(s, client, d.Provider)
	if err != nil {
		return err
	}
	now := b.Now()
	a := store.Authorization{
		State: store.AtProvider, ClientID: d.ClientID, DeviceID: d.ID, Scopes: d.Scopes, Provider: provider.ID, MaxAge: -1,
		Language: pageLanguage(c), CreatedAt: now, ExpiresAt: now.Add(authorizationLife),
	}
	if err := b.resumeSession(c, &a, provider); err != nil {
		return err
	}
	if a.State != store.Identified {
		if err := b.mayStart(c, "authorizations"); err != nil {
			return err
		}
	}
	if a, err = b.start(c, a); err != nil {
		return err
	}
	web.NoStore(c)
	return c.Redirect(http.StatusSeeOther, b.GoOnURL(a.ID))
}

// resumeSession identifies the user of a transaction by the session of the browser, when there is one at its provider.
func (b *Browser) resumeSession(c echo.Context, a *store.Authorization, provider *settings.IdentityProvider) error {
	session, err := b.session(c)
	if errors.Is(err, store.ErrNotFound) || err == nil && session.Provider != provider.ID {
		return nil
	}
	if err != nil {
		return fmt.Errorf("begin device login: %w", err)
	}
	if named, err := b.isNamed(c, provider, session); err != nil || !named {
		return err
	}
	a.State, a.UserID, a.AuthTime, a.ACR, a.AMR = store.Identified, session.UserID, session.AuthTime, session.ACR, session.AMR
	a.SessionID, a.Level, a.SteppedUp = session.ID, session.Level, session.SteppedUp
	return nil
}
