package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/internal/sessions"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

const sessionCookie = "ts-session"

// session returns the user who is signed in at this browser, and moves the end of the session.
// Errors: store.ErrNotFound (nobody, ended, not a user any more, or signed in before the password was changed).
func (b *Browser) session(c echo.Context) (store.BrowserSession, error) {
	found, err := b.anySession(c)
	if err != nil {
		return store.BrowserSession{}, err
	}
	p := b.Settings.Current().IdentityProvider(found.Provider)
	if p == nil || p.Disabled || b.Providers[p.Type] == nil {
		return store.BrowserSession{}, store.ErrNotFound
	}
	if err := b.checkSessionUser(c, found); err != nil {
		return store.BrowserSession{}, err
	}
	used, moved, err := b.Sessions.Use(c.Request().Context(), found)
	if err != nil {
		return store.BrowserSession{}, fmt.Errorf("session of browser: %w", err)
	}
	if moved {
		b.showBrowserState(c, used)
	}
	return used, nil
}

// checkSessionUser tells whether the user of a session may still be signed in. Errors: store.ErrNotFound.
func (b *Browser) checkSessionUser(c echo.Context, s store.BrowserSession) error {
	person, err := b.People.Person(c.Request().Context(), s.UserID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && s.AuthTime.Before(person.SignInsSince):
		b.forgetSession(c)
		return store.ErrNotFound
	case err != nil:
		return fmt.Errorf("find user of session: %w", err)
	}
	return nil
}

// anySession is session without a look at its user and provider, and without moving its end: what is about to end needs
// neither.
func (b *Browser) anySession(c echo.Context) (store.BrowserSession, error) {
	value := b.cookies().Get(c, sessionCookie)
	if value == "" {
		return store.BrowserSession{}, store.ErrNotFound
	}
	found, err := b.Sessions.Find(c.Request().Context(), b.sessionHash(value))
	switch {
	case errors.Is(err, store.ErrNotFound):
		b.forgetSession(c)
		return store.BrowserSession{}, store.ErrNotFound
	case err != nil:
		return store.BrowserSession{}, fmt.Errorf("session of browser: %w", err)
	}
	return found, nil
}

// forgetSession makes the browser know that its session has ended.
func (b *Browser) forgetSession(c echo.Context) {
	b.cookies().Delete(c, sessionCookie)
	b.newBrowserState(c)
}

// namer is an identity provider that names its user in every request, such as a proxy in front of this server.
type namer interface {
	// Names tells whether a request comes from the person whom the provider knows by that id.
	Names(r *http.Request, p *settings.IdentityProvider, externalID string) bool
}

// isNamed tells whether the user of a session still sits at the browser, as far as the provider says so unasked: whoever
// signs out at the proxy leaves the cookie of our session behind for the next one.
func (b *Browser) isNamed(c echo.Context, p *settings.IdentityProvider, s store.BrowserSession) (bool, error) {
	provider, names := b.Providers[p.Type].(namer)
	if !names {
		return true, nil
	}
	person, err := b.People.Person(c.Request().Context(), s.UserID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("find user of session: %w", err)
	}
	return provider.Names(c.Request(), p, externalID(person)), nil
}

// sessionIDFor returns the session in which a user is from now on: that of the browser, if it is theirs already.
func sessionIDFor(former store.BrowserSession, userID string, fresh func() string) string {
	if former.UserID == userID && former.ID != "" {
		return former.ID
	}
	return fresh()
}

// openSession remembers at this browser who has just signed in. The value in the cookie is always a new one: whoever
// knew the former gets nothing. A session of somebody else ends.
func (b *Browser) openSession(c echo.Context, a store.Authorization, id store.Identity, former store.BrowserSession) error {
	ctx := c.Request().Context()
	goesOn := &former
	if former.ID != a.SessionID {
		goesOn = nil
		if former.ID != "" {
			if err := b.replaceSession(ctx, former); err != nil {
				return err
			}
		}
	}
	value := secret.NewChallenge()
	opened, err := b.Sessions.Open(ctx, store.BrowserSession{
		Hash: b.sessionHash(value), ID: a.SessionID, UserID: a.UserID, Provider: a.Provider, AuthTime: a.AuthTime, Level: a.Level,
		ACR: a.ACR, AMR: a.AMR, ProviderSession: id.ProviderSession, ProviderToken: id.ProviderToken, BrowserState: secret.NewChallenge(),
		UserAgent: clipped(c.Request().UserAgent(), 256), ClientIP: audit.ClientIP(ctx),
	}, goesOn)
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	b.cookies().Set(c, sessionCookie, value, 0)
	b.showBrowserState(c, opened)
	return nil
}

// replaceSession ends the session of whoever was signed in at this browser before.
func (b *Browser) replaceSession(ctx context.Context, former store.BrowserSession) error {
	err := b.Store.InTx(ctx, func(ctx context.Context) error {
		b.Audit.Record(ctx, audit.SessionTerminationUserSessionTerminated, audit.User(former.UserID), audit.Reason("another user signed in"))
		_, err := b.Sessions.End(ctx, former, sessions.TokensAsClients)
		return err
	})
	if err != nil {
		return fmt.Errorf("end former session: %w", err)
	}
	return nil
}

// tellSession notes in the browser's session that a client gets an answer, and adds session_state to the answer to an
// OpenID request (OpenID Connect Session Management 1.0 §2). A session that has ended meanwhile is told nothing.
func (b *Browser) tellSession(c echo.Context, a store.Authorization, answer url.Values) error {
	if a.SessionID == "" {
		return nil
	}
	found, err := b.anySession(c)
	if err == nil && found.ID == a.SessionID {
		err = b.Sessions.Join(c.Request().Context(), found, a.ClientID)
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("tell session: %w", err)
	}
	if origin := webOrigin(a.RedirectURI); origin != "" && found.ID == a.SessionID && slices.Contains(a.Scopes, scopeOpenID) {
		answer.Set("session_state", sessionState(a.ClientID, origin, found.BrowserState, secret.NewChallenge()))
	}
	return nil
}

func (b *Browser) sessionHash(value string) []byte {
	return b.Keys.MAC(secret.ForCookie, "session", value)
}
