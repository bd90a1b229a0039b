package idp

import (
	"context"

	"tokenserver/audit"
	"tokenserver/idp/oidc"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// userIDMember names the user in the profile of an OAuth server unless configured otherwise.
const userIDMember = "userId"

// profiled is who the profile of an OAuth server names. Errors: outcome.Failure for Fail.
func (o *OAuth) profiled(ctx context.Context, p *settings.IdentityProvider, upstream oidc.Provider, m oidc.Metadata, tokens oidc.Tokens) (store.Identity, error) {
	profile, err := o.Client.Profile(ctx, upstream, m, tokens.Access)
	if err != nil {
		return store.Identity{}, unusable(missingUser, p, err)
	}
	member := userIDMember
	if p.OAuth.UserIDClaim != "" {
		member = p.OAuth.UserIDClaim
	}
	id := store.Identity{UserID: oidc.Named(profile, member), Attributes: oidc.Attributes(profile)}
	if len(p.AttributeMappings) == 0 {
		delete(id.Attributes, member)
	}
	if id.UserID == "" && !mappedUser(p, id.Attributes) {
		return store.Identity{}, missingUser.About(audit.Detail("idp", p.ID), audit.Reason("no user id"))
	}
	id.Level = level(p, id.Attributes)
	return id, nil
}

// claimed is who an ID token names, with what the userinfo endpoint says about the same user. Errors: outcome.Failure for Fail.
func (o *OAuth) claimed(ctx context.Context, p *settings.IdentityProvider, upstream oidc.Provider, m oidc.Metadata, tokens oidc.Tokens, claims oidc.Claims) (store.Identity, error) {
	var profile map[string]any
	if m.Profile != "" {
		var err error
		if profile, err = o.Client.Profile(ctx, upstream, m, tokens.Access); err != nil {
			return store.Identity{}, unusable(missingUser, p, err)
		}
		if profile["sub"] != claims.Subject { // OpenID Connect Core §5.3.2
			return store.Identity{}, missingUser.About(audit.Detail("idp", p.ID), audit.Reason("profile of another user"))
		}
	}
	id := store.Identity{
		UserID: claims.Subject, Attributes: oidc.Attributes(claims.All, profile), ACR: claims.ACR, AMR: claims.AMR,
		AuthTime: claims.AuthTime, ProviderSession: claims.Session, ProviderToken: tokens.ID,
	}
	if now := o.Now(); id.AuthTime.After(now) { // its clock is ahead of ours
		id.AuthTime = now
	}
	if len(p.AttributeMappings) == 0 {
		for _, name := range protocolClaims() {
			delete(id.Attributes, name)
		}
	}
	id.Level = level(p, id.Attributes)
	return id, nil
}

// protocolClaims speak about a token or a sign-in, not about the person. They are no attributes unless a mapping names them.
func protocolClaims() []string {
	return []string{
		"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "azp", "at_hash", "c_hash", "s_hash", "sid", "auth_time", "acr",
		"amr", "cnf", "events", "typ", "scope", "client_id", "active", "token_type", "_claim_names", "_claim_sources",
	}
}

// mappedUser tells whether a mapped attribute names the user.
func mappedUser(p *settings.IdentityProvider, attributes store.Attributes) bool {
	for _, m := range p.AttributeMappings {
		if m.To == userIDMember && attributes.Text(m.From) != "" {
			return true
		}
	}
	return false
}
