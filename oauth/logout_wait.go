package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

// logoutLife is how long a logout waits for the user or for the identity provider.
const logoutLife = 10 * time.Minute

// logouts keeps logouts that wait; see redisstore.Store.
type logouts interface {
	PutLogout(ctx context.Context, l store.Logout) error
	// Logout errors: store.ErrNotFound.
	Logout(ctx context.Context, id string) (store.Logout, error)
	// TakeLogout removes it: of several callers one gets it. Errors: store.ErrNotFound.
	TakeLogout(ctx context.Context, id string) (store.Logout, error)
}

// logoutCookie names the cookie that binds a logout to its browser.
func logoutCookie(id string) string { return "ts-logout-" + id }

// bindLogout gives a new logout an id and binds it to this browser.
func (b *Browser) bindLogout(c echo.Context, l store.Logout) store.Logout {
	const idBytes = 16
	if l.ID == "" {
		l.ID, l.ExpiresAt = base64.RawURLEncoding.EncodeToString(secret.Bytes(idBytes)), b.Now().Add(logoutLife)
		binding := secret.NewChallenge()
		l.Browser = b.Keys.MAC(secret.ForCookie, "logout", l.ID, binding)
		b.cookies().Set(c, logoutCookie(l.ID), binding, logoutLife)
	}
	return l
}

// keepLogout stores a logout of this browser.
func (b *Browser) keepLogout(c echo.Context, l store.Logout) (store.Logout, error) {
	l = b.bindLogout(c, l)
	if err := b.Logouts.PutLogout(c.Request().Context(), l); err != nil {
		return l, fmt.Errorf("keep logout: %w", err)
	}
	return l, nil
}

// waitingLogout returns a logout, if it is this browser's.
// Errors: store.ErrNotFound, store.ErrRevoked (another browser's).
func (b *Browser) waitingLogout(c echo.Context, id string) (store.Logout, error) {
	if id == "" || len(id) > 64 || !scopeToken(id) {
		return store.Logout{}, store.ErrNotFound
	}
	l, err := b.Logouts.Logout(c.Request().Context(), id)
	if err != nil {
		return store.Logout{}, fmt.Errorf("read logout: %w", err)
	}
	binding := b.cookies().Get(c, logoutCookie(id))
	if binding == "" || !b.Keys.Equal(secret.ForCookie, l.Browser, "logout", id, binding) {
		return store.Logout{}, store.ErrRevoked
	}
	audit.Admit(c.Request().Context())
	b.dressLogout(c, l)
	return l, nil
}

// dressLogout puts the client of a logout into the events, and gives the pages its look.
func (b *Browser) dressLogout(c echo.Context, l store.Logout) {
	s := b.Settings.Current()
	wear(c, s, s.WebClient(l.ClientID), nil)
	if l.ClientID != "" {
		audit.Know(c.Request().Context(), audit.Client(l.ClientID))
	}
}

// takeLogout is waitingLogout, for the one request that goes on with it.
func (b *Browser) takeLogout(c echo.Context, id string) (store.Logout, error) {
	if _, err := b.waitingLogout(c, id); err != nil {
		return store.Logout{}, err
	}
	l, err := b.Logouts.TakeLogout(c.Request().Context(), id)
	if errors.Is(err, store.ErrNotFound) {
		return store.Logout{}, store.ErrConflict
	}
	if err != nil {
		return store.Logout{}, fmt.Errorf("take logout: %w", err)
	}
	b.cookies().Delete(c, logoutCookie(id))
	l.ID = "" // whoever keeps it again makes it a new one
	return l, nil
}
