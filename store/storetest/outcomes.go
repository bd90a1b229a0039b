package storetest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"tokenserver/store"
)

// OutcomeStore keeps the decisions about authentication transactions.
type OutcomeStore interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	DecideTransaction(ctx context.Context, o store.TransactionOutcome) error
	TransactionOutcome(ctx context.Context, id string) (store.TransactionOutcome, error)
	AddAnswer(ctx context.Context, a store.TransactionAnswer) error
	Answer(ctx context.Context, transactionID string, hash []byte) (store.TransactionAnswer, error)
	SweepTransactions(ctx context.Context, now time.Time) (int64, error)
}

// Outcomes proves a store of decisions. The store holds no others.
func Outcomes(t *testing.T, s OutcomeStore) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 123456000, time.UTC)
	outcome := store.TransactionOutcome{
		TransactionID: "t-1", State: store.Authenticated, Method: store.PushWithPIN, AnswerHash: []byte{0, 1, 255},
		Result: []byte(`{"a":"ë"}`), DecidedAt: now, ExpiresAt: now.Add(time.Minute),
	}
	t.Run("outcome", func(t *testing.T) {
		_, err := s.TransactionOutcome(t.Context(), "t-1")
		wantErr(t, err, store.ErrNotFound)
		must(t, s.DecideTransaction(t.Context(), outcome))
		got, err := s.TransactionOutcome(t.Context(), "t-1")
		must(t, err)
		if !reflect.DeepEqual(got, outcome) {
			t.Errorf("read %+v, want %+v", got, outcome)
		}
		wantErr(t, s.DecideTransaction(t.Context(), outcome), store.ErrConflict)
	})
	t.Run("decision of the server", func(t *testing.T) {
		failed := store.TransactionOutcome{
			TransactionID: "t-2", State: store.Failed, Reason: store.InvalidRequest, Result: []byte(`{}`),
			DecidedAt: now, ExpiresAt: now.Add(time.Hour),
		}
		must(t, s.DecideTransaction(t.Context(), failed))
		got, err := s.TransactionOutcome(t.Context(), "t-2")
		must(t, err)
		if got.AnswerHash = nil; !reflect.DeepEqual(got, failed) {
			t.Errorf("read %+v, want %+v", got, failed)
		}
	})
	t.Run("one of many decisions", func(t *testing.T) {
		won := race(t, func(n int) error {
			o := outcome
			o.TransactionID = "t-race"
			return s.InTx(t.Context(), func(ctx context.Context) error { return s.DecideTransaction(ctx, o) })
		})
		if won != 1 {
			t.Errorf("%d decisions about one transaction", won)
		}
	})
	t.Run("answers", func(t *testing.T) {
		answer := store.TransactionAnswer{
			TransactionID: "t-1", AnswerHash: []byte{7}, Status: 400, Body: []byte(`{"error":"x"}`),
			AnsweredAt: now, ExpiresAt: now.Add(time.Minute),
		}
		_, err := s.Answer(t.Context(), "t-1", []byte{7})
		wantErr(t, err, store.ErrNotFound)
		must(t, s.AddAnswer(t.Context(), answer))
		got, err := s.Answer(t.Context(), "t-1", []byte{7})
		must(t, err)
		if !reflect.DeepEqual(got, answer) {
			t.Errorf("read %+v, want %+v", got, answer)
		}
		wantErr(t, s.AddAnswer(t.Context(), answer), store.ErrConflict)
		_, err = s.Answer(t.Context(), "t-2", []byte{7})
		wantErr(t, err, store.ErrNotFound)
	})
	t.Run("sweep", func(t *testing.T) {
		n, err := s.SweepTransactions(t.Context(), outcome.ExpiresAt.Add(time.Hour))
		if must(t, err); n != 0 {
			t.Errorf("swept %d an hour after the expiry, want 0", n)
		}
		n, err = s.SweepTransactions(t.Context(), outcome.ExpiresAt.Add(time.Hour+time.Microsecond))
		if must(t, err); n != 3 { // t-1, t-race and the answer
			t.Errorf("swept %d, want 3", n)
		}
		_, err = s.TransactionOutcome(t.Context(), "t-1")
		wantErr(t, err, store.ErrNotFound)
		_, err = s.TransactionOutcome(t.Context(), "t-2")
		must(t, err)
	})
}
