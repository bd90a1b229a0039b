package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tokenserver/store"
)

const serverKeyColumns = `kid, purpose, private_jwk, enrollment_id, created_at, retired_at`

// AddServerKey stores a key pair. Errors: store.ErrConflict when the kid is taken, or when it is a shared one and there
// is a current shared key for its purpose already.
func (s *Store) AddServerKey(ctx context.Context, k store.ServerKey) error {
	n, err := s.exec(ctx, `INSERT INTO server_keys (`+serverKeyColumns+`) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		k.KID, string(k.Purpose), k.Private, k.EnrollmentID, micros(k.CreatedAt), micros(k.RetiredAt))
	if err != nil {
		return fmt.Errorf("add server key: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// ServerKey returns a key pair, retired or not. Errors: store.ErrNotFound.
func (s *Store) ServerKey(ctx context.Context, kid string) (store.ServerKey, error) {
	list, err := s.serverKeys(ctx, `WHERE kid = ?`, kid)
	if err != nil {
		return store.ServerKey{}, fmt.Errorf("read server key: %w", err)
	}
	if len(list) == 0 {
		return store.ServerKey{}, store.ErrNotFound
	}
	return list[0], nil
}

// SharedServerKeys returns the shared keys that are handed out, the one for encryption first.
func (s *Store) SharedServerKeys(ctx context.Context) ([]store.ServerKey, error) {
	list, err := s.serverKeys(ctx, `WHERE enrollment_id = '' AND retired_at = 0 ORDER BY purpose`)
	if err != nil {
		return nil, fmt.Errorf("list shared server keys: %w", err)
	}
	return list, nil
}

// RetireSharedServerKeys takes the shared pair out of use for new enrollments: the next one gets a new pair. It returns
// how many keys it retired. Retired keys stay as long as an enrollment names them.
func (s *Store) RetireSharedServerKeys(ctx context.Context, now time.Time) (int64, error) {
	n, err := s.exec(ctx, `UPDATE server_keys SET retired_at = ? WHERE enrollment_id = '' AND retired_at = 0`, micros(now))
	if err != nil {
		return 0, fmt.Errorf("retire server keys: %w", err)
	}
	return n, nil
}

// SweepServerKeys deletes shared keys that were retired before a moment and that no enrollment names any more. The
// moment must be older than an enrollment can be in flight.
func (s *Store) SweepServerKeys(ctx context.Context, before time.Time) (int64, error) {
	n, err := s.exec(ctx, `DELETE FROM server_keys WHERE enrollment_id = '' AND retired_at > 0 AND retired_at < ?
		AND NOT EXISTS (SELECT 1 FROM mobile_enrollments WHERE server_enc_kid = kid OR server_sig_kid = kid)`, micros(before))
	if err != nil {
		return 0, fmt.Errorf("sweep server keys: %w", err)
	}
	return n, nil
}

func (s *Store) serverKeys(ctx context.Context, where string, args ...any) ([]store.ServerKey, error) {
	var list []store.ServerKey
	err := s.each(ctx, `SELECT `+serverKeyColumns+` FROM server_keys `+where, args, func(rows *sql.Rows) error {
		var k store.ServerKey
		var created, retired int64
		err := rows.Scan(&k.KID, &k.Purpose, &k.Private, &k.EnrollmentID, &created, &retired)
		k.CreatedAt, k.RetiredAt = moment(created), moment(retired)
		list = append(list, k)
		return err
	})
	return list, err
}
