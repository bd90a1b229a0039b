package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"tokenserver/store"
)

const enrollmentColumns = `id, client_id, user_id, profile_id, app_id, platform, sig_jwk, enc_jwk, server_enc_kid,
	server_sig_kid, push_token, push_token_hash, push_state, device_name, created_at, updated_at`

// AddEnrollment inserts an enrollment of a profile. Errors: store.ErrConflict when the profile has one already or the
// id is taken; store.ErrNotFound when the user has no such profile there.
func (s *Store) AddEnrollment(ctx context.Context, e store.Enrollment) error {
	// The row comes from profiles, so that a missing one touches no row instead of breaking a foreign key.
	n, err := s.exec(ctx, `INSERT INTO mobile_enrollments (`+enrollmentColumns+`)
		SELECT CAST(? AS TEXT), client_id, user_id, profile_id, CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT),
			CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS `+s.bytesType()+`), CAST(? AS `+s.bytesType()+`),
			CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS BIGINT), CAST(? AS BIGINT)
		FROM profiles WHERE client_id = ? AND profile_id = ? AND user_id = ? ON CONFLICT DO NOTHING`,
		e.ID, e.Application, e.Platform, string(e.SigningKey), nullText(string(e.EncryptionKey)), e.ServerEncKID,
		e.ServerSigKID, e.PushToken, e.PushTokenHash, string(e.PushState), e.DeviceName, micros(e.CreatedAt),
		micros(e.UpdatedAt), e.ClientID, e.ProfileID, e.UserID)
	if err != nil {
		return fmt.Errorf("add enrollment: %w", err)
	}
	if n > 0 {
		return nil
	}
	if p, err := s.Profile(ctx, e.ClientID, e.ProfileID); err != nil || p.UserID != e.UserID {
		return fmt.Errorf("add enrollment: no such profile: %w", store.ErrNotFound)
	}
	return store.ErrConflict
}

// bytesType is the type of a binary column.
func (s *Store) bytesType() string {
	if s.engine == postgreSQL {
		return "BYTEA"
	}
	return "BLOB"
}

// Enrollment returns the enrollment with that id. Errors: store.ErrNotFound.
func (s *Store) Enrollment(ctx context.Context, id string) (store.Enrollment, error) {
	return s.enrollment(ctx, `WHERE id = ?`, id)
}

// LockEnrollment is Enrollment inside a transaction; nobody changes the row until the transaction ends.
func (s *Store) LockEnrollment(ctx context.Context, id string) (store.Enrollment, error) {
	return s.enrollment(ctx, `WHERE id = ?`+s.forUpdate(), id)
}

// EnrollmentOf returns the enrollment of a profile. Errors: store.ErrNotFound.
func (s *Store) EnrollmentOf(ctx context.Context, clientID, profileID string) (store.Enrollment, error) {
	return s.enrollment(ctx, `WHERE client_id = ? AND profile_id = ?`, clientID, profileID)
}

func (s *Store) enrollment(ctx context.Context, where string, args ...any) (store.Enrollment, error) {
	list, err := s.enrollments(ctx, where, args...)
	if err != nil {
		return store.Enrollment{}, fmt.Errorf("read enrollment: %w", err)
	}
	if len(list) == 0 {
		return store.Enrollment{}, store.ErrNotFound
	}
	return list[0], nil
}

// EnrollmentsOfUser returns the enrollments of a user on all installations, oldest first.
func (s *Store) EnrollmentsOfUser(ctx context.Context, userID string) ([]store.Enrollment, error) {
	return s.enrollmentsOf(ctx, "user", `WHERE user_id = ? ORDER BY created_at, id`, userID)
}

// EnrollmentsOfClient returns the enrollments of all users of an installation, oldest first.
func (s *Store) EnrollmentsOfClient(ctx context.Context, clientID string) ([]store.Enrollment, error) {
	return s.enrollmentsOf(ctx, "installation", `WHERE client_id = ? ORDER BY created_at, id`, clientID)
}

// EnrollmentsByPushToken returns the enrollments that hold the push token with that hash, oldest first.
func (s *Store) EnrollmentsByPushToken(ctx context.Context, hash []byte) ([]store.Enrollment, error) {
	return s.enrollmentsOf(ctx, "push token", `WHERE push_token_hash = ? ORDER BY created_at, id`, hash)
}

func (s *Store) enrollmentsOf(ctx context.Context, what, where string, args ...any) ([]store.Enrollment, error) {
	list, err := s.enrollments(ctx, where, args...)
	if err != nil {
		return nil, fmt.Errorf("list enrollments of %s: %w", what, err)
	}
	return list, nil
}

func (s *Store) enrollments(ctx context.Context, where string, args ...any) ([]store.Enrollment, error) {
	var list []store.Enrollment
	err := s.each(ctx, `SELECT `+enrollmentColumns+` FROM mobile_enrollments `+where, args, func(rows *sql.Rows) error {
		var e store.Enrollment
		var created, updated int64
		err := rows.Scan(&e.ID, &e.ClientID, &e.UserID, &e.ProfileID, &e.Application, &e.Platform, &e.SigningKey,
			&e.EncryptionKey, &e.ServerEncKID, &e.ServerSigKID, &e.PushToken, &e.PushTokenHash, &e.PushState,
			&e.DeviceName, &created, &updated)
		e.CreatedAt, e.UpdatedAt = moment(created), moment(updated)
		list = append(list, e)
		return err
	})
	return list, err
}

// TakeTurn makes enrollments that could contradict each other wait for one another: until the transaction of ctx ends,
// nobody else gets a turn under any of the names. It is no lock on rows, because what is fought over may not exist yet.
func (s *Store) TakeTurn(ctx context.Context, names ...string) error {
	names = slices.Compact(slices.Sorted(slices.Values(names))) // one order for everybody: no deadlock
	for _, name := range names {
		if _, err := s.exec(ctx, `INSERT INTO enrollment_turns (name) VALUES (?) ON CONFLICT DO NOTHING`, name); err != nil {
			return fmt.Errorf("take turn: %w", err)
		}
	}
	for _, name := range names {
		if _, err := s.exec(ctx, `DELETE FROM enrollment_turns WHERE name = ?`, name); err != nil {
			return fmt.Errorf("take turn: %w", err)
		}
	}
	return nil
}

// SwapPushToken replaces the push token of one enrollment, which can be pushed to from then on. sealed and hash are of
// the new token. Errors: store.ErrConflict when the enrollment does not hold the old one (any more).
func (s *Store) SwapPushToken(ctx context.Context, id string, oldHash, sealed, hash []byte, now time.Time) error {
	n, err := s.exec(ctx, `UPDATE mobile_enrollments SET push_token = ?, push_token_hash = ?, push_state = ?, updated_at = ?
		WHERE id = ? AND push_token_hash = ?`, sealed, hash, string(store.PushActive), micros(now), id, oldHash)
	if err != nil {
		return fmt.Errorf("swap push token: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// MarkPushStale notes that the provider called the push token dead. It changes nothing when the enrollment has another
// token by now.
func (s *Store) MarkPushStale(ctx context.Context, id string, hash []byte, now time.Time) error {
	_, err := s.exec(ctx, `UPDATE mobile_enrollments SET push_state = ?, updated_at = ? WHERE id = ? AND push_token_hash = ?`,
		string(store.PushStale), micros(now), id, hash)
	if err != nil {
		return fmt.Errorf("mark push token stale: %w", err)
	}
	return nil
}

// DeleteEnrollment removes an enrollment and the server keys of its own. Errors: store.ErrNotFound.
func (s *Store) DeleteEnrollment(ctx context.Context, id string) error {
	return s.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.exec(ctx, `DELETE FROM server_keys WHERE enrollment_id = ?`, id); err != nil {
			return fmt.Errorf("delete server keys: %w", err)
		}
		return s.one(ctx, "delete enrollment", `DELETE FROM mobile_enrollments WHERE id = ?`, id)
	})
}
