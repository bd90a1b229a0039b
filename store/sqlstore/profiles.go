package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"tokenserver/store"
)

const profileColumns = `client_id, profile_id, user_id, pin_failures, created_at, last_login`

// AddProfile inserts a user of an installation. Errors: store.ErrConflict when the profile id is taken or the user has
// another profile there; store.ErrNotFound when there is no such installation.
func (s *Store) AddProfile(ctx context.Context, p store.Profile) error {
	// The rows come from installations, so that a missing one touches no row instead of breaking a foreign key.
	n, err := s.exec(ctx, `INSERT INTO profiles (`+profileColumns+`)
		SELECT client_id, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS INTEGER), CAST(? AS BIGINT), CAST(? AS BIGINT)
		FROM installations WHERE client_id = ? ON CONFLICT DO NOTHING`,
		p.ProfileID, p.UserID, p.PINFailures, micros(p.CreatedAt), micros(p.LastLogin), p.ClientID)
	if err != nil {
		return fmt.Errorf("add profile: %w", err)
	}
	if n > 0 {
		return nil
	}
	if _, err := s.Installation(ctx, p.ClientID); err != nil {
		return fmt.Errorf("add profile: %w", err)
	}
	return store.ErrConflict
}

// Profile returns one profile. Errors: store.ErrNotFound.
func (s *Store) Profile(ctx context.Context, clientID, profileID string) (store.Profile, error) {
	return s.profile(ctx, `WHERE client_id = ? AND profile_id = ?`, clientID, profileID)
}

// ProfileOfUser returns the profile of a user on an installation. Errors: store.ErrNotFound.
func (s *Store) ProfileOfUser(ctx context.Context, clientID, userID string) (store.Profile, error) {
	return s.profile(ctx, `WHERE client_id = ? AND user_id = ?`, clientID, userID)
}

// LockProfile is Profile inside a transaction; nobody changes the row until the transaction ends.
func (s *Store) LockProfile(ctx context.Context, clientID, profileID string) (store.Profile, error) {
	return s.profile(ctx, `WHERE client_id = ? AND profile_id = ?`+s.forUpdate(), clientID, profileID)
}

func (s *Store) profile(ctx context.Context, where string, args ...any) (store.Profile, error) {
	list, err := s.profiles(ctx, where, args...)
	if err != nil {
		return store.Profile{}, fmt.Errorf("read profile: %w", err)
	}
	if len(list) == 0 {
		return store.Profile{}, store.ErrNotFound
	}
	return list[0], nil
}

// ProfilesOf returns the profiles of an installation, oldest first.
func (s *Store) ProfilesOf(ctx context.Context, clientID string) ([]store.Profile, error) {
	list, err := s.profiles(ctx, `WHERE client_id = ? ORDER BY created_at, profile_id`, clientID)
	if err != nil {
		return nil, fmt.Errorf("list profiles: %w", err)
	}
	return list, nil
}

// ProfilesOfUser returns the profiles of a user on all installations, oldest first.
func (s *Store) ProfilesOfUser(ctx context.Context, userID string) ([]store.Profile, error) {
	list, err := s.profiles(ctx, `WHERE user_id = ? ORDER BY created_at, client_id`, userID)
	if err != nil {
		return nil, fmt.Errorf("list profiles of user: %w", err)
	}
	return list, nil
}

func (s *Store) profiles(ctx context.Context, where string, args ...any) ([]store.Profile, error) {
	var list []store.Profile
	err := s.each(ctx, `SELECT `+profileColumns+` FROM profiles `+where, args, func(rows *sql.Rows) error {
		var p store.Profile
		var created, login int64
		if err := rows.Scan(&p.ClientID, &p.ProfileID, &p.UserID, &p.PINFailures, &created, &login); err != nil {
			return err
		}
		p.CreatedAt, p.LastLogin = moment(created), moment(login)
		list = append(list, p)
		return nil
	})
	return list, err
}

// TouchProfile stores when the user last signed in. Errors: store.ErrNotFound.
func (s *Store) TouchProfile(ctx context.Context, clientID, profileID string, lastLogin time.Time) error {
	return s.one(ctx, "touch profile", `UPDATE profiles SET last_login = ? WHERE client_id = ? AND profile_id = ?`,
		micros(lastLogin), clientID, profileID)
}

// DeleteProfile removes one profile. Errors: store.ErrNotFound.
func (s *Store) DeleteProfile(ctx context.Context, clientID, profileID string) error {
	return s.one(ctx, "delete profile", `DELETE FROM profiles WHERE client_id = ? AND profile_id = ?`, clientID, profileID)
}

// RaisePINFailures counts one wrong PIN before it is compared, and returns the count. limit 0 = unlimited.
// Errors: store.ErrConflict when the limit has been reached already, store.ErrNotFound when there is no such profile.
func (s *Store) RaisePINFailures(ctx context.Context, clientID, profileID string, limit int) (int, error) {
	failures := 0
	err := s.row(ctx, `UPDATE profiles SET pin_failures = pin_failures + 1
		WHERE client_id = ? AND profile_id = ? AND (CAST(? AS INTEGER) = 0 OR pin_failures < ?) RETURNING pin_failures`,
		[]any{clientID, profileID, limit, limit}, &failures)
	if err == nil {
		return failures, nil
	}
	if !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("raise PIN failures: %w", err)
	}
	if _, err := s.Profile(ctx, clientID, profileID); err != nil {
		return 0, fmt.Errorf("raise PIN failures: %w", err)
	}
	return 0, store.ErrConflict
}

// LowerPINFailures takes one raise back: the token was known, so its PIN was right. Errors: store.ErrNotFound.
func (s *Store) LowerPINFailures(ctx context.Context, clientID, profileID string) error {
	return s.one(ctx, "lower PIN failures", `UPDATE profiles SET pin_failures = CASE WHEN pin_failures > 0
		THEN pin_failures - 1 ELSE 0 END WHERE client_id = ? AND profile_id = ?`, clientID, profileID)
}

// ResetPINFailures sets the count to 0 after a success. Errors: store.ErrNotFound.
func (s *Store) ResetPINFailures(ctx context.Context, clientID, profileID string) error {
	return s.one(ctx, "reset PIN failures", `UPDATE profiles SET pin_failures = 0 WHERE client_id = ? AND profile_id = ?`,
		clientID, profileID)
}
