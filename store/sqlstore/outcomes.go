package sqlstore

import (
	"context"
	"fmt"
	"time"

	"tokenserver/store"
)

// outcomeGrace is how long the decision about a transaction outlives the transaction.
const outcomeGrace = time.Hour

// DecideTransaction writes the durable end of a transaction: of all who try, on whatever process and whatever Redis
// says, exactly one succeeds. Call it inside InTx, together with the events and jobs of the decision.
// Errors: store.ErrConflict when somebody decided before.
func (s *Store) DecideTransaction(ctx context.Context, o store.TransactionOutcome) error {
	n, err := s.exec(ctx, `INSERT INTO transaction_outcomes
		(transaction_id, state, reason, method, answer_hash, result, decided_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		o.TransactionID, string(o.State), string(o.Reason), string(o.Method), o.AnswerHash, string(o.Result),
		micros(o.DecidedAt), micros(o.ExpiresAt))
	if err != nil {
		return fmt.Errorf("decide transaction: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// TransactionOutcome returns the decision about a transaction. Errors: store.ErrNotFound when there is none (yet).
func (s *Store) TransactionOutcome(ctx context.Context, id string) (store.TransactionOutcome, error) {
	o := store.TransactionOutcome{TransactionID: id}
	var state, reason, method string
	var decidedAt, expiresAt int64
	err := s.row(ctx, `SELECT state, reason, method, answer_hash, result, decided_at, expires_at
		FROM transaction_outcomes WHERE transaction_id = ?`, []any{id},
		&state, &reason, &method, &o.AnswerHash, &o.Result, &decidedAt, &expiresAt)
	if err != nil {
		return store.TransactionOutcome{}, fmt.Errorf("read transaction outcome: %w", err)
	}
	o.State, o.Reason, o.Method = store.State(state), store.Reason(reason), store.Method(method)
	o.DecidedAt, o.ExpiresAt = moment(decidedAt), moment(expiresAt)
	return o, nil
}

// AddAnswer remembers the reply to a counted answer, in the transaction that counts it.
// Errors: store.ErrConflict when the identical answer was counted before.
func (s *Store) AddAnswer(ctx context.Context, a store.TransactionAnswer) error {
	n, err := s.exec(ctx, `INSERT INTO transaction_answers
		(transaction_id, answer_hash, status, body, answered_at, expires_at)
		VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		a.TransactionID, a.AnswerHash, a.Status, string(a.Body), micros(a.AnsweredAt), micros(a.ExpiresAt))
	if err != nil {
		return fmt.Errorf("add answer: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// Answer returns the reply to an identical, counted answer. Errors: store.ErrNotFound.
func (s *Store) Answer(ctx context.Context, transactionID string, hash []byte) (store.TransactionAnswer, error) {
	a := store.TransactionAnswer{TransactionID: transactionID, AnswerHash: hash}
	var answeredAt, expiresAt int64
	err := s.row(ctx, `SELECT status, body, answered_at, expires_at FROM transaction_answers
		WHERE transaction_id = ? AND answer_hash = ?`, []any{transactionID, hash},
		&a.Status, &a.Body, &answeredAt, &expiresAt)
	if err != nil {
		return store.TransactionAnswer{}, fmt.Errorf("read answer: %w", err)
	}
	a.AnsweredAt, a.ExpiresAt = moment(answeredAt), moment(expiresAt)
	return a, nil
}

// SweepTransactions deletes outcomes and answers an hour after the expiry of their transaction, never earlier: until
// then they are what refuses a second decision. It returns how many rows went.
func (s *Store) SweepTransactions(ctx context.Context, now time.Time) (int64, error) {
	var swept int64
	for _, query := range []string{
		`DELETE FROM transaction_answers WHERE expires_at < ?`,
		`DELETE FROM transaction_outcomes WHERE expires_at < ?`,
	} {
		n, err := s.exec(ctx, query, micros(now.Add(-outcomeGrace)))
		if err != nil {
			return swept, fmt.Errorf("sweep transactions: %w", err)
		}
		swept += n
	}
	return swept, nil
}
