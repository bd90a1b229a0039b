package idp

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

// LogIn compares a password of a built-in account for a client of the token endpoint, which has counted the attempt. It
// takes the same time for a name that nobody has. Errors: store.ErrNotFound when the name or the password is wrong.
func (a *Accounts) LogIn(ctx context.Context, _ *settings.IdentityProvider, username, password string) (store.Identity, error) {
	person, err := a.People.AccountByUsername(ctx, username)
	unknown := errors.Is(err, store.ErrNotFound)
	if err != nil && !unknown {
		return store.Identity{}, fmt.Errorf("find account: %w", err)
	}
	right, err := a.Passwords.Verify(ctx, person.PasswordHash, password)
	if err != nil {
		return store.Identity{}, fmt.Errorf("verify password: %w", err)
	}
	if unknown || !right {
		return store.Identity{}, fmt.Errorf("log in: %w", store.ErrNotFound)
	}
	return store.Identity{UserID: person.ID, AMR: []string{"pwd"}}, nil
}
