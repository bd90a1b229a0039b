package sqlstore

import (
	"context"
	"fmt"

	"tokenserver/store"
)

// MarkCodeUsed inserts the mark of a redeemed code: of all who try, on whatever process and whatever Redis says, exactly
// one succeeds. Call it inside InTx, before anything is issued. Errors: store.ErrConflict when it has been redeemed.
func (s *Store) MarkCodeUsed(ctx context.Context, c store.UsedCode) error {
	n, err := s.exec(ctx, `INSERT INTO used_codes (code_hash, client_id, user_id, family_id, used_at)
		VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, c.Hash, c.ClientID, c.UserID, c.FamilyID, micros(c.UsedAt))
	if err != nil {
		return fmt.Errorf("mark code used: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// NameCodeFamily notes which tokens came from a code, in the transaction that marked it: a replay ends them.
func (s *Store) NameCodeFamily(ctx context.Context, hash []byte, familyID string) error {
	if _, err := s.exec(ctx, `UPDATE used_codes SET family_id = ? WHERE code_hash = ?`, familyID, hash); err != nil {
		return fmt.Errorf("name family of code: %w", err)
	}
	return nil
}

// UsedCode returns the mark of a redeemed code. Errors: store.ErrNotFound.
func (s *Store) UsedCode(ctx context.Context, hash []byte) (store.UsedCode, error) {
	c := store.UsedCode{Hash: hash}
	var usedAt int64
	err := s.row(ctx, `SELECT client_id, user_id, family_id, used_at FROM used_codes WHERE code_hash = ?`, []any{hash},
		&c.ClientID, &c.UserID, &c.FamilyID, &usedAt)
	if err != nil {
		return store.UsedCode{}, fmt.Errorf("read used code: %w", err)
	}
	c.UsedAt = moment(usedAt)
	return c, nil
}
