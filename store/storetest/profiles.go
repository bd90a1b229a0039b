package storetest

import (
	"context"
	"testing"
	"time"

	"tokenserver/store"
)

// Profiles is the part of a store that keeps the users of installations.
type Profiles interface {
	AddProfile(ctx context.Context, p store.Profile) error
	Profile(ctx context.Context, clientID, profileID string) (store.Profile, error)
	ProfileOfUser(ctx context.Context, clientID, userID string) (store.Profile, error)
	LockProfile(ctx context.Context, clientID, profileID string) (store.Profile, error)
	ProfilesOf(ctx context.Context, clientID string) ([]store.Profile, error)
	ProfilesOfUser(ctx context.Context, userID string) ([]store.Profile, error)
	TouchProfile(ctx context.Context, clientID, profileID string, lastLogin time.Time) error
	DeleteProfile(ctx context.Context, clientID, profileID string) error
	RaisePINFailures(ctx context.Context, clientID, profileID string, limit int) (int, error)
	LowerPINFailures(ctx context.Context, clientID, profileID string) error
	ResetPINFailures(ctx context.Context, clientID, profileID string) error
}

// TestProfiles checks profiles and the counter of wrong PINs.
func TestProfiles(t *testing.T, s Installations) {
	must(t, s.AddInstallation(t.Context(), installation("profiles")))
	t.Run("round trip", func(t *testing.T) { roundTripProfile(t, s) })
	t.Run("one for each user", func(t *testing.T) { uniqueProfiles(t, s) })
	t.Run("PIN failures", func(t *testing.T) { pinFailures(t, s) })
	t.Run("PIN failures at once", func(t *testing.T) { racePINFailures(t, s) })
}

func profile(profileID, userID string) store.Profile {
	return store.Profile{ClientID: "profiles", ProfileID: profileID, UserID: userID, CreatedAt: kept, LastLogin: kept}
}

func roundTripProfile(t *testing.T, s Installations) {
	ctx := t.Context()
	first, second := profile("AB12CD", "anna"), profile("ab12cd", "bert")
	second.CreatedAt = kept.Add(time.Second)
	stored := first
	stored.CreatedAt, stored.LastLogin = moment, moment
	must(t, s.AddProfile(ctx, stored))
	must(t, s.AddProfile(ctx, second))

	got, err := s.Profile(ctx, "profiles", "AB12CD")
	must(t, err)
	same(t, got, first)
	got, err = s.ProfileOfUser(ctx, "profiles", "bert")
	must(t, err)
	same(t, got, second)
	list, err := s.ProfilesOf(ctx, "profiles")
	must(t, err)
	same(t, list, []store.Profile{first, second})
	list, err = s.ProfilesOfUser(ctx, "anna")
	must(t, err)
	same(t, list, []store.Profile{first})

	must(t, s.TouchProfile(ctx, "profiles", "AB12CD", kept.Add(time.Hour)))
	first.LastLogin = kept.Add(time.Hour)
	must(t, s.InTx(ctx, func(ctx context.Context) error {
		got, err = s.LockProfile(ctx, "profiles", "AB12CD")
		return err
	}))
	same(t, got, first)

	must(t, s.DeleteProfile(ctx, "profiles", "AB12CD"))
	wantErr(t, s.DeleteProfile(ctx, "profiles", "AB12CD"), store.ErrNotFound)
	wantErr(t, s.TouchProfile(ctx, "profiles", "AB12CD", kept), store.ErrNotFound)
	_, err = s.Profile(ctx, "profiles", "AB12CD")
	wantErr(t, err, store.ErrNotFound)
}

func uniqueProfiles(t *testing.T, s Installations) {
	ctx := t.Context()
	must(t, s.AddProfile(ctx, profile("UNIQ01", "carl")))
	wantErr(t, s.AddProfile(ctx, profile("UNIQ01", "dora")), store.ErrConflict)
	wantErr(t, s.AddProfile(ctx, profile("UNIQ02", "carl")), store.ErrConflict)
	stray := profile("UNIQ03", "carl")
	stray.ClientID = "nobody"
	wantErr(t, s.AddProfile(ctx, stray), store.ErrNotFound)
}

func pinFailures(t *testing.T, s Installations) {
	ctx := t.Context()
	must(t, s.AddProfile(ctx, profile("PIN001", "erik")))
	raise := func(limit, want int) {
		t.Helper()
		got, err := s.RaisePINFailures(ctx, "profiles", "PIN001", limit)
		must(t, err)
		if got != want {
			t.Fatalf("%d failures, want %d", got, want)
		}
	}
	raise(2, 1)
	raise(2, 2)
	_, err := s.RaisePINFailures(ctx, "profiles", "PIN001", 2)
	wantErr(t, err, store.ErrConflict)
	raise(0, 3) // unlimited
	must(t, s.LowerPINFailures(ctx, "profiles", "PIN001"))
	raise(5, 3)
	must(t, s.ResetPINFailures(ctx, "profiles", "PIN001"))
	must(t, s.LowerPINFailures(ctx, "profiles", "PIN001")) // never below 0
	raise(5, 1)

	_, err = s.RaisePINFailures(ctx, "profiles", "NOBODY", 3)
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, s.LowerPINFailures(ctx, "profiles", "NOBODY"), store.ErrNotFound)
	wantErr(t, s.ResetPINFailures(ctx, "profiles", "NOBODY"), store.ErrNotFound)
}

func racePINFailures(t *testing.T, s Installations) {
	must(t, s.AddProfile(t.Context(), profile("PIN002", "fred")))
	const limit = 3
	counted := race(t, func(int) error {
		return s.InTx(t.Context(), func(ctx context.Context) error {
			_, err := s.RaisePINFailures(ctx, "profiles", "PIN002", limit)
			return err
		})
	})
	if counted != limit {
		t.Fatalf("%d wrong PINs were counted, want %d", counted, limit)
	}
}
