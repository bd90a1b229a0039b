package oauth

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/internal/web"
)

// tokenRequest is a token request whose client has proved itself and may use the grant.
type tokenRequest struct {
	settings *settings.Snapshot
	client   clientauth.Client
	form     web.Form
}

// grant is one grant type of the token endpoint.
type grant struct {
	name string
	// allowed tells whether the client may use the grant.
	allowed func(clientauth.Client) bool
	// answer checks the parameters, has the effect and returns the body. It records the event of its success, inside the
	// transaction of its effect where there is one; failures it returns.
	answer func(ctx context.Context, r *tokenRequest) ([]byte, error)
	// clients is how a client is refused that cannot prove itself.
	clients clientFailures
}

// issuing is the answer of a grant that makes tokens.
func issuing(issue func(context.Context, *tokenRequest) (token.Issued, error)) func(context.Context, *tokenRequest) ([]byte, error) {
	return func(ctx context.Context, r *tokenRequest) ([]byte, error) {
		issued, err := issue(ctx, r)
		if err != nil {
			return nil, err
		}
		return tokenAnswer(issued), nil
	}
}

// grants is the table of the token endpoint.
func (h *Handler) grants(s *settings.Snapshot, name string) (grant, bool) {
	for _, g := range [...]grant{
		{"authorization_code", mayUseCode, issuing(h.authorizationCode), tokenClientFailures},
		{grantClientCredentials, mayUseClientCredentials, issuing(h.clientCredentials), tokenClientFailures},
		{"refresh_token", mayRefresh, issuing(h.refreshToken), tokenClientFailures},
		{"password", mayUsePassword, issuing(h.password), tokenClientFailures},
		{grantDeviceCode, mayUseDeviceCode, issuing(h.deviceCode), tokenClientFailures},
		{grantFingerPrint, mayExchangeFingerPrint, issuing(h.fingerPrint), fingerClientFailures},
		{grantImplicitAuthentication, mayAuthenticateImplicitly, issuing(h.implicitAuthentication), tokenClientFailures},
		{grantValidateBearer, mayValidateBearer, h.validateBearer, tokenClientFailures},
	} {
		if g.name == name {
			return g, name != grantValidateBearer || s.Document.OAuth.ValidateBearer
		}
	}
	return grant{}, false
}

// How every token request can fail before its grant looks at it (RFC 6749 §5.2).
var (
	tokenMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid,
		Text: "the request must be one form without repeated parameters and without a query",
	}
	tokenNoGrantType = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid,
		Text: "grant_type is missing",
	}
	tokenUnknownGrant = outcome.Failure{
		Code: outcome.UnsupportedGrantType, Audit: audit.TokenRequestUnsupportedGrantType,
		Text: "the grant type is not supported",
	}
	tokenGrantOff = outcome.Failure{
		Code: outcome.UnauthorizedClient, Audit: audit.TokenRequestDisabledGrantType,
		Text: "the client may not use this grant type",
	}
)

// token answers POST /oauth/token and /oauth/v1/token. The checks run in the order of the steps below.
func (h *Handler) token(c echo.Context) error {
	form, err := web.BindForm(c)
	if err != nil {
		return tokenMalformed.Because(err)
	}
	name := form["grant_type"]
	if name == "" {
		return tokenNoGrantType
	}
	r := &tokenRequest{settings: h.Settings.Current(), form: form}
	g, known := h.grants(r.settings, name)
	if !known {
		return tokenUnknownGrant.About(audit.Detail("grant_type", clipped(name, 128)))
	}
	if r.client, err = h.authenticate(c, r.settings, form, g.clients); err != nil {
		return err
	}
	if err := sameProtocol(c, r.client); err != nil {
		return err
	}
	if err := h.enterVersion(c, r.settings, &r.client); err != nil {
		return err
	}
	if !g.allowed(r.client) {
		return tokenGrantOff.About(audit.Detail("grant", name))
	}
	if name != grantClientCredentials && name != grantValidateBearer {
		h.Tokens.Ready(c.Request().Context(), encryptionOf(r.client))
	}
	body, err := g.answer(c.Request().Context(), r)
	if err != nil {
		return err
	}
	return web.JSONBytes(c, http.StatusOK, body)
}
