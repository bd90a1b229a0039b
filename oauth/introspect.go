package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// inactive is the whole answer about a token that is not live, whatever the reason (RFC 7662 §2.2).
const inactive = `{"active":false}`

// How introspection fails, without a code of its own: API_ACCESS_GRANTED tells of the call. A token that is not live is no
// failure: 200, with TOKEN_REQUEST_INVALID_ACCESS_TOKEN or, when it is unknown, TOKEN_REQUEST_INVALID_BEARER_TOKEN.
var (
	introspectMalformed = outcome.Failure{
		Code: outcome.InvalidRequest,
		Text: "the request must be one form without repeated parameters and without a query",
	}
	introspectNoToken = outcome.Failure{
		Code: outcome.InvalidRequest,
		Text: "token is missing",
	}
)

// introspectV1 answers POST /oauth/api/v1/token/introspect: exp is the remaining life in milliseconds.
func (h *Handler) introspectV1(c echo.Context) error { return h.introspect(c, 1) }

// introspectV2 answers POST /oauth/api/v2/token/introspect: exp is in seconds since 1970, as RFC 7662 wants it.
func (h *Handler) introspectV2(c echo.Context) error { return h.introspect(c, 2) }

// introspect tells a resource gateway what a token stands for (RFC 7662). It succeeds with
// TOKEN_REQUEST_ACCESS_TOKEN_VALIDATED; API_ACCESS_GRANTED stands before it, from the access check.
func (h *Handler) introspect(c echo.Context, version int) error {
	ctx := c.Request().Context()
	form, err := web.BindForm(c)
	if err != nil {
		return introspectMalformed.Because(err)
	}
	if form["token"] == "" {
		return introspectNoToken
	}
	now := h.Settings.Current()
	e, err := h.examine(ctx, now, form["token"], clientauth.APIClientOf(ctx))
	switch {
	case err != nil:
		return err
	case !e.known:
		h.Audit.Record(ctx, audit.TokenRequestInvalidBearerToken)
		return web.JSONBytes(c, http.StatusOK, []byte(inactive))
	case e.reason != "":
		h.Audit.Record(ctx, audit.TokenRequestInvalidAccessToken, e.about()...)
		return web.JSONBytes(c, http.StatusOK, []byte(inactive))
	}
	if err := h.freshen(ctx, now, &e.AccessToken, form["refresh_user_details"] == "true"); err != nil {
		return err
	}
	h.Audit.Record(ctx, audit.TokenRequestAccessTokenValidated, e.about()...)
	return web.JSONBytes(c, http.StatusOK, h.introspection(&e.AccessToken, version, e.uses))
}

// freshen puts what is known about the user now into a token, where an identity provider has a user-info source. fresh
// asks the source itself and not what it said a while ago.
func (h *Handler) freshen(ctx context.Context, s *settings.Snapshot, t *store.AccessToken, fresh bool) error {
	if t.UserID == "" || !s.AsksUserInfo() {
		return nil
	}
	account, err := h.Accounts.Account(ctx, t.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find user: %w", err)
	}
	p := s.UserInfoProvider(account.Namespace)
	if p == nil {
		return nil
	}
	text, err := json.Marshal(h.People.Details(ctx, p, account, fresh).Attributes)
	if err != nil {
		return fmt.Errorf("encode attributes: %w", err)
	}
	t.UserDetails = text
	return nil
}

// introspection encodes the answer about a live token, by hand because it is a hot one. iss, aud, jti, acr, auth_time
// and profile_id belong to version 2.
func (h *Handler) introspection(t *store.AccessToken, version, uses int) []byte {
	subject := t.UserID
	if subject == "" {
		subject = t.ClientID
	}
	b := make([]byte, 0, 640+len(t.UserDetails))
	text := func(name, value string) {
		b = append(b, ',', '"')
		b = append(b, name...)
		b = append(b, '"', ':')
		b = appendText(b, value)
	}
	number := func(name string, value int64) {
		b = append(b, ',', '"')
		b = append(b, name...)
		b = append(b, '"', ':')
		b = appendInt(b, value)
	}
	b = append(b, `{"active":true`...)
	text("scope", strings.Join(t.Scopes, " "))
	text("client_id", t.ClientID)
	text("token_type", "bearer")
	if version == 1 {
		number("exp", t.ExpiresAt.Sub(h.Now()).Milliseconds())
	} else {
		number("exp", t.ExpiresAt.Unix())
	}
	number("iat", t.IssuedAt.Unix())
	number("nbf", t.IssuedAt.Unix())
	text("sub", subject)
	if t.Application != "" {
		text("app_identifier", t.Application)
		text("app_platform", t.Platform)
		text("app_version", t.Version)
	}
	number("usage_limit", int64(t.UsageLimit))
	if t.UsageLimit > 0 {
		number("usage_count", int64(uses))
	}
	if t.UserID != "" {
		b = append(b, `,"amr":`...)
		b = appendList(b, append([]string{string(t.Kind)}, t.AMR...))
	}
	if len(t.UserDetails) > len(`{}`) && t.UserDetails[0] == '{' {
		b = append(b, `,"user_details":`...)
		b = append(b, t.UserDetails...)
	}
	if version == 1 {
		return append(b, '}')
	}
	text("iss", h.Issuer)
	b = append(b, `,"aud":`...)
	switch len(t.Audience) {
	case 0:
		b = appendText(b, h.Issuer)
	case 1:
		b = appendText(b, t.Audience[0])
	default:
		b = appendList(b, t.Audience)
	}
	text("jti", t.ID)
	if t.ACR != "" {
		text("acr", t.ACR)
	}
	if t.UserID != "" && !t.AuthTime.IsZero() {
		number("auth_time", t.AuthTime.Unix())
	}
	if t.ProfileID != "" {
		text("profile_id", t.ProfileID)
	}
	return append(b, '}')
}

// appendList appends a JSON list of strings.
func appendList(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}
