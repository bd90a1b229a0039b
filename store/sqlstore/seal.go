package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"tokenserver/audit"
	"tokenserver/store"
)

const (
	sealBatch = 2000
	// gapLife is how long a sequence number without a row is waited for. No transaction of this server lives that long.
	gapLife = 10 * time.Minute
)

const sealedColumns = `e.sequence, e.time, e.code, e.client_id, e.user_id, e.profile_id, e.application, e.platform, e.version,
	e.client_ip, e.user_agent, e.transaction_id, e.agent, e.admin_user, e.instance, e.details`

// Seal gives up to one batch of committed events their positions and hashes; more tells that the batch was full. Only the
// holder of the sealer's lease calls it; should two ever do, the primary key of the positions lets one of them pass.
// Events are taken in the order of their sequence numbers. A number without a row may belong to a transaction that has
// not committed yet: it is remembered as a gap, and sealed when its row appears.
func (s *Store) Seal(ctx context.Context, now time.Time) (more bool, err error) {
	if waiting, err := s.unsealed(ctx); err != nil || !waiting {
		return false, err
	}
	err = s.InTx(ctx, func(ctx context.Context) error {
		more = false
		var position, scanned int64
		var hash []byte
		lock := ""
		if s.engine == postgreSQL {
			lock = " FOR UPDATE"
		}
		err := s.row(ctx, `SELECT position, scanned, hash FROM audit_sealer WHERE id = 1`+lock, nil, &position, &scanned, &hash)
		if errors.Is(err, store.ErrNotFound) {
			_, err = s.exec(ctx, `INSERT INTO audit_sealer (id, position, scanned, hash) VALUES (1, 0, 0, ?)`, []byte{})
		}
		if err != nil {
			return err
		}
		late, err := s.sealable(ctx, `SELECT `+sealedColumns+` FROM audit_events e JOIN audit_gaps g ON g.sequence = e.sequence
			ORDER BY e.sequence LIMIT ?`, sealBatch)
		if err != nil {
			return err
		}
		fresh, err := s.sealable(ctx, `SELECT `+sealedColumns+` FROM audit_events e WHERE e.sequence > ?
			ORDER BY e.sequence LIMIT ?`, scanned, sealBatch)
		if err != nil {
			return err
		}
		events := append(late, fresh...)
		if len(events) == 0 {
			return nil
		}
		if err := s.moveGaps(ctx, late, fresh, scanned, now); err != nil {
			return err
		}
		for i := range events {
			position++
			events[i].Position = position
			hash = events[i].Chain(hash)
			events[i].Hash = hash
		}
		if err := s.insertSeals(ctx, events); err != nil {
			return err
		}
		if len(fresh) > 0 {
			scanned = events[len(events)-1].Sequence
		}
		more = len(fresh) == sealBatch || len(late) == sealBatch
		return s.execLast(ctx, `UPDATE audit_sealer SET position = ?, scanned = ?, hash = ? WHERE id = 1`, position, scanned, hash)
	})
	if err != nil {
		return false, fmt.Errorf("seal audit events: %w", err)
	}
	return more, nil
}

// unsealed tells, in one round trip and without a lock, whether there is anything to seal: most looks find nothing.
func (s *Store) unsealed(ctx context.Context) (waiting bool, err error) {
	err = s.row(ctx, `SELECT EXISTS (SELECT 1 FROM audit_events
		WHERE sequence > COALESCE((SELECT scanned FROM audit_sealer WHERE id = 1), 0))
		OR EXISTS (SELECT 1 FROM audit_gaps g JOIN audit_events e ON e.sequence = g.sequence)`, nil, &waiting)
	if err != nil {
		return false, fmt.Errorf("look for events to seal: %w", err)
	}
	return waiting, nil
}

// moveGaps closes the gaps that have been filled, notes the new holes and gives up on old ones.
func (s *Store) moveGaps(ctx context.Context, late, fresh []audit.Sealed, scanned int64, now time.Time) error {
	for i := range late {
		if _, err := s.exec(ctx, `DELETE FROM audit_gaps WHERE sequence = ?`, late[i].Sequence); err != nil {
			return err
		}
	}
	expected := scanned + 1
	for i := range fresh {
		// A hole of a million numbers is no transaction in flight but an edited sequence; remembering its end suffices.
		for hole := max(expected, fresh[i].Sequence-10_000); hole < fresh[i].Sequence; hole++ {
			if _, err := s.exec(ctx, `INSERT INTO audit_gaps (sequence, seen_at) VALUES (?, ?) ON CONFLICT DO NOTHING`, hole, micros(now)); err != nil {
				return err
			}
		}
		expected = fresh[i].Sequence + 1
	}
	return s.execLast(ctx, `DELETE FROM audit_gaps WHERE seen_at < ?`, micros(now.Add(-gapLife)))
}

func (s *Store) insertSeals(ctx context.Context, events []audit.Sealed) error {
	if s.engine == postgreSQL {
		positions, sequences, hashes := make([]int64, len(events)), make([]int64, len(events)), make([][]byte, len(events))
		for i := range events {
			positions[i], sequences[i], hashes[i] = events[i].Position, events[i].Sequence, events[i].Hash
		}
		return s.execLast(ctx, `INSERT INTO audit_seals (position, sequence, hash) SELECT * FROM unnest(?::bigint[], ?::bigint[], ?::bytea[])`,
			positions, sequences, hashes)
	}
	for i := range events {
		if _, err := s.exec(ctx, `INSERT INTO audit_seals (position, sequence, hash) VALUES (?, ?, ?)`,
			events[i].Position, events[i].Sequence, events[i].Hash); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) sealable(ctx context.Context, query string, args ...any) ([]audit.Sealed, error) {
	var events []audit.Sealed
	err := s.each(ctx, query, args, func(rows *sql.Rows) error {
		e, err := scanEvent(rows)
		events = append(events, e)
		return err
	})
	return events, err
}

// scanEvent reads sealedColumns, and after them the further columns into more.
func scanEvent(rows *sql.Rows, more ...any) (audit.Sealed, error) {
	var e audit.Sealed
	var time int64
	var code, details string
	err := rows.Scan(append([]any{
		&e.Sequence, &time, &code, &e.ClientID, &e.UserID, &e.ProfileID, &e.Application, &e.Platform, &e.Version, &e.ClientIP,
		&e.UserAgent, &e.TransactionID, &e.Agent, &e.AdminUser, &e.Instance, &details,
	}, more...)...)
	e.Time, e.Code, e.Details = moment(time), audit.Stored(code), audit.DetailsFrom(details)
	return e, err
}

// SealedUpTo returns the last position and its hash; 0 and nil before the first.
func (s *Store) SealedUpTo(ctx context.Context) (position int64, hash []byte, err error) {
	err = s.row(ctx, `SELECT position, hash FROM audit_sealer WHERE id = 1`, nil, &position, &hash)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil, nil
	}
	return position, slices.Clip(hash), err
}
