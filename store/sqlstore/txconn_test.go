package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/store"
)

func waitingJob(id string) store.Job {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	return store.Job{ID: id, Kind: "test", Payload: []byte("{}"), NotBefore: now, CreatedAt: now}
}

// TestWhatWaitsForTheCommitFailsWithIt: a statement whose result nobody reads still undoes everything when it fails.
func TestWhatWaitsForTheCommitFailsWithIt(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			if err := s.AddJob(t.Context(), waitingJob("taken")); err != nil {
				t.Fatal(err)
			}
			recorder := &audit.Recorder{Now: time.Now}
			trail := audit.NewTrail(audit.Origin{})
			committed := false
			err := s.InTx(audit.WithTrail(t.Context(), trail), func(ctx context.Context) error {
				store.AfterCommit(ctx, func(context.Context) { committed = true })
				recorder.Record(ctx, audit.PushAuthAuthenticated)
				if err := s.DecideTransaction(ctx, store.TransactionOutcome{TransactionID: "undone", Result: []byte("{}")}); err != nil {
					return err
				}
				return s.AddJob(ctx, waitingJob("taken"))
			})
			if err == nil || committed || trail.Mark() != 0 {
				t.Errorf("err %v, committed %v, %d events pending", err, committed, trail.Mark())
			}
			if _, err := s.TransactionOutcome(t.Context(), "undone"); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the decision stands: %v", err)
			}
			if n, err := s.CountEvents(t.Context(), audit.Filter{}, 10); err != nil || n != 0 {
				t.Errorf("%d events, %v", n, err)
			}
		})
	}
}

// TestOnlyWhatWaits: a transaction may consist of what goes with the commit, or of nothing at all.
func TestOnlyWhatWaits(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			for range 40 { // more often than there are connections: none is kept
				if err := s.InTx(t.Context(), func(context.Context) error { return nil }); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.InTx(t.Context(), func(ctx context.Context) error { return s.AddJob(ctx, waitingJob("alone")) }); err != nil {
				t.Fatal(err)
			}
			if waiting, _, err := s.CountJobs(t.Context()); err != nil || waiting != 1 {
				t.Errorf("%d jobs, %v", waiting, err)
			}
		})
	}
}

// TestRolledBackConnectionsServeAgain: whatever ends a transaction, its connection is good for the next one.
func TestRolledBackConnectionsServeAgain(t *testing.T) {
	refusal := errors.New("refused")
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			for n := range 40 {
				err := s.InTx(t.Context(), func(ctx context.Context) error {
					if n%2 == 0 { // even, begun; odd, refused before the first statement
						if _, err := s.TransactionOutcome(ctx, "nobody"); !errors.Is(err, store.ErrNotFound) {
							return err
						}
					}
					return refusal
				})
				if !errors.Is(err, refusal) {
					t.Fatal(err)
				}
			}
			if err := s.AddJob(t.Context(), waitingJob("after")); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestASwallowedErrorDoesNotCommit: PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, not with an error.
func TestASwallowedErrorDoesNotCommit(t *testing.T) {
	s := engines(t)["postgres"]
	committed := false
	err := s.InTx(t.Context(), func(ctx context.Context) error {
		store.AfterCommit(ctx, func(context.Context) { committed = true })
		_ = s.BreakTx(ctx) // a careless caller
		return nil
	})
	if !errors.Is(err, store.ErrUnavailable) || committed {
		t.Errorf("err %v, committed %v", err, committed)
	}
}
