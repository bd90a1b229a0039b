package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"tokenserver/store"
)

// revocationsAtOnce is how many rows one statement inserts.
const revocationsAtOnce = 100

// AddRevocations appends rows that are kept until a moment.
func (s *Store) AddRevocations(ctx context.Context, rows []store.Revocation, until time.Time) error {
	for len(rows) > 0 {
		n := min(len(rows), revocationsAtOnce)
		args := make([]any, 0, 3*n)
		for _, r := range rows[:n] {
			args = append(args, r.Subject, micros(r.Before), micros(until))
		}
		values := strings.Repeat(", (?, ?, ?)", n)[2:]
		if _, err := s.exec(ctx, `INSERT INTO revocations (subject, before, keep_until) VALUES `+values, args...); err != nil {
			return fmt.Errorf("add revocations: %w", err)
		}
		rows = rows[n:]
	}
	return nil
}

// RevocationsAfter returns the rows with a sequence above after that are kept beyond now, and the highest sequence;
// after itself when there is none.
func (s *Store) RevocationsAfter(ctx context.Context, after int64, now time.Time) ([]store.Revocation, int64, error) {
	var list []store.Revocation
	highest := after
	err := s.each(ctx, `SELECT sequence, subject, before FROM revocations WHERE sequence > ? AND keep_until > ?
		ORDER BY sequence`, []any{after, micros(now)}, func(rows *sql.Rows) error {
		var r store.Revocation
		var before int64
		if err := rows.Scan(&highest, &r.Subject, &before); err != nil {
			return err
		}
		r.Before = moment(before)
		list = append(list, r)
		return nil
	})
	if err != nil {
		return nil, after, fmt.Errorf("read revocations: %w", err)
	}
	return list, highest, nil
}

// ForgetRevocations removes the rows whose time is over.
func (s *Store) ForgetRevocations(ctx context.Context, now time.Time) error {
	if _, err := s.exec(ctx, `DELETE FROM revocations WHERE keep_until <= ?`, micros(now)); err != nil {
		return fmt.Errorf("forget revocations: %w", err)
	}
	return nil
}
