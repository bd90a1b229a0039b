package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/store"
)

// RegistrationChallenges is the part of a store that keeps registrations in flight.
type RegistrationChallenges interface {
	AddRegistrationChallenge(ctx context.Context, c store.RegistrationChallenge) error
	TakeRegistrationChallenge(ctx context.Context, identifier string) (store.RegistrationChallenge, error)
}

// TestRegistrationChallenges checks that a challenge is taken once and not after its time. now is the store's clock,
// advance moves it without moving Redis: the record must carry its own expiry.
func TestRegistrationChallenges(t *testing.T, s RegistrationChallenges, now func() time.Time, advance func(time.Duration)) {
	ctx := t.Context()
	challenge := store.RegistrationChallenge{
		Identifier: "0123456789abcdef0123456789abcdef", Challenge: "c", Purpose: store.ForUpgrade, ClientID: "C1",
		Application: "bank", Platform: "ios", Version: "1.0 \u2013 é", APIVersion: 1,
		ExpiresAt: now().Add(300 * time.Second).UTC().Truncate(time.Millisecond),
	}
	t.Run("round trip", func(t *testing.T) {
		must(t, s.AddRegistrationChallenge(ctx, challenge))
		got, err := s.TakeRegistrationChallenge(ctx, challenge.Identifier)
		must(t, err)
		same(t, got, challenge)
		_, err = s.TakeRegistrationChallenge(ctx, challenge.Identifier)
		wantErr(t, err, store.ErrNotFound)
	})
	t.Run("one winner", func(t *testing.T) {
		must(t, s.AddRegistrationChallenge(ctx, challenge))
		won := race(t, func(int) error {
			_, err := s.TakeRegistrationChallenge(ctx, challenge.Identifier)
			if errors.Is(err, store.ErrNotFound) {
				return store.ErrConflict
			}
			return err
		})
		if won != 1 {
			t.Fatalf("%d callers took one challenge, want 1", won)
		}
	})
	t.Run("own expiry", func(t *testing.T) {
		must(t, s.AddRegistrationChallenge(ctx, challenge))
		advance(301 * time.Second)
		_, err := s.TakeRegistrationChallenge(ctx, challenge.Identifier)
		wantErr(t, err, store.ErrExpired)
		_, err = s.TakeRegistrationChallenge(ctx, challenge.Identifier)
		wantErr(t, err, store.ErrNotFound)
	})
}
