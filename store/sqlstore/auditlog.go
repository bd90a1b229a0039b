package sqlstore

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"tokenserver/audit"
)

// conditions returns the WHERE clause of a filter, for positions up to upTo.
func conditions(f audit.Filter, upTo int64) (string, []any) {
	clauses := []string{"s.position <= ?"}
	args := []any{upTo}
	add := func(condition string, values ...any) {
		clauses = append(clauses, condition)
		args = append(args, values...)
	}
	if f.UserID != "" {
		add("LOWER(e.user_id) = LOWER(?) AND e.user_id <> ''", f.UserID)
	}
	if f.ClientID != "" {
		add("e.client_id = ?", f.ClientID)
	}
	if f.TransactionID != "" {
		add("e.transaction_id = ?", f.TransactionID)
	}
	if len(f.Codes) > 0 {
		add("e.code IN ("+marks(len(f.Codes))+")", anys(f.Codes)...)
	}
	if len(f.Without) > 0 {
		add("e.code NOT IN ("+marks(len(f.Without))+")", anys(f.Without)...)
	}
	if !f.From.IsZero() {
		add("e.time >= ?", micros(f.From))
	}
	if !f.Until.IsZero() {
		add("e.time < ?", micros(f.Until))
	}
	if f.Before > 0 {
		add("s.position < ?", f.Before)
	}
	if f.After > 0 {
		add("s.position > ?", f.After)
	}
	return strings.Join(clauses, " AND "), args
}

const sealedJoin = ` FROM audit_seals s JOIN audit_events e ON e.sequence = s.sequence WHERE `

// Events returns one page of the sealed log up to a position, newest first.
func (s *Store) Events(ctx context.Context, f audit.Filter, upTo int64, offset, limit int) ([]audit.Sealed, error) {
	where, args := conditions(f, upTo)
	return s.sealedRows(ctx, `SELECT `+sealedColumns+`, s.position, s.hash`+sealedJoin+where+
		` ORDER BY s.position DESC LIMIT ? OFFSET ?`, append(args, limit, offset)...)
}

// CountEvents returns how many events of the sealed log the filter selects.
func (s *Store) CountEvents(ctx context.Context, f audit.Filter, upTo int64) (n int, err error) {
	where, args := conditions(f, upTo)
	err = s.row(ctx, `SELECT COUNT(*)`+sealedJoin+where, args, &n)
	return n, err
}

// EventsAfter returns events of the sealed log with positions above after, oldest first: the cursor of tails and sinks.
func (s *Store) EventsAfter(ctx context.Context, after int64, limit int) ([]audit.Sealed, error) {
	return s.sealedRows(ctx, `SELECT `+sealedColumns+`, s.position, s.hash`+sealedJoin+
		`s.position > ? ORDER BY s.position LIMIT ?`, after, limit)
}

func (s *Store) sealedRows(ctx context.Context, query string, args ...any) ([]audit.Sealed, error) {
	var events []audit.Sealed
	err := s.each(ctx, query, args, func(rows *sql.Rows) error {
		var position int64
		var hash []byte
		e, err := scanEvent(rows, &position, &hash)
		e.Position, e.Hash = position, hash
		events = append(events, e)
		return err
	})
	return events, err
}

// HasEvent tells whether an event of that code about one authentication transaction of a client is committed. It is for the
// rare request that repeats another one and must know whether that one was ever told.
func (s *Store) HasEvent(ctx context.Context, code audit.Code, clientID, transactionID string) (bool, error) {
	var n int
	about, err := json.Marshal(transactionID)
	if err != nil {
		return false, fmt.Errorf("look for an event: %w", err)
	}
	err = s.row(ctx, `SELECT COUNT(*) FROM audit_events WHERE client_id = ? AND code = ? AND details LIKE ?`,
		[]any{clientID, string(code), `%"transaction_id":` + string(about) + `%`}, &n)
	if err != nil {
		return false, fmt.Errorf("look for an event: %w", err)
	}
	return n > 0, nil
}

// ErrBroken is what Verify found: the first position, or sequence number, where the log is not what was sealed.
type ErrBroken struct {
	Position int64
	Sequence int64
	What     string
}

func (e *ErrBroken) Error() string {
	if e.Position == 0 {
		return fmt.Sprintf("audit log broken at sequence %d: %s", e.Sequence, e.What)
	}
	return fmt.Sprintf("audit log broken at position %d (sequence %d): %s", e.Position, e.Sequence, e.What)
}

// Verified is what Verify has looked at.
type Verified struct {
	Position int64 // the last one
	Hash     []byte
	Unsealed int64 // events that wait for the sealer
}

// Verify walks the whole chain and returns the first break as *ErrBroken. progress, if not nil, is called now and then.
// At a checkpoint's position the hash must be the checkpoint's.
func (s *Store) Verify(ctx context.Context, checkpoints []audit.Checkpoint, progress func(position int64)) (Verified, error) {
	var v Verified
	for {
		var batch []audit.Sealed
		const page = 5000
		// LEFT JOIN: a deleted event leaves its seal behind.
		err := s.each(ctx, `SELECT COALESCE(e.sequence, 0), COALESCE(e.time, 0), COALESCE(e.code, ''), COALESCE(e.client_id, ''),
			COALESCE(e.user_id, ''), COALESCE(e.profile_id, ''), COALESCE(e.application, ''), COALESCE(e.platform, ''),
			COALESCE(e.version, ''), COALESCE(e.client_ip, ''), COALESCE(e.user_agent, ''), COALESCE(e.transaction_id, ''),
			COALESCE(e.agent, ''), COALESCE(e.admin_user, ''), COALESCE(e.instance, ''), COALESCE(e.details, ''),
			s.position, s.hash, s.sequence
			FROM audit_seals s LEFT JOIN audit_events e ON e.sequence = s.sequence WHERE s.position > ? ORDER BY s.position LIMIT ?`,
			[]any{v.Position, page}, func(rows *sql.Rows) error {
				var position, sequence int64
				var hash []byte
				e, err := scanEvent(rows, &position, &hash, &sequence)
				if err == nil && e.Sequence == 0 {
					return &ErrBroken{position, sequence, "the event has been deleted"}
				}
				e.Position, e.Hash = position, hash
				batch = append(batch, e)
				return err
			})
		// What was read before a deleted event may be broken earlier still.
		for i := range batch {
			if broken := v.step(&batch[i], checkpoints); broken != nil {
				return v, broken
			}
		}
		if err != nil {
			return v, err
		}
		if len(batch) < page {
			break
		}
		if progress != nil {
			progress(v.Position)
		}
	}
	return v, s.verifyEnd(ctx, &v, checkpoints)
}

// step checks one event against the chain so far.
func (v *Verified) step(e *audit.Sealed, checkpoints []audit.Checkpoint) error {
	switch want := e.Chain(v.Hash); {
	case e.Position != v.Position+1:
		return &ErrBroken{v.Position + 1, e.Sequence, "the seal of this position is missing"}
	case !bytes.Equal(want, e.Hash):
		return &ErrBroken{e.Position, e.Sequence, "the event is not what was sealed: it has been edited, moved or inserted"}
	}
	v.Position, v.Hash = e.Position, e.Hash
	for _, c := range checkpoints {
		if c.Position == e.Position && !bytes.Equal(c.Hash, e.Hash) {
			return &ErrBroken{e.Position, e.Sequence, "the chain differs from the checkpoint of " + c.Time.Format(time.RFC3339)}
		}
	}
	return nil
}

// verifyEnd looks for what the walk cannot see: a cut-off tail and events that were slipped in behind the sealer.
func (s *Store) verifyEnd(ctx context.Context, v *Verified, checkpoints []audit.Checkpoint) error {
	var position, scanned int64
	var hash []byte
	err := s.row(ctx, `SELECT position, scanned, hash FROM audit_sealer WHERE id = 1`, nil, &position, &scanned, &hash)
	if err != nil && v.Position > 0 {
		return fmt.Errorf("read the sealer: %w", err)
	}
	if position > v.Position {
		// The sealer may have gone on while the walk was on its way: ask for the next seal once more.
		if more, err := s.EventsAfter(ctx, v.Position, 1); err != nil || len(more) == 0 || more[0].Position != v.Position+1 {
			return errors.Join(&ErrBroken{v.Position + 1, 0, "the end of the log has been cut off"}, err)
		}
	}
	for _, c := range checkpoints {
		if c.Position > max(position, v.Position) {
			return &ErrBroken{v.Position + 1, 0, "the log ends before the checkpoint of " + c.Time.Format(time.RFC3339)}
		}
	}
	var slipped int64
	if err := s.row(ctx, `SELECT COALESCE(MIN(e.sequence), 0) FROM audit_events e WHERE e.sequence <= ?
		AND NOT EXISTS (SELECT 1 FROM audit_seals s WHERE s.sequence = e.sequence)
		AND NOT EXISTS (SELECT 1 FROM audit_gaps g WHERE g.sequence = e.sequence)`, []any{scanned}, &slipped); err != nil {
		return fmt.Errorf("look for unsealed events: %w", err)
	}
	if slipped != 0 {
		return &ErrBroken{0, slipped, "the event was inserted behind the sealer"}
	}
	return s.row(ctx, `SELECT COUNT(*) FROM audit_events WHERE sequence > ?`, []any{scanned}, &v.Unsealed)
}

func marks(n int) string { return strings.TrimSuffix(strings.Repeat("?, ", n), ", ") }

func anys(list []string) []any {
	values := make([]any, len(list))
	for i, v := range list {
		values[i] = v
	}
	return values
}
