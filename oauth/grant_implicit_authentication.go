package oauth

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// grantImplicitAuthentication gives an app a token of low assurance for a user who is on the installation already.
const grantImplicitAuthentication = "urn:onewelcome:oauth2:grant_type:implicit_authentication"

// mayAuthenticateImplicitly: an installation whose application registers users and has implicit authentication.
func mayAuthenticateImplicitly(c clientauth.Client) bool {
	return c.Installation != nil && c.Application.RegistersUsers() && c.Application.ImplicitAuthentication
}

// How implicit authentication fails, besides a scope.
var (
	implicitBadProfile = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalidProfileID, Text: "profile_id is missing, malformed or unknown",
	}
	implicitNoDefault = outcome.Failure{
		Code: outcome.InvalidGrant, Audit: audit.TokenRequestInvalidGrant, Text: "the user has to sign in first",
	}
	tokenLevelLow = outcome.Failure{
		Code: outcome.InvalidScope, Audit: audit.AuthzRequestAuthenticationLvlInsufficient,
		Text: "a requested scope needs a higher authentication level",
	}
)

// implicitAuthentication gives an access token without asking the user anything: good for a greeting, and only for scopes
// that need no authentication level. It depends on the DEFAULT refresh token of the profile and ends with it. It succeeds
// with TOKEN_REQUEST_ACCESS_TOKEN_CREATED; there is no refresh token and no ID token.
func (h *Handler) implicitAuthentication(ctx context.Context, r *tokenRequest) (token.Issued, error) {
	profile, err := h.registered(ctx, r)
	if err != nil {
		return token.Issued{}, err
	}
	family, err := h.Tokens.FamilyOfProfile(ctx, r.client.ID, profile.ProfileID, store.DefaultToken)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return token.Issued{}, implicitNoDefault.Because(err).About(audit.Reason("no default token"))
	case err != nil:
		return token.Issued{}, fmt.Errorf("implicit authentication: %w", err)
	case h.Tokens.Ended(family):
		return token.Issued{}, implicitNoDefault.About(audit.Reason("no default token"))
	case family.UserGone:
		return token.Issued{}, implicitNoDefault.About(audit.Reason("account_disabled"))
	}
	scopes, err := resolveScopes(r.client, r.form["scope"])
	if err != nil {
		return token.Issued{}, tokenScopeInvalid.Because(err).About(audit.Detail("scope", r.form["scope"]))
	}
	if need := neededLevel(r.settings, scopes); need > 0 {
		return token.Issued{}, tokenLevelLow.About(audit.Count("have", 0), audit.Count("need", need), audit.List("scopes", scopes))
	}
	var ahead *foresight
	if asksOthers(r.settings, r.client) {
		ahead, err = h.foresee(ctx, r, question{userID: family.UserID, scopes: scopes, params: family.HookParams})
		switch {
		case err != nil:
			return token.Issued{}, fmt.Errorf("implicit authentication: %w", err)
		case ahead == nil:
			return token.Issued{}, implicitNoDefault.About(audit.Reason("account_disabled"))
		case ahead.refusal != nil:
			return token.Issued{}, ahead.refusal
		}
		scopes = ahead.scopes
	}
	g := baseGrant(r.settings, r.client, scopes)
	g.Kind, g.UserID, g.ProfileID, g.FamilyID, g.Refresh = store.ImplicitToken, family.UserID, profile.ProfileID, family.ID, false
	g.UserDetails = family.UserDetails
	if ahead != nil {
		g.UserDetails, g.AccessClaims = ahead.details, ahead.extra
	}
	issued, err := h.Tokens.Issue(ctx, g)
	if err != nil {
		return token.Issued{}, fmt.Errorf("implicit authentication: %w", err)
	}
	h.Audit.Record(ctx, audit.TokenRequestAccessTokenCreated, audit.Detail("grant", "implicit_authentication"),
		audit.List("scopes", issued.Scopes), audit.Detail("type", string(g.Kind)))
	return issued, nil
}

// registered returns the profile that a request names; its user is on the installation.
func (h *Handler) registered(ctx context.Context, r *tokenRequest) (store.Profile, error) {
	id := r.form["profile_id"]
	switch {
	case id == "":
		return store.Profile{}, implicitBadProfile.About(audit.Reason("missing"))
	case !profileIDForm(id):
		return store.Profile{}, implicitBadProfile.About(audit.Detail("profile_id", clipped(id, 32)), audit.Reason("malformed"))
	}
	profile, err := h.Users.Profile(ctx, r.client.ID, id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Profile{}, implicitBadProfile.Because(err).About(audit.Detail("profile_id", id), audit.Reason("unknown"))
	}
	if err != nil {
		return store.Profile{}, fmt.Errorf("find profile: %w", err)
	}
	audit.Know(ctx, audit.User(profile.UserID), audit.Profile(id))
	return profile, nil
}
