package storetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"tokenserver/store"
)

// Settings is the part of a store that keeps the settings.
type Settings interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	SettingsVersion(ctx context.Context) (int64, error)
	LockSettings(ctx context.Context) (int64, error)
	Settings(ctx context.Context) ([]store.Setting, error)
	WriteSettings(ctx context.Context, put, remove []store.Setting) (int64, error)
}

// TestSettings checks order, replacement, removal and the version, and that writers come one after the other.
func TestSettings(t *testing.T, s Settings) {
	write := func(put, remove []store.Setting) (version int64) {
		must(t, s.InTx(t.Context(), func(ctx context.Context) (err error) {
			if _, err = s.LockSettings(ctx); err != nil {
				return err
			}
			version, err = s.WriteSettings(ctx, put, remove)
			return err
		}))
		return version
	}
	version, err := s.SettingsVersion(t.Context())
	must(t, err)
	same(t, version, int64(0))

	scope := func(name string, position int, body string) store.Setting {
		return store.Setting{Kind: "scope", Name: name, Position: position, Body: []byte(body)}
	}
	feature := store.Setting{Kind: "features", Body: []byte(`{"é":"\u0000?"}`)}
	same(t, write([]store.Setting{scope("b", 0, "{}"), scope("a", 1, "{}"), feature}, nil), int64(1))
	got, err := s.Settings(t.Context())
	must(t, err)
	same(t, got, []store.Setting{feature, scope("b", 0, "{}"), scope("a", 1, "{}")})

	same(t, write([]store.Setting{scope("a", 0, `{"x":1}`)}, []store.Setting{{Kind: "scope", Name: "b"}, {Kind: "scope", Name: "none"}}), int64(2))
	got, err = s.Settings(t.Context())
	must(t, err)
	same(t, got, []store.Setting{feature, scope("a", 0, `{"x":1}`)})

	undone := errors.New("undone")
	err = s.InTx(t.Context(), func(ctx context.Context) error {
		_, err := s.WriteSettings(ctx, []store.Setting{scope("c", 1, "{}")}, nil)
		return errors.Join(err, undone)
	})
	if !errors.Is(err, undone) {
		t.Fatalf("rolled back: %v", err)
	}
	version, err = s.SettingsVersion(t.Context())
	must(t, err)
	same(t, version, int64(2))

	// Each of many writers adds one to what it has read under the lock: nothing gets lost.
	const writers = 20
	var wait sync.WaitGroup
	failed := make(chan error, writers)
	for range writers {
		wait.Go(func() {
			failed <- s.InTx(t.Context(), func(ctx context.Context) error {
				if _, err := s.LockSettings(ctx); err != nil {
					return err
				}
				rows, err := s.Settings(ctx)
				if err != nil {
					return err
				}
				n := len(rows)
				_, err = s.WriteSettings(ctx, []store.Setting{scope("n"+strconv.Itoa(n), n, "{}")}, nil)
				return err
			})
		})
	}
	wait.Wait()
	for range writers {
		must(t, <-failed)
	}
	got, err = s.Settings(t.Context())
	must(t, err)
	same(t, len(got), 2+writers)
	version, err = s.SettingsVersion(t.Context())
	must(t, err)
	same(t, version, int64(2+writers))
}

// Accounts is the part of a store that keeps built-in accounts.
type Accounts interface {
	Accounts(ctx context.Context) ([]store.Account, error)
	PutAccount(ctx context.Context, a store.Account) error
	InTx(ctx context.Context, f func(context.Context) error) error
	HoldAccount(ctx context.Context, id string) (store.Account, error)
	AddFamily(ctx context.Context, f store.TokenFamily) error
	DeleteFamilies(ctx context.Context, which store.FamilyFilter) ([]string, error)
	HasFamily(ctx context.Context, which store.FamilyFilter, now time.Time) (bool, error)
}

// TestAccounts checks that usernames are unique however they are written.
func TestAccounts(t *testing.T, s Accounts) {
	ann := store.Account{
		ID: "u-1", Username: "Ann", PasswordHash: "h", Attributes: store.Attributes{"name": "Änn?"},
		CreatedAt: moment, UpdatedAt: moment,
	}
	must(t, s.PutAccount(t.Context(), ann))
	for _, name := range []string{"ann", "ANN", "Ａｎｎ"} {
		err := s.PutAccount(t.Context(), store.Account{ID: "u-2", Username: name})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%q beside %q: %v, want ErrConflict", name, ann.Username, err)
		}
	}
	bob := store.Account{ID: "u-2", Username: "bob", Disabled: true, Attributes: store.Attributes{}, CreatedAt: kept, UpdatedAt: kept}
	must(t, s.PutAccount(t.Context(), bob))
	ann.Username, ann.PasswordHash, ann.CreatedAt, ann.UpdatedAt = "ANN", "other", kept.Add(time.Hour), kept.Add(time.Hour)
	ann.SignInsSince = kept.Add(time.Minute)
	must(t, s.PutAccount(t.Context(), ann))
	ann.CreatedAt = kept // stays
	got, err := s.Accounts(t.Context())
	must(t, err)
	same(t, got, []store.Account{ann, bob})
	// The ids of outside providers are opaque: two that differ in case alone are two persons (OpenID Connect Core §2).
	for _, id := range []string{"xY7", "Xy7", "ｘy7"} {
		must(t, s.PutAccount(t.Context(), store.Account{ID: id, Username: id, Namespace: "abroad"}))
	}
}

// TestHeldAccount checks that somebody who gets tokens while the account is disabled either comes first, and the tokens
// are there to be ended, or sees that it is disabled.
func TestHeldAccount(t *testing.T, s Accounts) {
	ctx := t.Context()
	held := store.Account{ID: "held", Username: "held", Attributes: store.Attributes{}}
	for round := range 20 {
		must(t, s.PutAccount(ctx, held))
		var both sync.WaitGroup
		var issuing, disabling error
		both.Go(func() {
			issuing = s.InTx(ctx, func(ctx context.Context) error {
				a, err := s.HoldAccount(ctx, held.ID)
				if err != nil || a.Disabled {
					return err
				}
				return s.AddFamily(ctx, store.TokenFamily{
					ID: fmt.Sprintf("held-%d", round), ClientID: "c", ProfileID: "p", UserID: held.ID, Kind: store.DefaultToken,
					CurrentHash: fmt.Appendf(nil, "held-%d", round), Nonce: []byte("n"), CreatedAt: kept,
				})
			})
		})
		both.Go(func() {
			disabling = s.InTx(ctx, func(ctx context.Context) error {
				off := held
				off.Disabled = true
				if err := s.PutAccount(ctx, off); err != nil {
					return err
				}
				_, err := s.DeleteFamilies(ctx, store.FamilyFilter{UserID: held.ID})
				return err
			})
		})
		both.Wait()
		must(t, issuing)
		must(t, disabling)
		left, err := s.HasFamily(ctx, store.FamilyFilter{UserID: held.ID}, kept)
		must(t, err)
		if left {
			t.Fatalf("round %d: tokens of a disabled account", round)
		}
	}
	_, err := s.HoldAccount(ctx, "nobody")
	if !errors.Is(err, store.ErrNotFound) {
		t.Errorf("nobody: %v", err)
	}
}
