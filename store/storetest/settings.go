package storetest

import (
	"context"
	"errors"
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
}

// TestAccounts checks that usernames are unique however they are written.
func TestAccounts(t *testing.T, s Accounts) {
	ann := store.Account{
		ID: "u-1", Username: "Ann", PasswordHash: "h", Attributes: map[string]string{"name": "Änn?"},
		CreatedAt: moment, UpdatedAt: moment,
	}
	must(t, s.PutAccount(t.Context(), ann))
	for _, name := range []string{"ann", "ANN", "Ａｎｎ"} {
		err := s.PutAccount(t.Context(), store.Account{ID: "u-2", Username: name})
		if !errors.Is(err, store.ErrConflict) {
			t.Errorf("%q beside %q: %v, want ErrConflict", name, ann.Username, err)
		}
	}
	bob := store.Account{ID: "u-2", Username: "bob", Disabled: true, Attributes: map[string]string{}, CreatedAt: kept, UpdatedAt: kept}
	must(t, s.PutAccount(t.Context(), bob))
	ann.Username, ann.PasswordHash, ann.CreatedAt, ann.UpdatedAt = "ANN", "other", kept.Add(time.Hour), kept.Add(time.Hour)
	must(t, s.PutAccount(t.Context(), ann))
	ann.CreatedAt = kept // stays
	got, err := s.Accounts(t.Context())
	must(t, err)
	same(t, got, []store.Account{ann, bob})
}
