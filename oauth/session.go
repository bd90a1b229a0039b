package oauth

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// The limits of a browser session.
const (
	sessionIdle  = 30 * time.Minute
	sessionLife  = 8 * time.Hour
	sessionTouch = time.Minute // a use moves the end when it is at least this much later
)

const sessionCookie = "ts-session"

// session returns the user who is signed in at this browser, and moves the end of the session.
// Errors: store.ErrNotFound (nobody, ended, not a user any more, or signed in before the password was changed).
func (b *Browser) session(c echo.Context) (store.BrowserSession, error) {
	ctx := c.Request().Context()
	value := b.cookies().Get(c, sessionCookie)
	if value == "" {
		return store.BrowserSession{}, store.ErrNotFound
	}
	found, err := b.Sessions.Session(ctx, b.sessionHash(value))
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExpired) {
		return store.BrowserSession{}, store.ErrNotFound
	}
	if err != nil {
		return store.BrowserSession{}, fmt.Errorf("find session: %w", err)
	}
	p := b.Settings.Current().IdentityProvider(found.Provider)
	if p == nil || p.Disabled || b.Providers[p.Type] == nil {
		return store.BrowserSession{}, store.ErrNotFound
	}
	person, err := b.People.Person(ctx, found.UserID)
	if err != nil {
		return store.BrowserSession{}, fmt.Errorf("find user of session: %w", err)
	}
	if found.AuthTime.Before(person.SignInsSince) {
		return store.BrowserSession{}, store.ErrNotFound
	}
	if ends := earlier(b.Now().Add(sessionIdle), found.EndsAt); ends.Sub(found.ExpiresAt) >= sessionTouch {
		found.ExpiresAt = ends
		if err := b.Sessions.TouchSession(ctx, found); err != nil {
			return store.BrowserSession{}, fmt.Errorf("use session: %w", err)
		}
	}
	return found, nil
}

// openSession remembers at this browser who has just signed in. The value in the cookie is always a new one: whoever
// knew the former gets nothing.
func (b *Browser) openSession(c echo.Context, a store.Authorization, id store.Identity) error {
	ctx := c.Request().Context()
	if former := b.cookies().Get(c, sessionCookie); former != "" {
		if err := b.Sessions.EndSession(ctx, b.sessionHash(former)); err != nil {
			return fmt.Errorf("end former session: %w", err)
		}
	}
	value, now := secret.NewChallenge(), b.Now()
	err := b.Sessions.AddSession(ctx, store.BrowserSession{
		Hash: b.sessionHash(value), ID: a.SessionID, UserID: a.UserID, Provider: a.Provider, AuthTime: a.AuthTime, Level: a.Level,
		ACR: a.ACR, AMR: a.AMR, ProviderSession: id.ProviderSession, ProviderToken: id.ProviderToken,
		CreatedAt: now, ExpiresAt: now.Add(sessionIdle), EndsAt: now.Add(sessionLife),
	})
	if err != nil {
		return fmt.Errorf("open session: %w", err)
	}
	b.cookies().Set(c, sessionCookie, value, 0)
	return nil
}

// newSessionID makes the claim "sid": 128 random bits.
func newSessionID() string {
	const sessionIDBytes = 16
	return base64.RawURLEncoding.EncodeToString(secret.Bytes(sessionIDBytes))
}

func (b *Browser) sessionHash(value string) []byte {
	return b.Keys.MAC(secret.ForCookie, "session", value)
}

func earlier(x, y time.Time) time.Time {
	if y.Before(x) {
		return y
	}
	return x
}
