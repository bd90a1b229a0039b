package sqlstore

import (
	"context"
	"database/sql"
	"fmt"

	"tokenserver/store"
)

// SettingsVersion returns the number of the last write of the settings; 0 before the first.
func (s *Store) SettingsVersion(ctx context.Context) (int64, error) {
	var version int64
	if err := s.row(ctx, `SELECT version FROM settings_version WHERE id = 1`, nil, &version); err != nil {
		return 0, fmt.Errorf("read settings version: %w", err)
	}
	return version, nil
}

// LockSettings makes the transaction of ctx the only writer of the settings until it ends, and returns their version.
func (s *Store) LockSettings(ctx context.Context) (int64, error) {
	query := `SELECT version FROM settings_version WHERE id = 1`
	if s.engine == postgreSQL {
		query += ` FOR UPDATE`
	}
	var version int64
	if err := s.row(ctx, query, nil, &version); err != nil {
		return 0, fmt.Errorf("lock settings: %w", err)
	}
	return version, nil
}

// Settings returns every part of the settings, by kind and position, from one statement: all of one version.
func (s *Store) Settings(ctx context.Context) ([]store.Setting, error) {
	var settings []store.Setting
	err := s.each(ctx, `SELECT kind, name, position, body FROM settings_documents ORDER BY kind, position, name`, nil,
		func(rows *sql.Rows) error {
			var r store.Setting
			if err := rows.Scan(&r.Kind, &r.Name, &r.Position, &r.Body); err != nil {
				return err
			}
			settings = append(settings, r)
			return nil
		})
	if err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return settings, nil
}

// WriteSettings puts and removes parts of the settings and raises their version, which it returns. It belongs into a
// transaction that holds LockSettings.
func (s *Store) WriteSettings(ctx context.Context, put, remove []store.Setting) (int64, error) {
	for _, r := range remove {
		if _, err := s.exec(ctx, `DELETE FROM settings_documents WHERE kind = ? AND name = ?`, r.Kind, r.Name); err != nil {
			return 0, fmt.Errorf("remove settings: %w", err)
		}
	}
	for _, r := range put {
		_, err := s.exec(ctx, `INSERT INTO settings_documents (kind, name, position, body) VALUES (?, ?, ?, ?)
			ON CONFLICT (kind, name) DO UPDATE SET position = excluded.position, body = excluded.body`,
			r.Kind, r.Name, r.Position, string(r.Body))
		if err != nil {
			return 0, fmt.Errorf("put settings: %w", err)
		}
	}
	var version int64
	err := s.row(ctx, `UPDATE settings_version SET version = version + 1 WHERE id = 1 RETURNING version`, nil, &version)
	if err != nil {
		return 0, fmt.Errorf("raise settings version: %w", err)
	}
	return version, nil
}

// HasInstallations tells whether any installation of that version of an application is registered. An empty platform
// and version stand for all.
func (s *Store) HasInstallations(ctx context.Context, application, platform, version string) (bool, error) {
	query, args := `SELECT COUNT(*) FROM (SELECT 1 FROM installations WHERE application = ?`, []any{application}
	if platform != "" || version != "" {
		query, args = query+` AND platform = ? AND version = ?`, append(args, platform, version)
	}
	var n int
	if err := s.row(ctx, query+` LIMIT 1) AS found`, args, &n); err != nil {
		return false, fmt.Errorf("look for installations: %w", err)
	}
	return n > 0, nil
}
