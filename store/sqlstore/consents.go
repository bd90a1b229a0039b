package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"tokenserver/store"
)

// GiveConsent stores lasting agreements; giving one again renews it.
func (s *Store) GiveConsent(ctx context.Context, consents []store.Consent) error {
	for _, c := range consents {
		_, err := s.exec(ctx, `INSERT INTO consents (user_id, client_id, scope, given_at) VALUES (?, ?, ?, ?)
			ON CONFLICT (user_id, client_id, scope) DO UPDATE SET given_at = excluded.given_at`,
			c.UserID, c.ClientID, c.Scope, micros(c.GivenAt))
		if err != nil {
			return fmt.Errorf("give consent: %w", err)
		}
	}
	return nil
}

// Consents returns what a user has agreed to for one client, in the order of scopes.
func (s *Store) Consents(ctx context.Context, userID, clientID string) ([]store.Consent, error) {
	return s.consents(ctx, `WHERE user_id = ? AND client_id = ? ORDER BY scope`, userID, clientID)
}

// ConsentsOfUser returns everything that a user has agreed to, in the order of clients and scopes.
func (s *Store) ConsentsOfUser(ctx context.Context, userID string) ([]store.Consent, error) {
	return s.consents(ctx, `WHERE user_id = ? ORDER BY client_id, scope`, userID)
}

func (s *Store) consents(ctx context.Context, where string, args ...any) ([]store.Consent, error) {
	var list []store.Consent
	err := s.each(ctx, `SELECT user_id, client_id, scope, given_at FROM consents `+where, args, func(rows *sql.Rows) error {
		var c store.Consent
		var givenAt int64
		if err := rows.Scan(&c.UserID, &c.ClientID, &c.Scope, &givenAt); err != nil {
			return err
		}
		c.GivenAt = moment(givenAt)
		list = append(list, c)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read consents: %w", err)
	}
	return list, nil
}

// WithdrawConsent removes what a user has agreed to for one client and returns the number of scopes.
func (s *Store) WithdrawConsent(ctx context.Context, userID, clientID string) (int64, error) {
	n, err := s.exec(ctx, `DELETE FROM consents WHERE user_id = ? AND client_id = ?`, userID, clientID)
	if err != nil {
		return 0, fmt.Errorf("withdraw consent: %w", err)
	}
	return n, nil
}
