package sqlstore_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/testenv"
	"tokenserver/store/sqlstore"
)

// tamper runs one statement behind the server's back.
func tamper(t *testing.T, driver, dsn string, statements ...string) {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

func openSealed(t *testing.T, dsn string, events int) *sqlstore.Store {
	t.Helper()
	s, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: dsn}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	if _, err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	record(t, s, events)
	sealAll(t, s)
	return s
}

func record(t *testing.T, s *sqlstore.Store, n int) {
	t.Helper()
	recorder := &audit.Recorder{Now: time.Now}
	for i := range n {
		trail := audit.NewTrail(audit.Origin{ClientIP: "192.0.2.1", TransactionID: fmt.Sprint(i)})
		recorder.Record(audit.WithTrail(t.Context(), trail), audit.APIAccessGranted, audit.Client("portal"), audit.Count("n", i))
		if err := s.CommitEvents(t.Context(), trail.Pending()); err != nil {
			t.Fatal(err)
		}
	}
}

func sealAll(t *testing.T, s *sqlstore.Store) {
	t.Helper()
	for {
		more, err := s.Seal(t.Context(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if !more {
			return
		}
	}
}

func TestVerifyNamesTheFirstBreak(t *testing.T) {
	for _, tc := range []struct {
		name       string
		statements []string
		position   int64 // 0: named by its sequence
	}{
		{name: "edited event", position: 4, statements: []string{`UPDATE audit_events SET user_id = 'mallory' WHERE sequence = 4`}},
		{name: "edited details", position: 2, statements: []string{`UPDATE audit_events SET details = '{"n":9}' WHERE sequence = 2`}},
		{name: "deleted event", position: 7, statements: []string{`DELETE FROM audit_events WHERE sequence = 7`}},
		{name: "edited before deleted", position: 3, statements: []string{
			`UPDATE audit_events SET code = 'CONSENT_GIVEN' WHERE sequence = 3`, `DELETE FROM audit_events WHERE sequence = 7`,
		}},
		{name: "deleted with its seal", position: 5, statements: []string{
			`DELETE FROM audit_events WHERE sequence = 5`, `DELETE FROM audit_seals WHERE sequence = 5`,
		}},
		{name: "reordered", position: 5, statements: []string{
			`UPDATE audit_seals SET sequence = 999 WHERE position = 5`, `UPDATE audit_seals SET sequence = 5 WHERE position = 6`,
			`UPDATE audit_seals SET sequence = 6 WHERE position = 5`,
		}},
		{name: "cut-off end", position: 9, statements: []string{
			`DELETE FROM audit_events WHERE sequence >= 9`, `DELETE FROM audit_seals WHERE position >= 9`,
		}},
		{name: "inserted behind the sealer", position: 0, statements: []string{
			`UPDATE audit_sealer SET scanned = 20`,
			`INSERT INTO audit_events SELECT 15, time, code, client_id, user_id, profile_id, application, platform, version,
			 client_ip, user_agent, transaction_id, agent, admin_user, instance, details FROM audit_events WHERE sequence = 1`,
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log.db")
			s := openSealed(t, "sqlite:"+file, 10)
			if v, err := s.Verify(t.Context(), nil, nil); err != nil || v.Position != 10 || v.Unsealed != 0 {
				t.Fatalf("untouched: %+v, %v", v, err)
			}
			tamper(t, "sqlite", file, tc.statements...)
			_, err := s.Verify(t.Context(), nil, nil)
			var broken *sqlstore.ErrBroken
			if !errors.As(err, &broken) || broken.Position != tc.position {
				t.Fatalf("got %v, want a break at position %d", err, tc.position)
			}
			if tc.position == 0 && broken.Sequence != 15 {
				t.Fatalf("got sequence %d, want 15", broken.Sequence)
			}
		})
	}
}

func TestVerifyAgainstACheckpoint(t *testing.T) {
	s := openSealed(t, "sqlite:"+filepath.Join(t.TempDir(), "log.db"), 3)
	position, hash, err := s.SealedUpTo(t.Context())
	if err != nil || position != 3 {
		t.Fatalf("sealed up to %d, %v", position, err)
	}
	good := audit.Checkpoint{Position: 3, Hash: hash}
	if _, err := s.Verify(t.Context(), []audit.Checkpoint{good}, nil); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]audit.Checkpoint{
		"another chain": {Position: 3, Hash: make([]byte, 32)},
		"cut off":       {Position: 4, Hash: hash},
	} {
		var broken *sqlstore.ErrBroken
		if _, err := s.Verify(t.Context(), []audit.Checkpoint{c}, nil); !errors.As(err, &broken) {
			t.Errorf("%s: %v, want a break", name, err)
		}
	}
}

// TestLateCommitIsSealed holds a transaction open while later sequence numbers are sealed.
func TestLateCommitIsSealed(t *testing.T) {
	dsn := testenv.Postgres(t)
	s := openSealed(t, dsn, 1)
	recorder := &audit.Recorder{Now: time.Now}
	trail := audit.NewTrail(audit.Origin{})
	ctx := audit.WithTrail(t.Context(), trail)
	inserted, finish := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	wait.Go(func() {
		err := s.InTx(ctx, func(ctx context.Context) error {
			recorder.Record(ctx, audit.ConsentGiven)
			// The number is taken now, the commit comes after the others have been sealed.
			if err := s.CommitWithin(ctx, trail); err != nil {
				return err
			}
			close(inserted)
			<-finish
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	<-inserted
	record(t, s, 3)
	sealAll(t, s)
	if v, err := s.Verify(t.Context(), nil, nil); err != nil || v.Position != 4 {
		t.Fatalf("while open: %+v, %v", v, err)
	}
	close(finish)
	wait.Wait()
	sealAll(t, s)
	v, err := s.Verify(t.Context(), nil, nil)
	if err != nil || v.Position != 5 {
		t.Fatalf("after the late commit: %+v, %v", v, err)
	}
	last, err := s.EventsAfter(t.Context(), 4, 10)
	if err != nil || len(last) != 1 || last[0].Code != audit.ConsentGiven {
		t.Fatalf("last event %v, %v", last, err)
	}
}

func TestSealersRacing(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			record(t, s, 50)
			var wait sync.WaitGroup
			for range 8 {
				wait.Go(func() {
					for range 5 {
						if _, err := s.Seal(t.Context(), time.Now()); err != nil {
							t.Logf("a sealer that lost: %v", err)
						}
					}
				})
			}
			wait.Wait()
			sealAll(t, s)
			if v, err := s.Verify(t.Context(), nil, nil); err != nil || v.Position != 50 {
				t.Fatalf("%+v, %v", v, err)
			}
		})
	}
}
