package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"

	"tokenserver/store"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the schema to the newest version and returns that version.
func (s *Store) Migrate(ctx context.Context) (int64, error) {
	p, err := s.migrator()
	if err != nil {
		return 0, err
	}
	if _, err := p.Up(ctx); err != nil {
		return 0, fmt.Errorf("migrate: %w", err)
	}
	return p.GetDBVersion(ctx)
}

// MigrateDown takes the schema back by one version and returns what it is then.
func (s *Store) MigrateDown(ctx context.Context) (int64, error) {
	p, err := s.migrator()
	if err != nil {
		return 0, err
	}
	if _, err := p.Down(ctx); err != nil {
		return 0, fmt.Errorf("migrate down: %w", err)
	}
	return p.GetDBVersion(ctx)
}

// CheckSchema compares the schema with what this server needs. A newer schema is fine: the next release may run beside
// this one. Errors: store.ErrConflict when the schema is older.
func (s *Store) CheckSchema(ctx context.Context) (has, needs int64, err error) {
	p, err := s.migrator()
	if err != nil {
		return 0, 0, err
	}
	for _, source := range p.ListSources() {
		needs = max(needs, source.Version)
	}
	if has, err = p.GetDBVersion(ctx); err != nil {
		return 0, needs, fmt.Errorf("read schema version: %w", err)
	}
	if has < needs {
		return has, needs, fmt.Errorf("schema version %d is older than %d: %w", has, needs, store.ErrConflict)
	}
	return has, needs, nil
}

func (s *Store) migrator() (*goose.Provider, error) {
	dialect := goose.DialectSQLite3
	if s.engine == postgreSQL {
		dialect = goose.DialectPostgres
	}
	files, err := fs.Sub(migrations, "migrations/"+string(s.engine))
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	p, err := goose.NewProvider(dialect, s.db, files)
	if err != nil {
		return nil, fmt.Errorf("migrations: %w", err)
	}
	return p, nil
}
