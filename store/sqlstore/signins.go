package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokenserver/store"
)

// CountSignIn counts an attempt against one subject, before the password is looked at: parallel attempts cannot outrun
// the count. block says until when the subject is refused after so many attempts. A pause of forget starts the count
// anew. Call it inside InTx. Errors: store.ErrConflict while the subject is refused, with the end of the refusal.
func (s *Store) CountSignIn(ctx context.Context, subject string, now time.Time, forget time.Duration,
	block func(attempts int) time.Duration,
) (until time.Time, err error) {
	var attempts int
	err = s.row(ctx, `INSERT INTO sign_in_attempts (subject, attempts, blocked_until, last_at) VALUES (?, 1, 0, ?)
		ON CONFLICT (subject) DO UPDATE SET last_at = excluded.last_at, attempts =
			CASE WHEN sign_in_attempts.last_at < ? THEN 1 ELSE sign_in_attempts.attempts + 1 END
		WHERE sign_in_attempts.blocked_until <= excluded.last_at
		RETURNING attempts`, []any{subject, micros(now), micros(now.Add(-forget))}, &attempts)
	if errors.Is(err, store.ErrNotFound) {
		var blocked int64
		err = s.row(ctx, `SELECT blocked_until FROM sign_in_attempts WHERE subject = ?`, []any{subject}, &blocked)
		if err != nil {
			return time.Time{}, fmt.Errorf("read sign-in block: %w", err)
		}
		return moment(blocked), store.ErrConflict
	}
	if err != nil {
		return time.Time{}, fmt.Errorf("count sign-in: %w", err)
	}
	pause := block(attempts)
	if pause <= 0 {
		return time.Time{}, nil
	}
	until = now.Add(pause)
	if _, err := s.exec(ctx, `UPDATE sign_in_attempts SET blocked_until = ? WHERE subject = ?`, micros(until), subject); err != nil {
		return time.Time{}, fmt.Errorf("block sign-in: %w", err)
	}
	return until, nil
}

// ForgetSignIns starts the count of a subject anew: its owner has signed in.
func (s *Store) ForgetSignIns(ctx context.Context, subject string) error {
	if _, err := s.exec(ctx, `DELETE FROM sign_in_attempts WHERE subject = ?`, subject); err != nil {
		return fmt.Errorf("forget sign-ins: %w", err)
	}
	return nil
}

// TakeBackSignIn takes one counted attempt back, and the refusal that it caused: it was a good one. The others stay.
func (s *Store) TakeBackSignIn(ctx context.Context, subject string, until time.Time) error {
	_, err := s.exec(ctx, `UPDATE sign_in_attempts SET attempts = attempts - 1,
		blocked_until = CASE WHEN blocked_until = ? THEN 0 ELSE blocked_until END
		WHERE subject = ? AND attempts > 0`, micros(until), subject)
	if err != nil {
		return fmt.Errorf("take back sign-in: %w", err)
	}
	return nil
}

// KnowBrowser remembers that a user has signed in at a browser.
func (s *Store) KnowBrowser(ctx context.Context, browser []byte, userID string, now time.Time) error {
	_, err := s.exec(ctx, `INSERT INTO known_browsers (browser_hash, user_id, last_used) VALUES (?, ?, ?)
		ON CONFLICT (browser_hash, user_id) DO UPDATE SET last_used = excluded.last_used`, browser, userID, micros(now))
	if err != nil {
		return fmt.Errorf("know browser: %w", err)
	}
	return nil
}

// KnowsBrowser tells whether a user has signed in at a browser since a moment.
func (s *Store) KnowsBrowser(ctx context.Context, browser []byte, userID string, since time.Time) (bool, error) {
	var lastUsed int64
	err := s.row(ctx, `SELECT last_used FROM known_browsers WHERE browser_hash = ? AND user_id = ?`,
		[]any{browser, userID}, &lastUsed)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look up browser: %w", err)
	}
	return !moment(lastUsed).Before(since), nil
}
