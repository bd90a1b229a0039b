package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/store"
)

// PINCheck is the part of a store that counts wrong PINs and finds what to compare with.
type PINCheck interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	AddInstallation(ctx context.Context, i store.Installation) error
	AddProfile(ctx context.Context, p store.Profile) error
	Profile(ctx context.Context, clientID, profileID string) (store.Profile, error)
	AddFamily(ctx context.Context, f store.TokenFamily) error
	DeleteFamilies(ctx context.Context, which store.FamilyFilter) ([]string, error)
	PutAccount(ctx context.Context, a store.Account) error
	RaiseForFamily(ctx context.Context, clientID, profileID string, limit int) (int, store.TokenFamily, error)
}

// TestRaiseForFamily checks that a failure is counted exactly when there is a family to compare with and a try left.
func TestRaiseForFamily(t *testing.T, s PINCheck) {
	family := AddRaisable(t, s, "raise")
	raise := func(failures int, want error) {
		t.Helper()
		got, f, err := s.RaiseForFamily(t.Context(), "raise", "RAISE1", 3)
		if want != nil {
			wantErr(t, err, want)
			return
		}
		must(t, err)
		same(t, f, family)
		if got != failures {
			t.Errorf("%d failures, want %d", got, failures)
		}
	}
	stored := func(want int) {
		t.Helper()
		p, err := s.Profile(t.Context(), "raise", "RAISE1")
		must(t, err)
		if p.PINFailures != want {
			t.Errorf("%d failures are stored, want %d", p.PINFailures, want)
		}
	}
	raise(1, nil)
	must(t, s.PutAccount(t.Context(), store.Account{ID: "rae", Username: "rae", Disabled: true}))
	family.UserGone, family.UserDetails, family.Username = true, nil, ""
	raise(2, nil)
	counted := race(t, func(int) error {
		return s.InTx(t.Context(), func(ctx context.Context) error {
			_, _, err := s.RaiseForFamily(ctx, "raise", "RAISE1", 3)
			if errors.Is(err, store.ErrNotFound) {
				return store.ErrConflict
			}
			return err
		})
	})
	if counted != 1 {
		t.Errorf("%d callers had the last try", counted)
	}
	raise(0, store.ErrNotFound)
	stored(3)
	_, err := s.DeleteFamilies(t.Context(), store.FamilyFilter{ID: family.ID})
	must(t, err)
	_, _, err = s.RaiseForFamily(t.Context(), "raise", "RAISE1", 0)
	wantErr(t, err, store.ErrNotFound)
	stored(3)
	_, _, err = s.RaiseForFamily(t.Context(), "raise", "NOBODY", 0)
	wantErr(t, err, store.ErrNotFound)
}

// AddRaisable adds an installation of that id with the user rae on the profile RAISE1, and returns their family.
func AddRaisable(t *testing.T, s PINCheck, clientID string) store.TokenFamily {
	t.Helper()
	ctx := t.Context()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	must(t, s.PutAccount(ctx, store.Account{ID: "rae", Username: "rae", Attributes: store.Attributes{"name": "Rae"}}))
	must(t, s.AddInstallation(ctx, store.Installation{ClientID: clientID, RegistrationID: clientID, Application: "bank", Platform: "ios"}))
	must(t, s.AddProfile(ctx, store.Profile{ClientID: clientID, ProfileID: "RAISE1", UserID: "rae"}))
	f := store.TokenFamily{
		ID: "family of " + clientID, ClientID: clientID, ProfileID: "RAISE1", UserID: "rae", Kind: store.DefaultToken,
		Nonce: []byte{1}, CurrentHash: []byte("hash of " + clientID), RotatedAt: now, CreatedAt: now,
	}
	must(t, s.AddFamily(ctx, f))
	f.UserDetails, f.Username = []byte(`{"name":"Rae"}`), "rae"
	return f
}
