package sqlstore

import (
	"context"
	"database/sql"
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

// AccountByUsername returns the built-in account with that username, however it is written: see store.UsernameKey.
// Errors: store.ErrNotFound.
func (s *Store) AccountByUsername(ctx context.Context, username string) (store.Account, error) {
	return s.account(ctx, `namespace = '' AND username_key = ?`, store.UsernameKey(username))
}

const accountColumns = `id, namespace, external_id, username, password_hash, disabled, attributes, created_at, updated_at, sign_ins_since`

// accountRow is a row of accountColumns.
type accountRow struct {
	a                           store.Account
	attributes                  []byte
	createdAt, updatedAt, since int64
}

func (r *accountRow) columns() []any {
	a := &r.a
	return []any{
		&a.ID, &a.Namespace, &a.ExternalID, &a.Username, &a.PasswordHash, &a.Disabled, &r.attributes, &r.createdAt, &r.updatedAt, &r.since,
	}
}

func (r *accountRow) account() (store.Account, error) {
	a := r.a
	if err := json.Unmarshal(r.attributes, &a.Attributes); err != nil {
		return store.Account{}, fmt.Errorf("read attributes of account: %w", err)
	}
	a.CreatedAt, a.UpdatedAt, a.SignInsSince = moment(r.createdAt), moment(r.updatedAt), moment(r.since)
	return a, nil
}

func scanAccount(rows *sql.Rows) (store.Account, error) {
	var r accountRow
	if err := rows.Scan(r.columns()...); err != nil {
		return store.Account{}, err
	}
	return r.account()
}

func (s *Store) account(ctx context.Context, where, value string) (store.Account, error) {
	var r accountRow
	if err := s.row(ctx, `SELECT `+accountColumns+` FROM accounts WHERE `+where, []any{value}, r.columns()...); err != nil {
		return store.Account{}, fmt.Errorf("read account: %w", err)
	}
	return r.account()
}
