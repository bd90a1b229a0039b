package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"tokenserver/store"
)

// readDevices reads enrollments with what they belong to. An enrollment has no row without its profile, nor that
// without its installation, so nothing is lost by joining.
var readDevices = `SELECT ` + of("e", enrollmentColumns) + `, ` + of("p", profileColumns) + `, ` + of("i", installationColumns) + `
	FROM mobile_enrollments e
	JOIN profiles p ON p.client_id = e.client_id AND p.profile_id = e.profile_id
	JOIN installations i ON i.client_id = e.client_id `

// of says which table of a join a list of columns belongs to.
func of(table, columns string) string {
	list := strings.Split(columns, ",")
	for i := range list {
		list[i] = table + "." + strings.TrimSpace(list[i])
	}
	return strings.Join(list, ", ")
}

// EnrolledDevice returns an enrollment with its profile and its installation. Errors: store.ErrNotFound.
func (s *Store) EnrolledDevice(ctx context.Context, enrollmentID string) (store.EnrolledDevice, error) {
	list, err := s.devices(ctx, `WHERE e.id = ?`, enrollmentID)
	if err != nil {
		return store.EnrolledDevice{}, fmt.Errorf("read device: %w", err)
	}
	if len(list) == 0 {
		return store.EnrolledDevice{}, store.ErrNotFound
	}
	return list[0], nil
}

// EnrolledDevicesOfUser returns the enrollments of a user on all installations, oldest first.
func (s *Store) EnrolledDevicesOfUser(ctx context.Context, userID string) ([]store.EnrolledDevice, error) {
	list, err := s.devices(ctx, `WHERE e.user_id = ? ORDER BY e.created_at, e.id`, userID)
	if err != nil {
		return nil, fmt.Errorf("list devices of user: %w", err)
	}
	return list, nil
}

func (s *Store) devices(ctx context.Context, where string, args ...any) ([]store.EnrolledDevice, error) {
	var list []store.EnrolledDevice
	err := s.each(ctx, readDevices+where, args, func(rows *sql.Rows) error {
		var d store.EnrolledDevice
		e, p, i := &d.Enrollment, &d.Profile, &d.Installation
		var keyID sql.NullString
		err := rows.Scan(
			&e.ID, &e.ClientID, &e.UserID, &e.ProfileID, &e.Application, &e.Platform, &e.SigningKey, &e.EncryptionKey,
			&e.ServerEncKID, &e.ServerSigKID, &e.PushToken, &e.PushTokenHash, &e.PushState, &e.DeviceName,
			timeAt{&e.CreatedAt}, timeAt{&e.UpdatedAt},

			&p.ClientID, &p.ProfileID, &p.UserID, &p.PINFailures, timeAt{&p.CreatedAt}, timeAt{&p.LastLogin},

			&i.ClientID, &i.RegistrationID, &i.Application, &i.Platform, &i.Version, &i.APIVersion, &i.OSVersion, &i.Model,
			&i.SDKVersion, &i.DeviceName, &i.SecretForm, &i.SecretDigest, &i.PriorSecretDigest, &i.UpgradeKey,
			&i.PriorUpgradeKey, timeAt{&i.UpgradedAt}, &i.SignatureIndex, &keyID, &i.PublicJWK,
			timeAt{&i.CreatedAt}, timeAt{&i.LastSeen})
		i.KeyID = keyID.String
		list = append(list, d)
		return err
	})
	return list, err
}

// LockAnswering returns who answers for an enrollment, inside a transaction: until it ends nobody changes the profile
// and the enrollment, which are locked in that order, or removes the installation. A removal that committed first
// leaves no row. Errors: store.ErrNotFound.
func (s *Store) LockAnswering(ctx context.Context, enrollmentID string) (store.Answering, error) {
	lock := ""
	if s.engine == postgreSQL {
		lock = ` FOR UPDATE OF p, e`
	}
	var a store.Answering
	err := s.row(ctx, `SELECT p.client_id, p.profile_id, p.user_id, i.application, i.platform, i.version FROM profiles p
		JOIN mobile_enrollments e ON e.client_id = p.client_id AND e.profile_id = p.profile_id
		JOIN installations i ON i.client_id = p.client_id WHERE e.id = ?`+lock, []any{enrollmentID},
		&a.ClientID, &a.ProfileID, &a.UserID, &a.Application, &a.Platform, &a.Version)
	if err != nil {
		return store.Answering{}, fmt.Errorf("lock who answers: %w", err)
	}
	return a, nil
}

// timeAt reads a column of microseconds into a time.
type timeAt struct{ time *time.Time }

// Scan implements sql.Scanner.
func (t timeAt) Scan(column any) error {
	at, ok := column.(int64)
	if !ok {
		return fmt.Errorf("a time is a %T", column)
	}
	*t.time = moment(at)
	return nil
}
