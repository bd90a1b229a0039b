package idp

import (
	"context"
	"fmt"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// Passwords verifies passwords, a few at a time: each costs 19 MiB and tens of milliseconds of a core, and a flood of
// sign-ins must not take the machine from everybody else.
type Passwords struct {
	slots chan struct{}
}

// NewPasswords returns a verifier that works on so many passwords at once; at least one.
func NewPasswords(atOnce int) *Passwords {
	return &Passwords{slots: make(chan struct{}, max(atOnce, 1))}
}

// Verify compares a password with a hash. An empty hash, of an unknown user, costs the same and never matches.
// Errors: store.ErrUnavailable when the caller gives up before its turn.
func (p *Passwords) Verify(ctx context.Context, hash, password string) (bool, error) {
	select {
	case p.slots <- struct{}{}:
		defer func() { <-p.slots }()
	case <-ctx.Done():
		return false, fmt.Errorf("wait for a turn: %w: %w", store.ErrUnavailable, ctx.Err())
	}
	return secret.VerifyPassword(hash, password)
}
