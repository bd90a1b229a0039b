package oauth

import (
	"context"
	"strings"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
)

// grantValidateBearer is how gateways asked about access tokens before there was introspection. It is known only where the
// settings switch it on.
const grantValidateBearer = "urn:innovation-district.com:oauth2:grant_type:validate_bearer"

// mayValidateBearer: a web client with a secret or key that has the function.
func mayValidateBearer(c clientauth.Client) bool {
	return c.Web != nil && !c.Web.Public() && c.Web.ValidatesTokens
}

// How validateBearer fails.
var (
	validateNoToken = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid, Text: "token is missing",
	}
	validateUnknown = outcome.Failure{
		Code: outcome.InvalidGrant, Audit: audit.TokenRequestInvalidBearerToken, Text: "the access token is not valid",
	}
	validateEnded = outcome.Failure{
		Code: outcome.InvalidGrant, Audit: audit.TokenRequestInvalidAccessToken, Text: "the access token is not valid",
	}
)

// validateBearer tells a gateway what an access token stands for, and counts the use of a limited one. It succeeds with
// TOKEN_REQUEST_ACCESS_TOKEN_VALIDATED. The answer: reference_id (user id; the client id of a client's own token), scope,
// token_type, client_id, expires_in (seconds), usage_limit (0 = none), amr (of a user's token).
func (h *Handler) validateBearer(ctx context.Context, r *tokenRequest) ([]byte, error) {
	if r.form["token"] == "" {
		return nil, validateNoToken.About(audit.Detail("field", "token"), audit.Detail("grant", "validate_bearer"))
	}
	caller := audit.Detail("caller", r.client.ID)
	e, err := h.examine(ctx, r.settings, r.form["token"], nil)
	switch {
	case err != nil:
		return nil, err
	case !e.known:
		return nil, validateUnknown.About(caller)
	case e.reason != "":
		return nil, validateEnded.About(e.about()...).About(caller)
	}
	h.Audit.Record(ctx, audit.TokenRequestAccessTokenValidated, append(e.about(), caller)...)
	reference := e.UserID
	if reference == "" {
		reference = e.ClientID
	}
	b := []byte(`{"reference_id":`)
	b = appendText(b, reference)
	b = append(b, `,"scope":`...)
	b = appendText(b, strings.Join(e.Scopes, " "))
	b = append(b, `,"token_type":"bearer","client_id":`...)
	b = appendText(b, e.ClientID)
	b = append(b, `,"expires_in":`...)
	b = appendInt(b, int64(e.ExpiresAt.Sub(h.Now()).Seconds()))
	b = append(b, `,"usage_limit":`...)
	b = appendInt(b, int64(e.UsageLimit))
	if e.UserID != "" {
		b = append(b, `,"amr":`...)
		b = appendList(b, append([]string{string(e.Kind)}, e.AMR...))
	}
	return append(b, '}'), nil
}
