package oauth

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/audit"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// How the scope verification service ends a journey.
var (
	scopeNotEntitled = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.AuthzRequestNotAuthorizedForScope, Text: "the user may not have the scope",
	}
	scopeNoVerdict = outcome.Failure{
		Code: outcome.TemporarilyUnavailable, Audit: audit.ExternalScopeCheckFailed,
		Text: "the entitlement of the user cannot be checked at the moment",
	}
)

// verifyScopes asks the scope verification service, once in a journey.
func (b *Browser) verifyScopes(ctx context.Context, a *store.Authorization, s *settings.Snapshot, _ requester) (string, error) {
	if a.Verified || !s.Document.OAuth.ScopeVerification.Enabled {
		return "", nil
	}
	person, err := b.person(ctx, *a)
	if err != nil {
		return "", err
	}
	refusal, err := b.Scopes.Check(ctx, a.UserID, externalID(person), a.Scopes)
	var none entitlement.NoVerdict
	switch {
	case errors.As(err, &none):
		return "", scopeNoVerdict.Because(err).About(none.Attrs()...)
	case err != nil:
		return "", fmt.Errorf("verify scopes: %w", err)
	case refusal.Refused:
		failure := scopeNotEntitled.About(audit.Detail("scope", refusal.Scope))
		if refusal.Endpoint == "" {
			return "", failure
		}
		return "", astray{failure.With("error_uri", refusal.Endpoint), refusal.Endpoint}
	}
	next := *a
	next.Verified = true
	return "", b.keep(ctx, a, next)
}

// externalID is a person's id as the identity provider issued it.
func externalID(a store.Account) string {
	if a.ExternalID != "" {
		return a.ExternalID
	}
	return a.ID
}
