package sqlstore

import (
	"context"
	"fmt"
	"time"

	"tokenserver/store"
)

// AddCustomRegistration begins a registration. Its client code, if it has one, is held by nobody else who is alive.
// Errors: store.ErrConflict when the client code or the transaction is taken.
func (s *Store) AddCustomRegistration(ctx context.Context, r store.CustomRegistration) error {
	var code any               // NULL is equal to no other
	if len(r.ClientCode) > 0 { // who holds the code and is dead gives it back
		if _, err := s.exec(ctx, `DELETE FROM custom_registrations WHERE client_code = ? AND (expires_at <= ? OR ended)`,
			r.ClientCode, micros(r.CreatedAt)); err != nil {
			return fmt.Errorf("begin custom registration: %w", err)
		}
		code = r.ClientCode
	}
	n, err := s.exec(ctx, `INSERT INTO custom_registrations (hash, client_id, provider, api_version, attempts, code_index,
		client_code, response_code, user_id, created_at, expires_at, ended)
		VALUES (?, ?, ?, ?, 0, ?, ?, NULL, '', ?, ?, ?) ON CONFLICT DO NOTHING`,
		r.Hash, r.ClientID, r.Provider, r.APIVersion, r.CodeIndex, code, micros(r.CreatedAt), micros(r.ExpiresAt), false)
	if err != nil {
		return fmt.Errorf("begin custom registration: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

const customRegistration = `SELECT hash, client_id, provider, api_version, attempts, code_index, client_code, response_code, user_id,
	created_at, expires_at, ended FROM custom_registrations`

// CustomRegistration returns a registration, also one that has ended or expired. Errors: store.ErrNotFound.
func (s *Store) CustomRegistration(ctx context.Context, hash []byte) (store.CustomRegistration, error) {
	var r store.CustomRegistration
	var created, expires int64
	err := s.row(ctx, customRegistration+` WHERE hash = ?`, []any{hash}, &r.Hash, &r.ClientID, &r.Provider, &r.APIVersion, &r.Attempts,
		&r.CodeIndex, &r.ClientCode, &r.ResponseCode, &r.UserID, &created, &expires, &r.Ended)
	if err != nil {
		return store.CustomRegistration{}, fmt.Errorf("read custom registration: %w", err)
	}
	r.CreatedAt, r.ExpiresAt = moment(created), moment(expires)
	return r, nil
}

// CountCompletion takes one of the attempts that a registration has, before anything is compared: of parallel callers no more
// than limit get through. Errors: store.ErrConflict when it has none left, has ended, or is over.
func (s *Store) CountCompletion(ctx context.Context, hash []byte, limit int, now time.Time) error {
	n, err := s.exec(ctx, `UPDATE custom_registrations SET attempts = attempts + 1
		WHERE hash = ? AND attempts < ? AND NOT ended AND expires_at > ?`, hash, limit, micros(now))
	if err != nil {
		return fmt.Errorf("count completion: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// EndCustomRegistration decides who completes a registration, or that nobody does: of all callers one succeeds. It joins the
// transaction of ctx. Errors: store.ErrConflict.
func (s *Store) EndCustomRegistration(ctx context.Context, hash []byte) error {
	n, err := s.exec(ctx, `UPDATE custom_registrations SET ended = ? WHERE hash = ? AND NOT ended`, true, hash)
	if err != nil {
		return fmt.Errorf("end custom registration: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// AnswerClientCode gives the live registration that holds a client code its user and the hash of its response code, once, and
// says until when that is good. It joins the transaction of ctx. Errors: store.ErrNotFound when no live one waits for it.
func (s *Store) AnswerClientCode(ctx context.Context, clientCode, responseCode []byte, userID string, now, expires time.Time) error {
	n, err := s.exec(ctx, `UPDATE custom_registrations SET response_code = ?, user_id = ?, expires_at = ?
		WHERE client_code = ? AND response_code IS NULL AND NOT ended AND expires_at > ?`,
		responseCode, userID, micros(expires), clientCode, micros(now))
	if err != nil {
		return fmt.Errorf("answer client code: %w", err)
	}
	if n == 0 {
		return store.ErrNotFound
	}
	return nil
}

// LiveClientCodes counts the client codes that are in use.
func (s *Store) LiveClientCodes(ctx context.Context, now time.Time) (int, error) {
	var n int
	err := s.row(ctx, `SELECT COUNT(*) FROM custom_registrations WHERE client_code IS NOT NULL AND NOT ended AND expires_at > ?`,
		[]any{micros(now)}, &n)
	if err != nil {
		return 0, fmt.Errorf("count client codes: %w", err)
	}
	return n, nil
}
