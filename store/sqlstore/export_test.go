package sqlstore

import (
	"context"

	"tokenserver/audit"
)

// CommitWithin writes the trail's events into the transaction of ctx at once, so that a test can hold a transaction
// open after its sequence numbers have been taken.
func (s *Store) CommitWithin(ctx context.Context, trail *audit.Trail) error {
	events := trail.Pending()
	if err := s.insertEvents(ctx, events); err != nil {
		return err
	}
	trail.Committed(len(events))
	return nil
}
