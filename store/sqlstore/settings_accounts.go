package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"

	"tokenserver/store"
)

// Accounts returns every account, by username.
func (s *Store) Accounts(ctx context.Context) ([]store.Account, error) {
	var accounts []store.Account
	err := s.each(ctx, `SELECT id, username, password_hash, disabled, attributes, created_at, updated_at, sign_ins_since FROM accounts
		ORDER BY username_key`, nil, func(rows *sql.Rows) error {
		var a store.Account
		var attributes []byte
		var createdAt, updatedAt, since int64
		err := rows.Scan(&a.ID, &a.Username, &a.PasswordHash, &a.Disabled, &attributes, &createdAt, &updatedAt, &since)
		if err != nil {
			return err
		}
		if err := json.Unmarshal(attributes, &a.Attributes); err != nil {
			return fmt.Errorf("attributes of an account: %w", err)
		}
		a.CreatedAt, a.UpdatedAt, a.SignInsSince = moment(createdAt), moment(updatedAt), moment(since)
		accounts = append(accounts, a)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read accounts: %w", err)
	}
	return accounts, nil
}

// PutAccount adds an account, or changes all of the one with its id but CreatedAt. Errors: store.ErrConflict when
// another account has the username.
func (s *Store) PutAccount(ctx context.Context, a store.Account) error {
	attributes, err := json.Marshal(a.Attributes)
	if err != nil {
		return fmt.Errorf("put account: %w", err)
	}
	if len(a.Attributes) == 0 {
		attributes = []byte("{}")
	}
	key := store.UsernameKey(a.Username)
	// The WHERE keeps a foreign owner of the username from being met as an error of the driver.
	n, err := s.exec(ctx, `INSERT INTO accounts (id, username, username_key, password_hash, disabled, attributes, created_at, updated_at, sign_ins_since)
		SELECT ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE username_key = ? AND id <> ?)
		ON CONFLICT (id) DO UPDATE SET username = excluded.username, username_key = excluded.username_key,
			password_hash = excluded.password_hash, disabled = excluded.disabled, attributes = excluded.attributes,
			updated_at = excluded.updated_at, sign_ins_since = excluded.sign_ins_since`,
		a.ID, a.Username, key, a.PasswordHash, a.Disabled, string(attributes), micros(a.CreatedAt), micros(a.UpdatedAt), micros(a.SignInsSince), key, a.ID)
	if err != nil {
		return fmt.Errorf("put account: %w", err)
	}
	if n == 0 {
		return fmt.Errorf("put account: the username is taken: %w", store.ErrConflict)
	}
	return nil
}
