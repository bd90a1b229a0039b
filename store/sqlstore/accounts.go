package sqlstore

import (
	"context"
	"encoding/json"
	"fmt"

	"tokenserver/store"
)

// Account returns the account with that id. Errors: store.ErrNotFound.
func (s *Store) Account(ctx context.Context, id string) (store.Account, error) {
	return s.account(ctx, `id = ?`, id)
}

// HoldAccount returns the account with that id as it stays until the transaction of ctx ends: who wants to change it
// waits. Errors: store.ErrNotFound.
func (s *Store) HoldAccount(ctx context.Context, id string) (store.Account, error) {
	where := `id = ?`
	if s.engine == postgreSQL { // on SQLite there is one writer anyway
		where += ` FOR SHARE`
	}
	return s.account(ctx, where, id)
}

// AccountByUsername returns the account with that username, however it is written: see store.UsernameKey.
// Errors: store.ErrNotFound.
func (s *Store) AccountByUsername(ctx context.Context, username string) (store.Account, error) {
	return s.account(ctx, `username_key = ?`, store.UsernameKey(username))
}

func (s *Store) account(ctx context.Context, where, value string) (store.Account, error) {
	var a store.Account
	var attributes string
	var createdAt, updatedAt, since int64
	err := s.row(ctx, `SELECT id, username, password_hash, disabled, attributes, created_at, updated_at, sign_ins_since FROM accounts
		WHERE `+where, []any{value}, &a.ID, &a.Username, &a.PasswordHash, &a.Disabled, &attributes, &createdAt, &updatedAt, &since)
	if err != nil {
		return store.Account{}, fmt.Errorf("read account: %w", err)
	}
	if err := json.Unmarshal([]byte(attributes), &a.Attributes); err != nil {
		return store.Account{}, fmt.Errorf("read attributes of account: %w", err)
	}
	a.CreatedAt, a.UpdatedAt, a.SignInsSince = moment(createdAt), moment(updatedAt), moment(since)
	return a, nil
}
