package settings

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

// Service keeps the settings of one process current and applies documents. Every field but Hints is required; call
// Load before the first Current.
type Service struct {
	Documents     documents
	Accounts      accounts
	Installations installations
	Tokens        revoker
	Hints         hints // nil: other processes notice a change by polling alone
	Keys          *secret.Keys
	Audit         *audit.Recorder
	Now           func() time.Time
	Log           *slog.Logger
	Rules         Rules

	current atomic.Pointer[Snapshot]
	loading sync.Mutex // one load at a time, so that an older one cannot overtake
}

// documents is what settings needs of the store.
type documents interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	SettingsVersion(ctx context.Context) (int64, error)
	// LockSettings makes the transaction of ctx the only writer until it ends, and returns the version.
	LockSettings(ctx context.Context) (int64, error)
	// Settings returns all rows, by kind and position, from one statement.
	Settings(ctx context.Context) ([]store.Setting, error)
	// WriteSettings raises the version, and returns it.
	WriteSettings(ctx context.Context, put, remove []store.Setting) (int64, error)
}

// accounts keeps the people who sign in at this server.
type accounts interface {
	// Accounts returns the built-in accounts.
	Accounts(ctx context.Context) ([]store.Account, error)
	// Account returns any person. Errors: store.ErrNotFound.
	Account(ctx context.Context, userID string) (store.Account, error)
	// PutAccount errors: store.ErrConflict when another account has the username.
	PutAccount(ctx context.Context, a store.Account) error
}

// revoker ends tokens; see token.Service.
type revoker interface {
	// RevokeUser ends every token of a user, on all clients, in the transaction of ctx.
	RevokeUser(ctx context.Context, userID string) (count int, err error)
}

// installations knows which versions of an application are in use.
type installations interface {
	// HasInstallations: an empty platform and version stand for all.
	HasInstallations(ctx context.Context, application, platform, version string) (bool, error)
}

// hints wake other processes. They may get lost: a hint only makes polling look sooner.
type hints interface {
	Hint(ctx context.Context, topic string) error
	// Hints returns a channel that gets a value after each hint, until ctx ends.
	Hints(ctx context.Context, topic string) <-chan struct{}
}

// Current returns the snapshot to work on; empty settings before Load.
func (s *Service) Current() *Snapshot {
	if now := s.current.Load(); now != nil {
		return now
	}
	return NewSnapshot(0, Document{}.Complete())
}

// Load reads the settings and makes them current.
func (s *Service) Load(ctx context.Context) error {
	s.loading.Lock()
	defer s.loading.Unlock()
	// The version first: what is written in between makes the content newer than its number, and the next poll
	// reads it again. The other way round would hide it.
	version, err := s.Documents.SettingsVersion(ctx)
	if err != nil {
		return fmt.Errorf("load settings: %w", err)
	}
	d, _, err := s.stored(ctx)
	if err != nil {
		return fmt.Errorf("load settings: %w", err)
	}
	s.current.Store(NewSnapshot(version, d))
	return nil
}

// stored reads the settings, without the users, as a complete document with secrets in clear.
func (s *Service) stored(ctx context.Context) (Document, map[key]bool, error) {
	rows, err := s.Documents.Settings(ctx)
	if err != nil {
		return Document{}, nil, err
	}
	d, stale, err := decode(rows, s.Keys)
	if err != nil {
		return Document{}, nil, err
	}
	return d.Complete(), stale, nil
}
