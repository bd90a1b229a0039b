package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"
	"time"

	"tokenserver/internal/testenv"
	"tokenserver/store"
	"tokenserver/store/sqlstore"
	"tokenserver/store/storetest"
)

func TestTokens(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			t.Run("families", func(t *testing.T) { storetest.TestTokenFamilies(t, s) })
			t.Run("wrong PINs", func(t *testing.T) { storetest.TestRaiseForFamily(t, s) })
			t.Run("revocations", func(t *testing.T) { storetest.TestRevocations(t, s) })
			t.Run("signing keys", func(t *testing.T) { storetest.TestSigningKeys(t, s) })
		})
	}
}

// Whoever waits for a family and finds it gone has counted nothing, so that the next statement may count.
func TestTokensOfAFamilyThatIsDeletedMeanwhile(t *testing.T) {
	dsn := testenv.Postgres(t)
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: dsn}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	watcher, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = watcher.Close() })
	f := storetest.AddRaisable(t, s, "meanwhile")
	raised := make(chan error, 1)
	outside := t.Context()
	err = s.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := s.DeleteFamilies(ctx, store.FamilyFilter{ID: f.ID}); err != nil {
			return err
		}
		go func() {
			_, _, err := s.RaiseForFamily(outside, "meanwhile", "RAISE1", 3)
			raised <- err
		}()
		for waiting := 0; waiting == 0; {
			err := watcher.QueryRowContext(outside, `SELECT count(*) FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-raised; !errors.Is(err, store.ErrNotFound) {
		t.Errorf("error %v", err)
	}
	if p, err := s.Profile(t.Context(), "meanwhile", "RAISE1"); err != nil || p.PINFailures != 0 {
		t.Errorf("%d failures, %v", p.PINFailures, err)
	}
}
