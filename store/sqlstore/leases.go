package sqlstore

import (
	"context"
	"fmt"
	"time"

	"tokenserver/store"
)

// TakeLease makes holder the only one with that lease until expires, or prolongs what it has. Errors:
// store.ErrConflict while somebody else has it.
func (s *Store) TakeLease(ctx context.Context, name, holder string, now, expires time.Time) error {
	n, err := s.exec(ctx, `INSERT INTO leases (name, holder, expires) VALUES (?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires = excluded.expires
		WHERE leases.holder = excluded.holder OR leases.expires <= ?`, name, holder, micros(expires), micros(now))
	if err != nil {
		return fmt.Errorf("take lease %s: %w", name, err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// DropLease gives a lease back, so that the next process need not wait for its end.
func (s *Store) DropLease(ctx context.Context, name, holder string) error {
	if _, err := s.exec(ctx, `DELETE FROM leases WHERE name = ? AND holder = ?`, name, holder); err != nil {
		return fmt.Errorf("drop lease %s: %w", name, err)
	}
	return nil
}
