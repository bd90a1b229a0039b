package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/hooks"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// How the implicit grant fails at its end. It succeeds with AUTHZ_REQUEST_TOKEN_CREATED.
var (
	implicitIDToken = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.AuthorizationFailedUnableToGenerateIDToken, Text: "no ID token could be made",
	}
	implicitNoOpenID = outcome.Failure{
		Code: outcome.InvalidScope, Audit: audit.AuthzRequestScopeInvalid, Text: "the scope openid is not left for the user",
	}
)

// issueTokens answers with tokens: the implicit grant (RFC 6749 §4.2, OpenID Connect Core §3.2). There is never a refresh
// token. Account, tokens and event are one transaction.
func (b *Browser) issueTokens(c echo.Context, a store.Authorization, s *settings.Snapshot, client requester, to reply, person store.Account, claims map[string]any) error {
	ctx := c.Request().Context()
	kind := responseType(a.ResponseType)
	g := baseGrant(s, client.Client, a.Scopes)
	g.Refresh, g.Kind, g.UserID, g.SessionID = false, store.DefaultToken, a.UserID, a.SessionID
	g.AuthTime, g.ACR, g.AMR, g.Nonce, g.AccessClaims = a.AuthTime, a.ACR, a.AMR, a.Nonce, claims
	if g.IDToken = kind.idToken(); g.IDToken && !slices.Contains(a.Scopes, scopeOpenID) { // the hook has taken it away
		return implicitNoOpenID.About(audit.Reason("hook removed openid"), audit.List("scopes", a.Scopes))
	}
	var err error
	if g.IDToken {
		if g.Claims, err = b.userClaims(ctx, a, s, client, person); err != nil {
			return err
		}
	}
	if g.IDToken {
		b.Tokens.Ready(ctx, g.Encryption)
	}
	if g.UserDetails, err = json.Marshal(person.Attributes); err != nil {
		return fmt.Errorf("encode attributes: %w", err)
	}
	var issued token.Issued
	err = b.Store.InTx(ctx, func(ctx context.Context) error {
		if err := b.hold(ctx, a); err != nil {
			return err
		}
		var err error
		if kind.token() {
			issued, err = b.Tokens.Issue(ctx, g)
		} else {
			issued = token.Issued{Scopes: g.Scopes}
			issued.IDToken, err = b.Tokens.IDTokenAlone(ctx, g)
		}
		if err != nil {
			return err
		}
		b.Audit.Record(ctx, audit.AuthzRequestTokenCreated, append(issuedFacts(a), audit.Detail("response_type", a.ResponseType))...)
		return nil
	})
	switch {
	case errors.Is(err, token.ErrIDToken):
		return implicitIDToken.Because(err).About(audit.Reason(token.IDTokenReason(err)))
	case err != nil:
		return fmt.Errorf("issue tokens: %w", err)
	}
	answer := implicitAnswer(issued)
	if err := b.tellSession(c, a, answer); err != nil {
		return err
	}
	return b.send(c, to, answer)
}

// implicitAnswer is the authorization response (RFC 6749 §4.2.2).
func implicitAnswer(i token.Issued) url.Values {
	answer := url.Values{}
	if i.AccessToken != "" {
		answer.Set("access_token", i.AccessToken)
		answer.Set("token_type", "bearer")
		answer.Set("expires_in", strconv.Itoa(i.ExpiresIn))
		answer.Set("scope", strings.Join(i.Scopes, " "))
	}
	if i.IDToken != "" {
		answer.Set("id_token", i.IDToken)
	}
	return answer
}

// hold keeps the account as it is until the transaction of ctx ends: who disables it or changes its password comes first,
// and there are no tokens, or afterwards, and finds them.
func (b *Browser) hold(ctx context.Context, a store.Authorization) error {
	account, err := b.Accounts.HoldAccount(ctx, a.UserID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && account.Disabled:
		return journeyUserGone.Because(err).About(audit.Reason("account ended or disabled"))
	case err != nil:
		return fmt.Errorf("hold account: %w", err)
	case a.AuthTime.Before(account.SignInsSince):
		return journeyUserGone.About(audit.Reason("signed in before the password was changed"))
	}
	return nil
}

// userClaims are the claims of an ID token about a person: what the scopes carry, as the client's hook changes it.
func (b *Browser) userClaims(ctx context.Context, a store.Authorization, s *settings.Snapshot, client requester, person store.Account) (map[string]any, error) {
	claims, err := b.Hooks.CustomizeUser(ctx, client.hook(s, settings.CustomizeUser), hooks.UserQuestion{
		UserID: a.UserID, Scopes: a.Scopes, Claims: claimsOf(s, person, a.Scopes), Params: a.HookParams,
	})
	var failure hooks.Failure
	if errors.As(err, &failure) {
		return nil, implicitIDToken.Because(err).About(failure.Attrs()...)
	}
	if err != nil {
		return nil, fmt.Errorf("customise user details: %w", err)
	}
	return claims, nil
}
