package oauth

import (
	"errors"
	"fmt"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

// Waiting returns the transaction for which this browser is to sign in, and what its pages call the client. Identity
// providers call it. Errors: store.ErrNotFound, store.ErrExpired, store.ErrRevoked (another browser's),
// store.ErrConflict (the user is known already: go on at GoOnURL).
func (b *Browser) Waiting(c echo.Context, transactionID string) (a store.Authorization, clientName string, err error) {
	if a, err = b.journey(c, transactionID); err != nil {
		return store.Authorization{}, "", err
	}
	if a.State != store.AtProvider {
		return a, "", store.ErrConflict
	}
	return a, nameOfClient(b.Settings.Current(), a), nil
}

// Identified takes the answer of an identity provider: who sits at the browser, and how they proved it. It opens the
// browser's session. Of several answers to one transaction one counts; the others get store.ErrConflict.
func (b *Browser) Identified(c echo.Context, a store.Authorization, userID string, methods []string) error {
	next := a
	next.State, next.UserID, next.AuthTime, next.AMR = store.Identified, userID, b.Now(), methods
	next, err := b.Authorizations.MoveAuthorization(c.Request().Context(), a, next)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.ErrConflict
	case err != nil:
		return fmt.Errorf("identify user: %w", err)
	}
	return b.openSession(c, next)
}

// GoOnURL returns where the browser goes once the user is known.
func (b *Browser) GoOnURL(transactionID string) string { return b.at(continuePath, transactionID) }

// nameOfClient is what pages call the client of a transaction.
func nameOfClient(s *settings.Snapshot, a store.Authorization) string {
	if w := s.WebClient(a.ClientID); w != nil && w.Name != "" {
		return w.Name
	}
	if app := s.Application(a.Application); app != nil && app.Name != "" {
		return app.Name
	}
	if a.Application != "" {
		return a.Application
	}
	return a.ClientID
}
