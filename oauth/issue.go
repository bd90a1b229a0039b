package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/hooks"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// How the last steps of a journey fail.
var (
	hookFailed = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.WebHookCustomizeAccessTokenFailed, Text: "a web hook of the client has failed",
	}
	hookLeftNothing = outcome.Failure{
		Code: outcome.InvalidScope, Audit: audit.AuthzRequestScopeInvalid, Text: "no scope is left for the user",
	}
)

// issue is steps 17 and 18: the client's hook may cut the scopes, then code or tokens are made. The transaction has ended
// before: nothing is issued twice.
func (b *Browser) issue(c echo.Context, a store.Authorization, s *settings.Snapshot, client requester, to reply) error {
	ctx := c.Request().Context()
	person, err := b.person(ctx, a)
	if err != nil {
		return err
	}
	if responseType(a.ResponseType).implicit() || client.hook(s, settings.CustomizeToken) != nil {
		person = b.People.Details(ctx, s.UserInfoProvider(person.Namespace), person, false)
	}
	claims, err := b.customize(ctx, &a, s, client, person)
	if err != nil {
		return err
	}
	a.ACR, a.AMR = acrOf(a, s), amrOf(a)
	if a.DeviceID != "" {
		return b.endDevice(c, a, to)
	}
	if responseType(a.ResponseType).implicit() {
		return b.issueTokens(c, a, s, client, to, person, claims)
	}
	return b.issueCode(c, a, client, to, claims)
}

// customize asks the client's hook about the token. It may take scopes away, and returns the claims that it adds.
func (b *Browser) customize(ctx context.Context, a *store.Authorization, s *settings.Snapshot, client requester, person store.Account) (map[string]any, error) {
	hook := client.hook(s, settings.CustomizeToken)
	if hook == nil {
		return nil, nil
	}
	answer, err := b.Hooks.CustomizeToken(ctx, hook, hooks.TokenQuestion{
		UserID: a.UserID, ClientID: a.ClientID, Scopes: a.Scopes, Claims: claimsOf(s, person, a.Scopes), Params: a.HookParams,
	})
	var failure hooks.Failure
	switch {
	case errors.As(err, &failure):
		return nil, hookFailed.Because(err).About(failure.Attrs()...)
	case err != nil:
		return nil, fmt.Errorf("customise token: %w", err)
	case len(answer.Scopes) == 0:
		return nil, hookLeftNothing.About(audit.Reason("hook removed all scopes"), audit.Detail("hook", hook.ID), audit.List("scopes", answer.Removed))
	}
	if err := fewEnough(answer.Claims); err != nil {
		return nil, hookFailed.Because(err).About(audit.Detail("hook", hook.ID), audit.Reason("claims too large"))
	}
	a.Scopes = answer.Scopes
	return answer.Claims, nil
}

// issueCode makes the code and answers with it.
func (b *Browser) issueCode(c echo.Context, a store.Authorization, client requester, to reply, claims map[string]any) error {
	ctx := c.Request().Context()
	code := secret.NewToken()
	answer := url.Values{"code": {code}}
	if err := b.tellSession(c, a, answer); err != nil {
		return err
	}
	err := b.Codes.AddCode(ctx, store.AuthorizationCode{
		Hash: b.Keys.MAC(secret.ForCode, code), ClientID: a.ClientID, UserID: a.UserID, RedirectURI: a.RedirectURI,
		RedirectOmitted: a.RedirectOmitted, Scopes: a.Scopes, Nonce: a.Nonce, CodeChallenge: a.CodeChallenge, ChallengeMethod: a.ChallengeMethod,
		SessionID: a.SessionID, HookParams: a.HookParams, AccessClaims: claims, AuthTime: a.AuthTime, ACR: a.ACR, AMR: a.AMR,
		ExpiresAt: b.Now().Add(client.codeLife()),
	})
	if err != nil {
		return fmt.Errorf("issue code: %w", err)
	}
	b.Audit.Record(ctx, audit.AuthzRequestGrantCreated, issuedFacts(a)...)
	return b.send(c, to, answer)
}

// issuedFacts are the details of a success.
func issuedFacts(a store.Authorization) []audit.Attr {
	facts := []audit.Attr{audit.List("scopes", a.Scopes), audit.Detail("idp", a.Provider)}
	if a.ACR != "" {
		facts = append(facts, audit.Detail("acr", a.ACR))
	}
	if len(a.AMR) > 0 {
		facts = append(facts, audit.List("amr", a.AMR))
	}
	return facts
}

// person returns the user of a transaction, who may have been blocked since the sign-in.
func (b *Browser) person(ctx context.Context, a store.Authorization) (store.Account, error) {
	account, err := b.People.Person(ctx, a.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, journeyUserGone.Because(err).About(audit.Reason("account ended or disabled"))
	}
	if err != nil {
		return store.Account{}, fmt.Errorf("read person: %w", err)
	}
	return account, nil
}
