package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"tokenserver/store"
)

const installationColumns = `client_id, registration_id, application, platform, version, api_version, os_version, model,
	sdk_version, device_name, secret_form, secret_digest, prior_secret_digest, upgrade_key, prior_upgrade_key, upgraded_at,
	signature_index, key_id, public_jwk, created_at, last_seen`

// AddInstallation inserts a new installation. Of several completions of one registration exactly one succeeds.
// Errors: store.ErrConflict when the registration id or the key has been used, or the client id exists.
func (s *Store) AddInstallation(ctx context.Context, i store.Installation) error {
	n, err := s.exec(ctx, `INSERT INTO installations (`+installationColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		i.ClientID, i.RegistrationID, i.Application, i.Platform, i.Version, i.APIVersion, i.OSVersion, i.Model,
		i.SDKVersion, i.DeviceName, string(i.SecretForm), i.SecretDigest, i.PriorSecretDigest, i.UpgradeKey, i.PriorUpgradeKey,
		micros(i.UpgradedAt), i.SignatureIndex, nullText(i.KeyID), i.PublicJWK, micros(i.CreatedAt), micros(i.LastSeen))
	if err != nil {
		return fmt.Errorf("add installation: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// Installation returns the installation with that client id. Errors: store.ErrNotFound.
func (s *Store) Installation(ctx context.Context, clientID string) (store.Installation, error) {
	return s.installation(ctx, `WHERE client_id = ?`, clientID)
}

// InstallationByKey returns the installation whose key has that thumbprint. Errors: store.ErrNotFound.
func (s *Store) InstallationByKey(ctx context.Context, keyID string) (store.Installation, error) {
	return s.installation(ctx, `WHERE key_id = ?`, keyID)
}

// LockInstallation is Installation inside a transaction; nobody changes the row until the transaction ends.
func (s *Store) LockInstallation(ctx context.Context, clientID string) (store.Installation, error) {
	return s.installation(ctx, `WHERE client_id = ?`+s.forUpdate(), clientID)
}

func (s *Store) installation(ctx context.Context, where string, args ...any) (store.Installation, error) {
	var found store.Installation
	err := s.each(ctx, `SELECT `+installationColumns+` FROM installations `+where, args, func(rows *sql.Rows) error {
		var err error
		found, err = scanInstallation(rows)
		return err
	})
	if err != nil {
		return store.Installation{}, fmt.Errorf("read installation: %w", err)
	}
	if found.ClientID == "" {
		return store.Installation{}, store.ErrNotFound
	}
	return found, nil
}

// InstallationsOfUser returns the installations on which the user has a profile, oldest first, at most limit.
func (s *Store) InstallationsOfUser(ctx context.Context, userID string, limit int) ([]store.Installation, error) {
	var list []store.Installation
	err := s.each(ctx, `SELECT `+installationColumns+` FROM installations WHERE client_id IN (
		SELECT client_id FROM profiles WHERE user_id = ?) ORDER BY created_at, client_id LIMIT ?`, []any{userID, limit},
		func(rows *sql.Rows) error {
			i, err := scanInstallation(rows)
			list = append(list, i)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("list installations of user: %w", err)
	}
	return list, nil
}

// ChangeInstallation replaces version, credentials and what the phone reports about itself, if the installation still
// has the registration id before. i.RegistrationID is the identifier of the challenge that was answered: it differs
// from before, so that each challenge changes an installation at most once.
// Errors: store.ErrConflict when somebody else changed it, the identifier was used, or the key belongs to another one.
func (s *Store) ChangeInstallation(ctx context.Context, before string, i store.Installation) error {
	if i.RegistrationID == before {
		return store.ErrConflict
	}
	n, err := s.exec(ctx, `UPDATE installations SET registration_id = ?, version = ?, api_version = ?, os_version = ?,
		model = ?, sdk_version = ?, secret_form = ?, secret_digest = ?, prior_secret_digest = ?, upgrade_key = ?,
		prior_upgrade_key = ?, upgraded_at = ?, signature_index = ?, key_id = ?, public_jwk = ?, last_seen = ?
		WHERE client_id = ? AND registration_id = ?
		AND NOT EXISTS (SELECT 1 FROM installations WHERE key_id = ? AND client_id <> ?)`,
		i.RegistrationID, i.Version, i.APIVersion, i.OSVersion, i.Model, i.SDKVersion, string(i.SecretForm), i.SecretDigest,
		i.PriorSecretDigest, i.UpgradeKey, i.PriorUpgradeKey, micros(i.UpgradedAt), i.SignatureIndex, nullText(i.KeyID),
		i.PublicJWK, micros(i.LastSeen), i.ClientID, before, nullText(i.KeyID), i.ClientID)
	if err != nil {
		return fmt.Errorf("change installation: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// MoveInstallation stores another app version. Errors: store.ErrConflict when the installation is not at from anymore.
func (s *Store) MoveInstallation(ctx context.Context, clientID, from, to string) error {
	n, err := s.exec(ctx, `UPDATE installations SET version = ? WHERE client_id = ? AND version = ?`, to, clientID, from)
	if err != nil {
		return fmt.Errorf("move installation: %w", err)
	}
	if n == 0 {
		return store.ErrConflict
	}
	return nil
}

// TouchInstallation stores what the phone reported about itself, and when. Errors: store.ErrNotFound.
func (s *Store) TouchInstallation(ctx context.Context, clientID, osVersion, model, sdkVersion string, seen time.Time) error {
	return s.one(ctx, "touch installation", `UPDATE installations SET os_version = ?, model = ?, sdk_version = ?, last_seen = ?
		WHERE client_id = ?`, osVersion, model, sdkVersion, micros(seen), clientID)
}

// SettleSecret forgets the secret from before the last upgrade: the new one, whose digest is given, has been used.
// It changes nothing when there is no prior secret or the digest is not the current one.
func (s *Store) SettleSecret(ctx context.Context, clientID string, digest []byte) error {
	_, err := s.exec(ctx, `UPDATE installations SET prior_secret_digest = NULL, prior_upgrade_key = NULL
		WHERE client_id = ? AND secret_digest = ? AND prior_secret_digest IS NOT NULL`, clientID, digest)
	if err != nil {
		return fmt.Errorf("settle secret: %w", err)
	}
	return nil
}

// RenameInstallation stores another device name. Errors: store.ErrNotFound.
func (s *Store) RenameInstallation(ctx context.Context, clientID, name string) error {
	return s.one(ctx, "rename installation", `UPDATE installations SET device_name = ? WHERE client_id = ?`, name, clientID)
}

// DeleteInstallation removes an installation and its profiles. Errors: store.ErrNotFound.
func (s *Store) DeleteInstallation(ctx context.Context, clientID string) error {
	return s.one(ctx, "delete installation", `DELETE FROM installations WHERE client_id = ?`, clientID)
}

func scanInstallation(rows *sql.Rows) (store.Installation, error) {
	var i store.Installation
	var keyID sql.NullString
	var upgraded, created, seen int64
	err := rows.Scan(&i.ClientID, &i.RegistrationID, &i.Application, &i.Platform, &i.Version, &i.APIVersion, &i.OSVersion,
		&i.Model, &i.SDKVersion, &i.DeviceName, &i.SecretForm, &i.SecretDigest, &i.PriorSecretDigest, &i.UpgradeKey,
		&i.PriorUpgradeKey, &upgraded, &i.SignatureIndex, &keyID, &i.PublicJWK, &created, &seen)
	i.KeyID = keyID.String
	i.UpgradedAt, i.CreatedAt, i.LastSeen = moment(upgraded), moment(created), moment(seen)
	return i, err
}

// one runs a statement that must touch a row. Errors: store.ErrNotFound.
func (s *Store) one(ctx context.Context, operation, query string, args ...any) error {
	n, err := s.exec(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", operation, err)
	}
	if n == 0 {
		return store.ErrNotFound
	}
	return nil
}

// forUpdate locks the rows of a SELECT inside a transaction; on SQLite the transaction is the only writer anyway.
func (s *Store) forUpdate() string {
	if s.engine == postgreSQL {
		return " FOR UPDATE"
	}
	return ""
}

// forUpdateOf is forUpdate for the rows of one table of a join.
func (s *Store) forUpdateOf(table string) string {
	if s.engine == postgreSQL {
		return " FOR UPDATE OF " + table
	}
	return ""
}

// nullText stores "" as NULL, so that a unique index leaves it alone.
func nullText(text string) sql.NullString { return sql.NullString{String: text, Valid: text != ""} }
