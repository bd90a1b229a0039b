package oauth

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// codeRedeemer knows what codes stand for; see redisstore.Store.
type codeRedeemer interface {
	// Code returns a code without spending it. Errors: store.ErrNotFound, store.ErrExpired, store.ErrConflict (spent).
	Code(ctx context.Context, hash []byte) (store.AuthorizationCode, error)
	// SpendCode leaves a tombstone.
	SpendCode(ctx context.Context, c store.AuthorizationCode) error
}

// codeMarks decides who redeems a code; see sqlstore.Store.
type codeMarks interface {
	// MarkCodeUsed joins the transaction of ctx. Errors: store.ErrConflict for everybody after the first.
	MarkCodeUsed(ctx context.Context, c store.UsedCode) error
	NameCodeFamily(ctx context.Context, hash []byte, familyID string) error
	// UsedCode returns the mark. Errors: store.ErrNotFound.
	UsedCode(ctx context.Context, hash []byte) (store.UsedCode, error)
}

// How redeeming a code fails. It succeeds with TOKEN_REQUEST_ACCESS_TOKEN_CREATED.
var (
	codeMissing = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid, Text: "code is missing",
	}
	codeInvalid = outcome.Failure{
		Code: outcome.InvalidGrant, Audit: audit.TokenRequestInvalidGrant,
		Text: "the code is unknown, expired or used, or not good for this request",
	}
)

// mayUseCode tells whether a client has the authorization code grant.
func mayUseCode(c clientauth.Client) bool {
	if c.Installation != nil {
		return c.Application.RegistersUsers()
	}
	return c.Web != nil && c.Web.Allows(settings.AuthorizationCode)
}

// authorizationCode redeems a code (RFC 6749 §4.1.3, RFC 7636 §4.5). The mark in SQL decides, in one transaction with
// tokens and event: of several requests one wins. Any further use ends what the first one got (RFC 9700 §2.1.1, §4.5).
func (h *Handler) authorizationCode(ctx context.Context, r *tokenRequest) (token.Issued, error) {
	if r.form["code"] == "" {
		return token.Issued{}, codeMissing.About(audit.Detail("field", "code"), audit.Detail("grant", "authorization_code"))
	}
	hash := h.Keys.MAC(secret.ForCode, r.form["code"])
	code, err := h.Codes.Code(ctx, hash)
	if err != nil {
		return token.Issued{}, h.spentOrUnknown(ctx, hash, err)
	}
	if reason := codeMismatch(code, r); reason != "" {
		return token.Issued{}, codeInvalid.About(audit.Reason(reason))
	}
	audit.Know(ctx, audit.User(code.UserID))
	var ahead *foresight
	if asksOthers(r.settings, r.client) {
		q := question{userID: code.UserID, scopes: code.Scopes, params: code.HookParams, settled: true}
		if ahead, err = h.foresee(ctx, r, q); err != nil {
			return token.Issued{}, fmt.Errorf("redeem code: %w", err)
		}
	}
	var issued token.Issued
	err = h.Store.InTx(ctx, func(ctx context.Context) error {
		issued = token.Issued{}
		var err error
		issued, err = h.redeem(ctx, r, redemption{
			AuthorizationCode: code, ahead: ahead, grant: "authorization_code", again: h.replayed,
			bury: func(ctx context.Context) error { return h.Codes.SpendCode(ctx, code) },
		})
		return err
	})
	if err != nil {
		return token.Issued{}, fmt.Errorf("redeem code: %w", err)
	}
	return issued, nil
}

// codeMismatch says why a code is not good for a request, or "". The code stays good for its own client.
func codeMismatch(code store.AuthorizationCode, r *tokenRequest) string {
	redirect, verifier := r.form["redirect_uri"], r.form["code_verifier"]
	switch {
	case code.ClientID != r.client.ID:
		return "other client"
	case redirect != code.RedirectURI && (redirect != "" || !code.RedirectOmitted):
		return "redirect_uri"
	case code.CodeChallenge == "" && verifier != "":
		return "code_verifier without code_challenge"
	case code.CodeChallenge != "" && verifier == "":
		return "code_verifier missing"
	case code.CodeChallenge != "" && (!goodVerifier(verifier) || !verifies(verifier, code.CodeChallenge, code.ChallengeMethod)):
		return "code_verifier"
	}
	return ""
}

// redemption is something that is good for tokens once.
type redemption struct {
	store.AuthorizationCode
	ahead *foresight                                   // nil when nobody had to be asked
	grant string                                       // of the event
	again func(ctx context.Context, hash []byte) error // the failure of a second use, in the transaction of ctx
	bury  func(ctx context.Context) error              // leaves a tombstone in Redis
}

// redeem is the transaction: account, mark, profile, tokens, event. The account is held: who disables it or changes its
// password comes first, and the code is worth nothing, or afterwards, and finds the tokens to end.
func (h *Handler) redeem(ctx context.Context, r *tokenRequest, code redemption) (token.Issued, error) {
	account, err := h.Accounts.HoldAccount(ctx, code.UserID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && account.Disabled:
		return token.Issued{}, codeInvalid.Because(err).About(audit.Reason("account ended or disabled"))
	case err != nil:
		return token.Issued{}, err
	case code.AuthTime.Before(account.SignInsSince):
		return token.Issued{}, codeInvalid.About(audit.Reason("signed in before the password was changed"))
	case h.Tokens.Revocations.SignedOut(code.SessionID): // the client was told of the logout before it had anything to end
		return token.Issued{}, codeInvalid.About(audit.Reason("signed out meanwhile"))
	}
	scopes := code.Scopes
	if ahead := code.ahead; ahead != nil {
		if ahead.refusal != nil { // the code stays good: the trouble may pass
			return token.Issued{}, ahead.refusal
		}
		scopes = ahead.scopes
	}
	err = h.Marks.MarkCodeUsed(ctx, store.UsedCode{Hash: code.Hash, ClientID: code.ClientID, UserID: code.UserID, UsedAt: h.Now()})
	if errors.Is(err, store.ErrConflict) {
		return token.Issued{}, code.again(ctx, code.Hash)
	}
	if err != nil {
		return token.Issued{}, err
	}
	store.AfterCommit(ctx, func(ctx context.Context) {
		// Redis only remembers what SQL has decided: without the tombstone a second use fails on the mark.
		if err := code.bury(ctx); err != nil {
			h.Log.WarnContext(ctx, "code not buried", "error", err)
		}
	})
	g := baseGrant(r.settings, r.client, scopes)
	if r.client.Installation != nil {
		g.ProfileID = r.form["profile_id"]
		if err := h.enter(ctx, r.client, g.ProfileID, code.UserID); err != nil {
			var failure outcome.Failure
			if errors.As(err, &failure) { // the code is spent all the same
				return token.Issued{}, store.Keep(failure.Recorded(ctx, h.Audit))
			}
			return token.Issued{}, err
		}
	}
	g.Kind, g.UserID, g.CodeHash = store.DefaultToken, code.UserID, code.Hash
	g.AuthTime, g.ACR, g.AMR, g.Nonce, g.AccessClaims = code.AuthTime, code.ACR, code.AMR, code.Nonce, code.AccessClaims
	g.SessionID, g.HookParams = code.SessionID, code.HookParams
	if err := describe(&g, r.settings, account, code.ahead); err != nil {
		return token.Issued{}, err
	}
	issued, err := h.Tokens.Issue(ctx, g)
	if errors.Is(err, token.ErrIDToken) {
		return token.Issued{}, store.Keep(noIDToken(err).Recorded(ctx, h.Audit))
	}
	if err != nil {
		return token.Issued{}, err
	}
	if err := h.Marks.NameCodeFamily(ctx, code.Hash, issued.FamilyID); err != nil {
		return token.Issued{}, err
	}
	h.Audit.Record(ctx, audit.TokenRequestAccessTokenCreated, audit.Profile(g.ProfileID), audit.Detail("grant", code.grant),
		audit.List("scopes", issued.Scopes), audit.Detail("type", string(g.Kind)))
	return issued, nil
}

// spentOrUnknown tells a used code, which is a replay, from one that never was: Redis may have forgotten, SQL has not.
func (h *Handler) spentOrUnknown(ctx context.Context, hash []byte, cause error) error {
	if !errors.Is(cause, store.ErrNotFound) && !errors.Is(cause, store.ErrExpired) && !errors.Is(cause, store.ErrConflict) {
		return fmt.Errorf("find code: %w", cause)
	}
	_, err := h.Marks.UsedCode(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		reason := "unknown"
		if errors.Is(cause, store.ErrExpired) {
			reason = "expired"
		}
		return codeInvalid.Because(cause).About(audit.Reason(reason))
	}
	if err != nil {
		return fmt.Errorf("find code: %w", err)
	}
	return h.Store.InTx(ctx, func(ctx context.Context) error { return h.replayed(ctx, hash) })
}

// replayed ends everything that came from a code, in the transaction of ctx, and returns the failure.
func (h *Handler) replayed(ctx context.Context, hash []byte) error {
	used, err := h.Marks.UsedCode(ctx, hash)
	if err != nil {
		return fmt.Errorf("replayed code: %w", err)
	}
	if used.FamilyID != "" {
		if _, err := h.Tokens.RevokeFamily(ctx, used.FamilyID); err != nil {
			return fmt.Errorf("replayed code: %w", err)
		}
	}
	return store.Keep(codeInvalid.About(audit.User(used.UserID), audit.Reason("replay")).Recorded(ctx, h.Audit))
}
