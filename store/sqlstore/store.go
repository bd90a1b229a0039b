package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers the driver "pgx"
	"gorm.io/driver/postgres"
	sqlitegorm "gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // registers the driver "sqlite"

	"tokenserver/audit"
	"tokenserver/store"
)

// Config says where the SQL store is.
type Config struct {
	DSN      string // postgres://…, or sqlite:PATH, or sqlite::memory:
	MaxConns int    // connections at most; 0 = 16

	Silenced []audit.Code // events that are not stored, by choice of the operator
}

// Store is the SQL store. Safe for concurrent use.
type Store struct {
	// ObserveCommit, if set before the first request, learns of every group commit: for metrics.
	ObserveCommit func(events int, elapsed time.Duration)

	db     *sql.DB
	gorm   *gorm.DB
	engine engine
	writer chan struct{} // SQLite: one writer at a time, so that nobody spins on a locked file
	bound  sync.Map      // query with ? → query with $n
	events *committer
	log    *slog.Logger
	now    func() time.Time

	silenced []audit.Code
}

// engine tells the two dialects apart.
type engine string

const (
	sqlite     engine = "sqlite"
	postgreSQL engine = "postgres"
)

// Open connects, and starts the group commit of audit events. It does not migrate: see Migrate and CheckSchema.
// Errors: store.ErrUnavailable when the server does not answer.
func Open(ctx context.Context, config Config, log *slog.Logger, now func() time.Time) (*Store, error) {
	s := &Store{log: log, now: now, silenced: config.Silenced, writer: make(chan struct{}, 1)}
	var dialector gorm.Dialector
	var err error
	switch {
	case strings.HasPrefix(config.DSN, "postgres://"), strings.HasPrefix(config.DSN, "postgresql://"):
		s.engine = postgreSQL
		if s.db, err = sql.Open("pgx", config.DSN); err != nil {
			return nil, errors.New("open PostgreSQL: the DSN is malformed") // the DSN holds a password
		}
		dialector = postgres.New(postgres.Config{Conn: s.db})
	case strings.HasPrefix(config.DSN, "sqlite:"):
		s.engine = sqlite
		if s.db, err = sql.Open("sqlite", sqliteDSN(strings.TrimPrefix(config.DSN, "sqlite:"))); err != nil {
			return nil, fmt.Errorf("open SQLite: %w", err)
		}
		dialector = sqlitegorm.Dialector{Conn: s.db, DriverName: "sqlite"}
	default:
		return nil, errors.New("store DSN: want postgres://… or sqlite:PATH")
	}
	conns := config.MaxConns
	if conns == 0 {
		conns = 16
	}
	if strings.HasSuffix(config.DSN, ":memory:") {
		conns = 1 // every connection of an in-memory database would be a database of its own
	}
	s.db.SetMaxOpenConns(conns)
	s.db.SetMaxIdleConns(conns)
	if err := s.db.PingContext(ctx); err != nil {
		_ = s.db.Close()
		return nil, fmt.Errorf("reach the SQL store: %w: %w", store.ErrUnavailable, err)
	}
	s.gorm, err = gorm.Open(dialector, &gorm.Config{
		SkipDefaultTransaction: true, DisableAutomaticPing: true, TranslateError: false,
		Logger: logger.Discard, NowFunc: now,
	})
	if err != nil {
		_ = s.db.Close()
		return nil, fmt.Errorf("open gorm: %w", err)
	}
	s.events = newCommitter(ctx, s)
	return s, nil
}

// sqliteDSN adds what every connection needs: immediate transactions, WAL, full durability, foreign keys.
func sqliteDSN(path string) string {
	q := url.Values{}
	q.Set("_txlock", "immediate")
	for _, pragma := range []string{"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(ON)"} {
		q.Add("_pragma", pragma)
	}
	// What means something in an address must not when it is in the name of the file.
	return "file:" + strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23").Replace(path) + "?" + q.Encode()
}

// Close ends the group commit and the connections. Events that were handed in before are written.
func (s *Store) Close() error {
	s.events.close()
	return s.db.Close()
}

// Ping tells whether the SQL server answers. Errors: store.ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error {
	if err := s.db.PingContext(ctx); err != nil {
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	return nil
}

// Stats returns the state of the connection pool, for metrics.
func (s *Store) Stats() sql.DBStats { return s.db.Stats() }
