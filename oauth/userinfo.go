package oauth

import (
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How userinfo fails (RFC 6750 §3.1). Its success has no event.
var (
	userinfoNoToken = outcome.Failure{
		Code: outcome.InvalidToken, Audit: audit.TokenRequestInvalidBearerToken,
		Text: "the access token is missing", Attrs: []audit.Attr{audit.Reason("missing")},
	}
	userinfoUnknown = outcome.Failure{
		Code: outcome.InvalidToken, Audit: audit.TokenRequestInvalidBearerToken,
		Text: "the access token is missing, expired or revoked",
	}
	userinfoEnded = outcome.Failure{
		Code: outcome.InvalidToken, Audit: audit.TokenRequestInvalidAccessToken,
		Text: "the access token is missing, expired or revoked",
	}
	userinfoScope = outcome.Failure{
		Code: outcome.InsufficientScope, Audit: audit.TokenRequestInvalidAccessToken,
		Text: "the access token was not issued for scope openid", Attrs: []audit.Attr{audit.Reason("insufficient_scope")},
	}
	userinfoMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid,
		Text: "send the access token once, in the header or in the form",
	}
)

// userinfo returns the claims about the user of an access token (OpenID Connect Core §5.3): sub, and what the scopes of
// the token open.
func (h *Handler) userinfo(c echo.Context) error {
	bearer, fresh, err := userinfoToken(c)
	if err != nil {
		return err
	}
	ctx, now := c.Request().Context(), h.Settings.Current()
	t, err := h.Tokens.Verify(ctx, bearer)
	about := []audit.Attr{
		audit.Client(t.ClientID), audit.User(t.UserID), audit.Profile(t.ProfileID),
		audit.App(t.Application, t.Platform, t.Version),
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return userinfoUnknown.Because(err)
	case errors.Is(err, store.ErrExpired):
		return userinfoEnded.Because(err).About(about...).About(audit.Reason("expired"))
	case errors.Is(err, store.ErrRevoked):
		return userinfoEnded.Because(err).About(about...).About(audit.Reason("revoked"))
	case err != nil:
		return err
	}
	if reason := ended(now, &t); reason != "" {
		return userinfoEnded.About(about...).About(audit.Reason(reason))
	}
	if t.UserID == "" || !slices.Contains(t.Scopes, scopeOpenID) {
		return userinfoScope.About(about...)
	}
	_, err = h.Tokens.Use(ctx, t)
	switch {
	case errors.Is(err, store.ErrRevoked):
		return userinfoEnded.Because(err).About(about...).About(audit.Reason("used_up"))
	case err != nil:
		return err
	}
	account, err := h.Accounts.Account(ctx, t.UserID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && account.Disabled:
		return userinfoEnded.Because(err).About(about...).About(audit.Reason("account_disabled"))
	case err != nil:
		return err
	}
	account = h.People.Details(ctx, now.UserInfoProvider(account.Namespace), account, fresh)
	claims, err := h.said(ctx, now, hooksOfToken(now, &t), account, t.Scopes, nil, userinfoHookFailed)
	if err != nil {
		return err
	}
	claims["sub"] = t.UserID
	return web.JSON(c, http.StatusOK, claims)
}

// hooksOfToken are the ids of the web hooks of the client that a token was issued to.
func hooksOfToken(s *settings.Snapshot, t *store.AccessToken) []string {
	if t.Application != "" {
		if a := s.Application(t.Application); a != nil {
			return a.WebHooks
		}
		return nil
	}
	if w := s.WebClient(t.ClientID); w != nil {
		return w.WebHooks
	}
	return nil
}

// userinfoToken returns the token of the header, or of the form of a POST request; never of the query. fresh asks for what
// is known about the user now, not a while ago.
func userinfoToken(c echo.Context) (bearer string, fresh bool, err error) {
	bearer, fresh = web.BearerToken(c), c.QueryParam("refresh_user_details") == "true"
	if c.Request().Method == http.MethodPost && c.Request().Header.Get(echo.HeaderContentType) != "" {
		form, err := web.BindForm(c)
		if err != nil || bearer != "" && form["access_token"] != "" {
			return "", false, userinfoMalformed.Because(err)
		}
		fresh = form["refresh_user_details"] == "true"
		if bearer == "" {
			bearer = form["access_token"]
		}
	}
	if bearer == "" {
		return "", false, userinfoNoToken
	}
	return bearer, fresh, nil
}
