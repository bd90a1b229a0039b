package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/people"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// passwordLogin is what an identity provider is besides that compares passwords for clients. It takes the same time for users that it
// knows and for others.
type passwordLogin interface {
	// LogIn says who signs in with these. Errors: store.ErrNotFound when nobody does, whatever the reason.
	LogIn(ctx context.Context, p *settings.IdentityProvider, username, password string) (store.Identity, error)
}

// passwordAttempts counts sign-ins by subject; see sqlstore.Store.
type passwordAttempts interface {
	// CountSignIn errors: store.ErrConflict while the subject is refused. It joins the transaction of ctx.
	CountSignIn(ctx context.Context, subject string, now time.Time, forget time.Duration, block func(attempts int) time.Duration) (until time.Time, err error)
	ForgetSignIns(ctx context.Context, subject string) error
}

// mayUsePassword: a web client with that grant, never a public one.
func mayUsePassword(c clientauth.Client) bool {
	return c.Web != nil && !c.Web.Public() && c.Web.Allows(settings.Password)
}

// How the password grant fails. It succeeds with TOKEN_REQUEST_ACCESS_TOKEN_CREATED. Who has no right password gets the
// same answer for every reason, and after five failures no password is looked at for a quarter of an hour.
var (
	passwordMissing = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid, Text: "username or password is missing",
	}
	passwordNoProvider = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.UnableToDetermineIdentityProvider,
		Text: "no identity provider is set up for the client",
	}
	passwordInvalid = outcome.Failure{
		Code: outcome.InvalidGrant, Audit: audit.TokenRequestInvalidGrant, Text: "username or password is not correct",
	}
)

const (
	passwordFailures = 5
	passwordPause    = 15 * time.Minute
	longestUsername  = 256 // bytes
	longestPassword  = 1024
	// forPasswordGrant separates the keyed hashes of user names.
	forPasswordGrant secret.Purpose = "password grant"
)

// password signs a user in with a password that the client has asked for (RFC 6749 §4.3; deprecated).
func (h *Handler) password(ctx context.Context, r *tokenRequest) (token.Issued, error) {
	username, password := r.form["username"], r.form["password"]
	if username == "" || password == "" {
		return token.Issued{}, passwordMissing.About(audit.Detail("grant", "password"))
	}
	scopes, err := resolveScopes(r.client, r.form["scope"])
	if err != nil {
		return token.Issued{}, tokenScopeInvalid.Because(err).About(audit.Detail("scope", r.form["scope"]))
	}
	p := r.settings.IdentityProvider(r.client.Web.IdentityProvider)
	if p == nil || p.Disabled {
		p = defaultProvider(r.settings)
	}
	if p == nil {
		return token.Issued{}, passwordNoProvider.About(audit.Reason("none is enabled"))
	}
	began := h.Now()
	subject := "password:" + hex.EncodeToString(h.Keys.MAC(forPasswordGrant, r.client.ID, store.UsernameKey(username)))
	account, identity, err := h.logIn(ctx, r, p, subject)
	if err != nil {
		return token.Issued{}, err
	}
	audit.Know(ctx, audit.User(account.ID))
	if identity.AuthTime.IsZero() {
		identity.AuthTime = began
	}
	if err := highEnough(r.settings, p, identity, scopes); err != nil {
		return token.Issued{}, err
	}
	var ahead *foresight
	if asksOthers(r.settings, r.client) {
		ahead, err = h.foresee(ctx, r, question{userID: account.ID, scopes: scopes})
		switch {
		case err != nil:
			return token.Issued{}, fmt.Errorf("password grant: %w", err)
		case ahead == nil:
			return token.Issued{}, passwordInvalid.About(audit.Reason("password:account ended or disabled"))
		case ahead.refusal != nil:
			return token.Issued{}, ahead.refusal
		}
		scopes = ahead.scopes
	}
	var issued token.Issued
	err = h.Store.InTx(ctx, func(ctx context.Context) (err error) {
		if err := h.Logins.ForgetSignIns(ctx, subject); err != nil {
			return err
		}
		issued, err = h.admit(ctx, r, account.ID, identity, scopes, ahead)
		return err
	})
	if err != nil {
		return token.Issued{}, fmt.Errorf("password grant: %w", err)
	}
	return issued, nil
}

// logIn counts the attempt, so that parallel guesses cannot outrun the count, and asks the identity provider.
func (h *Handler) logIn(ctx context.Context, r *tokenRequest, p *settings.IdentityProvider, subject string) (store.Account, store.Identity, error) {
	username, password := r.form["username"], r.form["password"]
	refused := func(err error, reason string) error {
		return passwordInvalid.Because(err).About(audit.Detail("idp", p.ID), audit.Reason("password:"+reason), audit.Detail("username_hash", subject[len("password:"):][:16]))
	}
	login, able := h.Providers[p.Type].(passwordLogin)
	if !able {
		return store.Account{}, store.Identity{}, refused(nil, "unsupported idp")
	}
	if len(username) > longestUsername || len(password) > longestPassword {
		username, password = "", "" // nobody's
	}
	err := h.Store.InTx(ctx, func(ctx context.Context) error {
		_, err := h.Logins.CountSignIn(ctx, subject, h.Now(), passwordPause, func(attempts int) time.Duration {
			if attempts < passwordFailures {
				return 0
			}
			return passwordPause
		})
		return err
	})
	switch {
	case errors.Is(err, store.ErrConflict):
		return store.Account{}, store.Identity{}, refused(err, "too many attempts")
	case err != nil:
		return store.Account{}, store.Identity{}, fmt.Errorf("count attempt: %w", err)
	}
	identity, err := login.LogIn(ctx, p, username, password)
	if errors.Is(err, store.ErrNotFound) {
		return store.Account{}, store.Identity{}, refused(err, "invalid credentials")
	}
	if err != nil {
		return store.Account{}, store.Identity{}, fmt.Errorf("log in: %w", err)
	}
	account, err := h.People.Meet(ctx, p, identity)
	switch {
	case errors.Is(err, people.ErrUnusable), errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrRevoked), errors.Is(err, store.ErrNotFound):
		return store.Account{}, store.Identity{}, refused(err, "account ended, disabled or taken")
	case err != nil:
		return store.Account{}, store.Identity{}, fmt.Errorf("log in: %w", err)
	}
	return account, identity, nil
}

// highEnough compares the level of a sign-in with that of the scopes: without a browser nothing can raise it.
func highEnough(s *settings.Snapshot, p *settings.IdentityProvider, id store.Identity, scopes []string) error {
	need := neededLevel(s, scopes)
	have, err := levelOf(store.Authorization{Provider: p.ID, Level: id.Level, ACR: id.ACR, AMR: id.AMR}, s)
	if err != nil {
		return unsupportedLevel(id.Level).Because(err)
	}
	if have < need {
		return tokenLevelLow.About(audit.Count("have", have), audit.Count("need", need), audit.List("scopes", scopes))
	}
	return nil
}

// admit makes the tokens of somebody who has just proved a password, in the transaction of ctx. The account is held: see
// redeem.
func (h *Handler) admit(ctx context.Context, r *tokenRequest, userID string, id store.Identity, scopes []string, ahead *foresight) (token.Issued, error) {
	account, err := h.Accounts.HoldAccount(ctx, userID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && (account.Disabled || id.AuthTime.Before(account.SignInsSince)):
		return token.Issued{}, passwordInvalid.Because(err).About(audit.Reason("password:account ended or disabled"))
	case err != nil:
		return token.Issued{}, err
	}
	g := baseGrant(r.settings, r.client, scopes)
	g.Kind, g.UserID, g.AuthTime, g.AMR = store.DefaultToken, userID, id.AuthTime, id.AMR
	g.ACR = acrOf(store.Authorization{Level: id.Level, ACR: id.ACR, AMR: id.AMR}, r.settings)
	if err := describe(&g, r.settings, account, ahead); err != nil {
		return token.Issued{}, err
	}
	issued, err := h.Tokens.Issue(ctx, g)
	if errors.Is(err, token.ErrIDToken) {
		return token.Issued{}, idTokenFailed.Because(err)
	}
	if err != nil {
		return token.Issued{}, err
	}
	h.Audit.Record(ctx, audit.TokenRequestAccessTokenCreated, audit.Profile(issued.ProfileID), audit.Detail("grant", "password"),
		audit.List("scopes", issued.Scopes), audit.Detail("type", string(g.Kind)))
	return issued, nil
}
