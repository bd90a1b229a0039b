package customregistration

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/audit"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/hooks"
	"tokenserver/internal/outcome"
	persons "tokenserver/internal/people"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// How a user whom the provider has accepted is refused all the same.
var (
	userUnusable = outcome.Failure{
		Code: outcome.InternalServerError, Audit: audit.CustomRegistrationScriptError,
		Text: "the service that decides about registrations names no usable user",
	}
	userRefused = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.IDPUserRefused, Text: "the user may not sign in here",
	}
	userNotEntitled = outcome.Failure{
		Code: outcome.UnauthorizedUser, Audit: audit.TokenRequestNotAuthorizedForScope, Text: "the user may not have a requested scope",
	}
	noVerdict = outcome.Failure{
		Code: outcome.TemporarilyUnavailable, Audit: audit.ExternalScopeCheckFailed, Text: "the scopes cannot be verified right now",
	}
	scopesRemoved = outcome.Failure{
		Code: outcome.InvalidScope, Audit: audit.TokenRequestScopeInvalid, Text: "none of the requested scopes can be granted",
	}
	hookFailed = outcome.Failure{
		Code: outcome.TemporarilyUnavailable, Audit: audit.WebHookCustomizeAccessTokenFailed, Text: "the token cannot be made right now",
	}
)

// admit takes the user in and asks whoever else has a say: scope verification, then the token hook. Errors: an outcome.Failure
// for a refusal.
func (h *Handler) admit(ctx context.Context, r *completion, a answer) (store.Account, token.Grant, error) {
	g := token.Grant{Kind: r.kind, Scopes: r.scopes, ProfileID: r.body.ProfileID, AuthTime: h.Now(), AMR: a.identity.AMR, HookParams: r.body.HookParams}
	about := audit.Detail("idp", r.provider.ID)
	person, err := h.People.Meet(ctx, r.provider, *a.identity)
	switch {
	case errors.Is(err, persons.ErrUnusable):
		return store.Account{}, g, userUnusable.Because(err).About(about, audit.Reason("user id"))
	case errors.Is(err, store.ErrConflict):
		return store.Account{}, g, userRefused.Because(err).About(about, audit.Reason("user id taken"))
	case errors.Is(err, store.ErrRevoked), errors.Is(err, store.ErrNotFound):
		return store.Account{}, g, userRefused.Because(err).About(about, audit.Reason("disabled"))
	case err != nil:
		return store.Account{}, g, fmt.Errorf("meet user: %w", err)
	}
	verdict, err := h.Entitlement.Check(ctx, person.ID, person.ExternalID, r.scopes)
	var none entitlement.NoVerdict
	switch {
	case errors.As(err, &none):
		return person, g, noVerdict.Because(err).About(none.Attrs()...)
	case err != nil:
		return person, g, fmt.Errorf("verify scopes: %w", err)
	case verdict.Refused:
		failure := userNotEntitled.About(about, audit.Detail("scope", verdict.Scope))
		if verdict.Endpoint != "" {
			failure = failure.With("error_uri", verdict.Endpoint)
		}
		return person, g, failure
	}
	hook := hooks.Of(r.settings, hooksOf(r), settings.CustomizeToken)
	left, err := h.Hooks.CustomizeToken(ctx, hook, hooks.TokenQuestion{
		UserID: person.ID, ClientID: r.client.ID, Scopes: r.scopes, Claims: person.Attributes, Params: r.body.HookParams,
	})
	var failure hooks.Failure
	switch {
	case errors.As(err, &failure):
		return person, g, hookFailed.Because(failure).About(failure.Attrs()...)
	case err != nil:
		return person, g, fmt.Errorf("customize token: %w", err)
	case len(left.Scopes) == 0 && len(r.scopes) > 0:
		return person, g, scopesRemoved.About(audit.List("scopes", r.scopes), audit.Reason("hook removed all scopes"))
	}
	g.Scopes, g.AccessClaims = left.Scopes, left.Claims
	return person, g, nil
}

// hooksOf are the ids of the client's web hooks.
func hooksOf(r *completion) []string {
	if r.client.Web != nil {
		return r.client.Web.WebHooks
	}
	return r.client.Application.WebHooks
}

// hold makes sure that nobody disables the user before the tokens are issued, and that nobody has.
func (h *Handler) hold(ctx context.Context, r *completion, person store.Account) error {
	account, err := h.Accounts.HoldAccount(ctx, person.ID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && account.Disabled:
		return userRefused.Because(err).About(audit.Detail("idp", r.provider.ID), audit.Reason("disabled"))
	case err != nil:
		return fmt.Errorf("hold account: %w", err)
	}
	return nil
}
