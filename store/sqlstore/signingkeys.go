package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"tokenserver/store"
)

// SigningKeys returns the keys of all slots.
func (s *Store) SigningKeys(ctx context.Context) ([]store.SigningKey, error) {
	var list []store.SigningKey
	err := s.each(ctx, `SELECT slot, id, algorithm, sealed, created_at FROM signing_keys`, nil, func(rows *sql.Rows) error {
		var k store.SigningKey
		var created int64
		if err := rows.Scan(&k.Slot, &k.ID, &k.Algorithm, &k.Sealed, &created); err != nil {
			return err
		}
		k.CreatedAt = moment(created)
		list = append(list, k)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	return list, nil
}

// AddSigningKeys inserts keys into empty slots; a slot that has one keeps it, so that of several processes that start
// at once all use the same keys.
func (s *Store) AddSigningKeys(ctx context.Context, keys ...store.SigningKey) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		for _, k := range keys {
			if err := s.putSigningKey(ctx, k); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) putSigningKey(ctx context.Context, k store.SigningKey) error {
	_, err := s.exec(ctx, `INSERT INTO signing_keys (slot, id, algorithm, sealed, created_at) VALUES (?, ?, ?, ?, ?)
		ON CONFLICT DO NOTHING`, string(k.Slot), k.ID, k.Algorithm, k.Sealed, micros(k.CreatedAt))
	if err != nil {
		return fmt.Errorf("add signing key: %w", err)
	}
	return nil
}

// RotateSigningKeys drops the previous key, moves current to previous and next to current, and inserts the new next
// key, in one transaction. Errors: store.ErrConflict when current is not the id of the current key any more.
func (s *Store) RotateSigningKeys(ctx context.Context, current string, next store.SigningKey) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.exec(ctx, `DELETE FROM signing_keys WHERE slot = ?`, string(store.PreviousKey)); err != nil {
			return fmt.Errorf("drop previous signing key: %w", err)
		}
		n, err := s.exec(ctx, `UPDATE signing_keys SET slot = ? WHERE slot = ? AND id = ?`,
			string(store.PreviousKey), string(store.CurrentKey), current)
		if err != nil {
			return fmt.Errorf("retire signing key: %w", err)
		}
		if n == 0 {
			return store.ErrConflict
		}
		if _, err := s.exec(ctx, `UPDATE signing_keys SET slot = ? WHERE slot = ?`,
			string(store.CurrentKey), string(store.NextKey)); err != nil {
			return fmt.Errorf("promote signing key: %w", err)
		}
		return s.putSigningKey(ctx, next)
	})
}

// ReplaceSigningKeys drops previous and next, moves current to previous, and inserts two new keys: the algorithm
// changes. Errors: store.ErrConflict when current is not the id of the current key any more.
func (s *Store) ReplaceSigningKeys(ctx context.Context, current string, keys ...store.SigningKey) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.exec(ctx, `DELETE FROM signing_keys WHERE slot <> ?`, string(store.CurrentKey)); err != nil {
			return fmt.Errorf("drop signing keys: %w", err)
		}
		n, err := s.exec(ctx, `UPDATE signing_keys SET slot = ? WHERE slot = ? AND id = ?`,
			string(store.PreviousKey), string(store.CurrentKey), current)
		if err != nil {
			return fmt.Errorf("retire signing key: %w", err)
		}
		if n == 0 {
			return store.ErrConflict
		}
		for _, k := range keys {
			if err := s.putSigningKey(ctx, k); err != nil {
				return err
			}
		}
		return nil
	})
}
