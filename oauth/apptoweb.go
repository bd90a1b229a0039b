package oauth

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// webEntries keeps the one-time tokens of apps; see redisstore.Store.
type webEntries interface {
	AddWebEntry(ctx context.Context, e store.WebEntry) error
	// WebEntry errors: store.ErrNotFound, store.ErrExpired.
	WebEntry(ctx context.Context, hash []byte) (store.WebEntry, error)
}

// How asking for a one-time token fails. It succeeds with APP_TO_WEB_SSO_TOKEN_CREATED.
var (
	appToWebNoToken = outcome.Failure{
		Code: outcome.InvalidToken, Audit: audit.TokenRequestInvalidBearerToken, Text: "the access token is missing",
		Attrs: []audit.Attr{audit.Reason("missing")},
	}
	appToWebMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AppToWebSsoFailed, Text: "send one target_url in a form",
	}
	appToWebOff = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.AppToWebSsoDisabled, Text: "the app may not sign its users in to the web",
	}
	appToWebTarget = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AppToWebSsoAppToWebSsoTargetURLNotConfigured, Text: "target_url is not registered for the app",
	}
	appToWebProvider = outcome.Failure{
		Code: outcome.UnsupportedIDP, Audit: audit.AppToWebSsoInvalidIDPType, Text: "the identity provider of the user has no sign-in in the browser",
	}
)

const (
	appToWebPath = "/v1/app-to-web"
	webEntryLife = time.Minute
)

// appToWebStarted is the answer.
type appToWebStarted struct {
	Token     string `json:"token"`        // one-time, 64 hex digits
	Page      string `json:"redirect_uri"` // what the app opens in the browser
	ExpiresIn int    `json:"expires_in"`   // seconds
}

// appToWeb answers POST /oauth/v1/app-to-web: the user of an app wants to be signed in at a web page as well. No identity
// provider that is known here takes a one-time token, so this server opens a session of its own.
func (h *Handler) appToWeb(c echo.Context) error {
	ctx := c.Request().Context()
	bearer := web.BearerToken(c)
	if bearer == "" {
		return appToWebNoToken
	}
	t, account, err := h.appUser(c, bearer)
	if err != nil {
		return err
	}
	form, err := web.BindForm(c)
	if err != nil {
		return appToWebMalformed.Because(err).About(audit.Reason("malformed"))
	}
	s := h.Settings.Current()
	app := s.Application(t.Application)
	target := form["target_url"]
	switch {
	case app == nil || len(app.AppToWebURLs) == 0:
		return appToWebOff
	case target == "":
		return appToWebMalformed.About(audit.Reason("target_url missing"))
	case !slices.Contains(app.AppToWebURLs, target):
		return appToWebTarget.About(audit.Detail("target_url", clipped(target, 256)))
	}
	provider := webProvider(s, app, account.Namespace, h.Providers)
	if provider == "" {
		return appToWebProvider.About(audit.Detail("namespace", account.Namespace))
	}
	token := secret.NewToken()
	err = h.WebEntries.AddWebEntry(ctx, store.WebEntry{
		Hash: webEntryHash(h.Keys, token), ClientID: t.ClientID, Application: t.Application, Platform: t.Platform, AppVersion: t.Version,
		ProfileID: t.ProfileID, UserID: t.UserID, Provider: provider, Target: target, Network: ratelimit.Network(audit.ClientIP(ctx)),
		AuthTime: t.AuthTime, ACR: t.ACR, AMR: t.AMR, ExpiresAt: h.Now().Add(webEntryLife),
	})
	if err != nil {
		return fmt.Errorf("start app-to-web: %w", err)
	}
	h.Audit.Record(ctx, audit.AppToWebSsoTokenCreated, audit.Detail("target_url", target), audit.Detail("idp", provider))
	return web.JSON(c, http.StatusOK, appToWebStarted{
		Token: token, Page: h.Issuer + appToWebPath + "?" + url.Values{"token": {token}}.Encode(), ExpiresIn: int(webEntryLife / time.Second),
	})
}

func webEntryHash(keys *secret.Keys, token string) []byte {
	return keys.MAC(secret.ForCode, "app to web", token)
}

// webProvider returns the identity provider of an app whose people the user is one of and who signs in in the browser; ""
// when there is none. The session belongs to it.
func webProvider(s *settings.Snapshot, app *settings.Application, namespace string, known Providers) string {
	ids := append([]string{app.IdentityProvider}, app.AdditionalProviders...)
	if p := defaultProvider(s); p != nil {
		ids = append(ids, p.ID)
	}
	for _, id := range ids {
		p := s.IdentityProvider(id)
		if p != nil && !p.Disabled && p.UserNamespace() == namespace && known[p.Type] != nil {
			return id
		}
	}
	return ""
}
