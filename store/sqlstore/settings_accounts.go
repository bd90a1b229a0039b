package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"tokenserver/store"
)

// Accounts returns every built-in account, by username.
func (s *Store) Accounts(ctx context.Context) ([]store.Account, error) {
	var accounts []store.Account
	err := s.each(ctx, `SELECT `+accountColumns+` FROM accounts WHERE namespace = '' ORDER BY username_key`, nil, func(rows *sql.Rows) error {
		a, err := scanAccount(rows)
		accounts = append(accounts, a)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	return accounts, nil
}

// PutAccount adds an account, or changes all of the one with its id but CreatedAt. Errors: store.ErrConflict when
// another account of the namespace has the username, or the id belongs to another namespace.
func (s *Store) PutAccount(ctx context.Context, a store.Account) error {
	attributes, err := json.Marshal(a.Attributes)
	if err != nil {
		return fmt.Errorf("put account: %w", err)
	}
	if len(a.Attributes) == 0 {
		attributes = []byte("{}")
	}
	key := store.UsernameKey(a.Username)
	if a.Namespace != "" { // it is the provider's user id, which is opaque: nobody looks like somebody else by it
		key = a.Username
	}
	// The WHERE keeps a foreign owner of the username from being met as an error of the driver.
	n, err := s.exec(ctx, `INSERT INTO accounts (`+accountColumns+`, username_key)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE namespace = ? AND username_key = ? AND id <> ?)
		ON CONFLICT (id) DO UPDATE SET username = excluded.username, username_key = excluded.username_key, external_id = excluded.external_id,
			password_hash = excluded.password_hash, disabled = excluded.disabled, attributes = excluded.attributes,
			updated_at = excluded.updated_at, sign_ins_since = excluded.sign_ins_since WHERE accounts.namespace = excluded.namespace`,
		a.ID, a.Namespace, a.ExternalID, a.Username, a.PasswordHash, a.Disabled, string(attributes), micros(a.CreatedAt), micros(a.UpdatedAt),
		micros(a.SignInsSince), key, a.Namespace, key, a.ID)
	if err != nil {
		return fmt.Errorf("put account: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("put account: the id or the username is taken: %w", store.ErrConflict)
	}
	return nil
}
