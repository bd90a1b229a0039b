package sqlstore

import "context"

// StoredEvents counts the stored events, sealed or not.
func StoredEvents(ctx context.Context, s *Store) (n int, err error) {
	err = s.row(ctx, `SELECT COUNT(*) FROM audit_events`, nil, &n)
	return n, err
}
