package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokenserver/store"
)

// CountStepUp counts one try at the code of a text message, before the code is looked at: parallel tries cannot outrun
// the count. Errors: store.ErrConflict when limit tries were made, or one of them was right.
func (s *Store) CountStepUp(ctx context.Context, transactionID string, limit int, now time.Time) (tries int, err error) {
	err = s.row(ctx, `INSERT INTO step_up_tries (transaction_id, tries, verified, last_at) VALUES (?, 1, FALSE, ?)
		ON CONFLICT (transaction_id) DO UPDATE SET tries = step_up_tries.tries + 1, last_at = excluded.last_at
		WHERE step_up_tries.tries < ? AND NOT step_up_tries.verified
		RETURNING tries`, []any{transactionID, micros(now), limit}, &tries)
	if errors.Is(err, store.ErrNotFound) {
		return 0, store.ErrConflict
	}
	if err != nil {
		return 0, fmt.Errorf("count step-up: %w", err)
	}
	return tries, nil
}

// MarkStepUp keeps that the code was right, in the transaction that counted the try: nobody can use it again.
// Errors: store.ErrConflict for everybody after the first.
func (s *Store) MarkStepUp(ctx context.Context, transactionID string) error {
	n, err := s.exec(ctx, `UPDATE step_up_tries SET verified = TRUE WHERE transaction_id = ? AND NOT verified`, transactionID)
	if err != nil {
		return fmt.Errorf("mark step-up: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}
