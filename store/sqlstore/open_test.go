package sqlstore_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/testenv"
	"tokenserver/store"
	"tokenserver/store/sqlstore"
)

// engines opens a fresh, migrated store of each kind.
func engines(t *testing.T) map[string]*sqlstore.Store {
	t.Helper()
	stores := map[string]*sqlstore.Store{}
	for name, dsn := range map[string]string{
		"sqlite":   "sqlite:" + filepath.Join(t.TempDir(), "store.db"),
		"postgres": testenv.Postgres(t),
	} {
		s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: dsn}, slog.New(slog.DiscardHandler), time.Now)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		t.Cleanup(func() { _ = s.Close() })
		if _, err := s.Migrate(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		stores[name] = s
	}
	return stores
}

func TestInTxCommitsEventsWithTheEffect(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			recorder := &audit.Recorder{Now: time.Now}
			trail := audit.NewTrail(audit.Origin{})
			ctx := audit.WithTrail(t.Context(), trail)
			refusal := errors.New("wrong PIN")

			recorder.Record(ctx, audit.APIAccessGranted)
			err := s.InTx(ctx, func(ctx context.Context) error {
				recorder.Record(ctx, audit.PushAuthAuthenticated)
				return refusal
			})
			if !errors.Is(err, refusal) || trail.Mark() != 1 {
				t.Fatalf("rolled back: err %v, %d events pending, want the refusal and 1", err, trail.Mark())
			}
			err = s.InTx(ctx, func(ctx context.Context) error {
				recorder.Record(ctx, audit.PushAuthNotAuthenticated, audit.Reason("x"), audit.Count("attempts", 2))
				return store.Keep(refusal)
			})
			if !errors.Is(err, refusal) || trail.Mark() != 0 {
				t.Fatalf("kept: err %v, %d events pending, want the refusal and 0", err, trail.Mark())
			}
		})
	}
}
