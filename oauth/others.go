package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/hooks"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// userDetails knows people and asks user-info sources about them; see people.Service.
type userDetails interface {
	// Meet errors: people.ErrUnusable, store.ErrConflict, store.ErrRevoked, store.ErrNotFound.
	Meet(ctx context.Context, p *settings.IdentityProvider, id store.Identity) (store.Account, error)
	// Details returns the person with what the provider's source says, as he or she was when there is none.
	Details(ctx context.Context, p *settings.IdentityProvider, a store.Account, fresh bool) store.Account
}

// How others end a token request.
var (
	tokenNotEntitled = outcome.Failure{
		Code: outcome.UnauthorizedUser, Audit: audit.TokenRequestNotAuthorizedForScope,
		Text: "the user may not have a requested scope",
	}
	tokenScopeUnchecked = outcome.Failure{
		Code: outcome.TemporarilyUnavailable, Audit: audit.ExternalScopeCheckFailed,
		Text: "the scopes cannot be verified now, try again later",
	}
	tokenHookFailed = outcome.Failure{
		Code: outcome.TemporarilyUnavailable, Audit: audit.WebHookCustomizeAccessTokenFailed,
		Text: "the token cannot be made now, try again later",
	}
	userinfoHookFailed = outcome.Failure{
		Code: outcome.TemporarilyUnavailable, Audit: audit.WebHookCustomizeUserDetailsFailed,
		Text: "what is known about the user cannot be said now, try again later",
	}
)

// question is what others are asked about a token that is going to be made for a user.
type question struct {
	userID string
	scopes []string
	params map[string][]string // of the authorization request, for the hooks
	// settled: the scope verification service and the token hook were asked before the code was made.
	settled bool
}

// foresight is what others say about a token before the transaction that makes it: nobody holds rows locked while an
// outside service thinks. It counts once the transaction has found the grant right.
type foresight struct {
	userID  string
	scopes  []string       // that are left
	extra   map[string]any // claims of a JWT access token
	claims  map[string]any // of the ID token; nil without the scope openid
	details []byte         // what introspection says about the user
	refusal error          // an outcome.Failure; everything else is empty then
}

// asksOthers tells whether anybody has to be asked before a client gets a token for a user. Without a service, hook and
// source nothing is looked up twice.
func asksOthers(s *settings.Snapshot, c clientauth.Client) bool {
	list := hooksOf(c)
	return s.Document.OAuth.ScopeVerification.Enabled || s.AsksUserInfo() ||
		hooks.Of(s, list, settings.CustomizeToken) != nil || hooks.Of(s, list, settings.CustomizeUser) != nil
}

// hooksOf are the ids of a client's web hooks.
func hooksOf(c clientauth.Client) []string {
	switch {
	case c.Application != nil:
		return c.Application.WebHooks
	case c.Web != nil:
		return c.Web.WebHooks
	}
	return nil
}

// describe puts what is known about a user into a grant: claims and ID token, what introspection says, what a hook adds.
// Without foresight the account speaks for itself.
func describe(g *token.Grant, s *settings.Snapshot, account store.Account, ahead *foresight) error {
	g.IDToken = slices.Contains(g.Scopes, scopeOpenID)
	if ahead != nil {
		g.UserDetails, g.Claims = ahead.details, ahead.claims
		if ahead.extra != nil {
			g.AccessClaims = ahead.extra
		}
		return nil
	}
	if len(account.Attributes) > 0 {
		text, err := json.Marshal(account.Attributes)
		if err != nil {
			return fmt.Errorf("encode attributes: %w", err)
		}
		g.UserDetails = text
	}
	if g.IDToken {
		g.Claims = claimsOf(s, account, g.Scopes)
	}
	return nil
}

// foresee asks everybody about a token for a user: the user-info source, the scope verification service, the hooks. nil
// without an error means that there is no such user: the transaction will find that out as well.
func (h *Handler) foresee(ctx context.Context, r *tokenRequest, q question) (*foresight, error) {
	account, err := h.Accounts.Account(ctx, q.userID)
	if errors.Is(err, store.ErrNotFound) || err == nil && account.Disabled {
		return nil, nil //nolint:nilnil // see above
	}
	if err != nil {
		return nil, fmt.Errorf("find user: %w", err)
	}
	account = h.People.Details(ctx, r.settings.UserInfoProvider(account.Namespace), account, false)
	f := &foresight{userID: q.userID, scopes: q.scopes}
	if f.details, err = json.Marshal(account.Attributes); err != nil {
		return nil, fmt.Errorf("encode attributes: %w", err)
	}
	if !q.settled {
		f.refusal = h.settle(ctx, r, q, account, f)
	}
	if f.refusal == nil && slices.Contains(f.scopes, scopeOpenID) {
		f.claims, f.refusal = h.said(ctx, r.settings, hooksOf(r.client), account, f.scopes, q.params, idTokenFailed)
	}
	var failure outcome.Failure
	if errors.As(f.refusal, &failure) {
		f.refusal = failure.About(audit.User(q.userID))
	}
	return f, nil
}

// settle asks the scope verification service, then the token hook, and puts what they say into f.
func (h *Handler) settle(ctx context.Context, r *tokenRequest, q question, account store.Account, f *foresight) error {
	if err := h.entitled(ctx, account, q.scopes); err != nil {
		return err
	}
	answer, err := h.customized(ctx, r, hooks.TokenQuestion{
		UserID: q.userID, ClientID: r.client.ID, Scopes: q.scopes, Claims: claimsOf(r.settings, account, q.scopes), Params: q.params,
	})
	f.scopes, f.extra = answer.Scopes, answer.Claims
	return err
}

// entitled asks the scope verification service. It returns nil, or the failure that ends the request.
func (h *Handler) entitled(ctx context.Context, account store.Account, scopes []string) error {
	refusal, err := h.Scopes.Check(ctx, account.ID, account.ExternalID, scopes)
	var none entitlement.NoVerdict
	switch {
	case errors.As(err, &none):
		return tokenScopeUnchecked.Because(err).About(none.Attrs()...)
	case err != nil:
		return fmt.Errorf("verify scopes: %w", err)
	case !refusal.Refused:
		return nil
	}
	failure := tokenNotEntitled.About(audit.User(account.ID), audit.Detail("scope", refusal.Scope))
	if refusal.Endpoint != "" {
		failure = failure.With("error_uri", refusal.Endpoint)
	}
	return failure
}

// mostHookClaims is how many bytes a hook may add to an access token: every gateway has to take it in a header.
const mostHookClaims = 4 << 10

// customized asks the client's hook about a token. It fails when the hook leaves no scope.
func (h *Handler) customized(ctx context.Context, r *tokenRequest, q hooks.TokenQuestion) (hooks.TokenAnswer, error) {
	hook := hooks.Of(r.settings, hooksOf(r.client), settings.CustomizeToken)
	if hook == nil {
		return hooks.TokenAnswer{Scopes: q.Scopes}, nil
	}
	answer, err := h.Hooks.CustomizeToken(ctx, hook, q)
	if err != nil {
		return hooks.TokenAnswer{}, hookFailure(err, tokenHookFailed)
	}
	if len(answer.Scopes) == 0 && len(q.Scopes) > 0 {
		return hooks.TokenAnswer{}, tokenScopeInvalid.About(audit.Reason("hook removed all scopes"), audit.List("scopes", q.Scopes))
	}
	if err := fewEnough(answer.Claims); err != nil {
		return hooks.TokenAnswer{}, tokenHookFailed.Because(err).About(audit.Detail("hook", hook.ID), audit.Reason("claims too large"))
	}
	return answer, nil
}

// fewEnough refuses claims of a hook that would make an access token too large.
func fewEnough(claims map[string]any) error {
	text, err := json.Marshal(claims)
	if err == nil && len(text) > mostHookClaims {
		err = fmt.Errorf("%d bytes of claims", len(text))
	}
	return err
}

// said returns the claims about a person as the hook among a client's wants them; failure is that of the hook.
func (h *Handler) said(ctx context.Context, s *settings.Snapshot, hookIDs []string, a store.Account, scopes []string,
	params map[string][]string, failure outcome.Failure,
) (map[string]any, error) {
	claims := claimsOf(s, a, scopes)
	hook := hooks.Of(s, hookIDs, settings.CustomizeUser)
	if hook == nil {
		return claims, nil
	}
	claims, err := h.Hooks.CustomizeUser(ctx, hook, hooks.UserQuestion{UserID: a.ID, Scopes: scopes, Claims: claims, Params: params})
	if err != nil {
		return nil, hookFailure(err, failure)
	}
	return claims, nil
}

// hookFailure turns the trouble of a hook into the failure of the request.
func hookFailure(err error, failure outcome.Failure) error {
	var trouble hooks.Failure
	if errors.As(err, &trouble) {
		return failure.Because(err).About(trouble.Attrs()...)
	}
	return fmt.Errorf("ask web hook: %w", err)
}
