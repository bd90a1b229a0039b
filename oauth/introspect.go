package oauth

import (
	"errors"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
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
	t, err := h.Tokens.Verify(ctx, form["token"])
	var reason string
	switch {
	case errors.Is(err, store.ErrNotFound):
		h.Audit.Record(ctx, audit.TokenRequestInvalidBearerToken)
		return web.JSONBytes(c, http.StatusOK, []byte(inactive))
	case errors.Is(err, store.ErrExpired):
		reason = "expired"
	case errors.Is(err, store.ErrRevoked):
		reason = "revoked"
	case err != nil:
		return err
	default:
		reason = ended(h.Settings.Current(), &t)
	}
	uses := 0
	if reason == "" {
		if uses, err = h.Tokens.Use(ctx, t); errors.Is(err, store.ErrRevoked) {
			reason = "used_up"
		} else if err != nil {
			return err
		}
	}
	about := []audit.Attr{
		audit.Client(t.ClientID), audit.User(t.UserID), audit.Profile(t.ProfileID),
		audit.App(t.Application, t.Platform, t.Version),
	}
	if reason != "" {
		h.Audit.Record(ctx, audit.TokenRequestInvalidAccessToken, append(about, audit.Reason(reason))...)
		return web.JSONBytes(c, http.StatusOK, []byte(inactive))
	}
	if t.UsageLimit > 0 {
		about = append(about, audit.Count("usage_count", uses))
	}
	h.Audit.Record(ctx, audit.TokenRequestAccessTokenValidated, about...)
	return web.JSONBytes(c, http.StatusOK, h.introspection(&t, version, uses))
}

// ended tells why a token is not good any more although it is: "" = it is good. Its app version may have been disabled,
// or its client.
func ended(s *settings.Snapshot, t *store.AccessToken) string {
	if t.Application != "" {
		if !appgate.Usable(s.Version(t.Application, t.Platform, t.Version)) {
			return "version_disabled"
		}
		return ""
	}
	if w := s.WebClient(t.ClientID); w == nil || w.Disabled {
		return "client_disabled"
	}
	return ""
}

// introspection encodes the answer about a live token, by hand because it is a hot one. iss, aud, jti, acr, auth_time
// and profile_id belong to version 2.
func (h *Handler) introspection(t *store.AccessToken, version, uses int) []byte {
	subject := t.UserID
	if subject == "" {
		subject = t.ClientID
	}
	b := make([]byte, 0, 640)
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
