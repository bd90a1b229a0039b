package oauth

import (
	"errors"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
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
	bearer, err := userinfoToken(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
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
	if reason := ended(h.Settings.Current(), &t); reason != "" {
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
	claims := claimsOf(account, t.Scopes)
	claims["sub"] = t.UserID
	return web.JSON(c, http.StatusOK, claims)
}

// userinfoToken returns the token of the header, or of the form of a POST request; never of the query.
func userinfoToken(c echo.Context) (string, error) {
	bearer := web.BearerToken(c)
	if c.Request().Method == http.MethodPost && c.Request().Header.Get(echo.HeaderContentType) != "" {
		form, err := web.BindForm(c)
		if err != nil || bearer != "" && form["access_token"] != "" {
			return "", userinfoMalformed.Because(err)
		}
		if bearer == "" {
			bearer = form["access_token"]
		}
	}
	if bearer == "" {
		return "", userinfoNoToken
	}
	return bearer, nil
}
