package oauth

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/hooks"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

const grantClientCredentials = "client_credentials"

// mayUseClientCredentials: a web client with that grant, never a public one; an installation whose application makes
// anonymous resource calls.
func mayUseClientCredentials(c clientauth.Client) bool {
	if c.Installation != nil {
		return c.Application.CallsAnonymously()
	}
	return c.Web != nil && !c.Web.Public() && c.Web.Allows(settings.ClientCredentials)
}

// tokenScopeInvalid: a scope that the client does not have, or none at all (RFC 6749 §5.2).
var tokenScopeInvalid = outcome.Failure{
	Code: outcome.InvalidScope, Audit: audit.TokenRequestScopeInvalid,
	Text: "a requested scope is malformed, unknown or not allowed for the client",
}

// clientCredentials gives a client a token of its own (RFC 6749 §4.4): no user, no refresh token, no ID token.
// It succeeds with TOKEN_REQUEST_ACCESS_TOKEN_CREATED. One round trip to Redis.
func (h *Handler) clientCredentials(ctx context.Context, r *tokenRequest) (token.Issued, error) {
	scopes, err := resolveScopes(r.client, r.form["scope"])
	if err != nil && (!errors.Is(err, errScopeNone) || r.client.Installation == nil) {
		return token.Issued{}, tokenScopeInvalid.Because(err).About(audit.Detail("scope", r.form["scope"]))
	}
	// openid says something about a user, and there is none.
	scopes = slices.DeleteFunc(slices.Clone(scopes), func(s string) bool { return s == scopeOpenID })
	answer, err := h.customized(ctx, r, hooks.TokenQuestion{ClientID: r.client.ID, Scopes: scopes})
	if err != nil {
		return token.Issued{}, err
	}
	scopes = answer.Scopes
	g := baseGrant(r.settings, r.client, scopes)
	g.AccessClaims = answer.Claims
	g.ProfileID, g.Kind, g.Refresh = "", store.ClientToken, false
	issued, err := h.Tokens.Issue(ctx, g)
	if err != nil {
		return token.Issued{}, fmt.Errorf("client credentials: %w", err)
	}
	h.Audit.Record(ctx, audit.TokenRequestAccessTokenCreated, audit.Detail("grant", grantClientCredentials), audit.List("scopes", scopes))
	if r.client.Web != nil {
		issued.ProfileID = token.StaticProfile
	}
	return issued, nil
}
