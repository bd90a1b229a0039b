package audittest

import (
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/uuid"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store/redisstore"
	"tokenserver/store/sqlstore"
)

// Issuer is the public base address of the environment, /oauth included.
const Issuer = "https://ts.example/oauth"

// Env is everything that a handler needs, real and of this test alone. It closes itself when the test ends.
type Env struct {
	Store       *sqlstore.Store
	Redis       *redisstore.Store
	RedisServer *miniredis.Miniredis // behind Redis; Close it to take Redis away
	Shell       *web.Shell
	Recorder    *audit.Recorder
	Keys        *secret.Keys
	Clock       *Clock
	Settings    *Settings
	Log         *slog.Logger
	Issuer      string

	events *sql.DB // a connection of its own, to look at what was stored
	last   int64
	broken atomic.Pointer[error]
	closed sync.Once
}

// Now returns the time of the clock.
func (e *Env) Now() time.Time { return e.Clock.Now() }

// NewID returns a random UUID.
func (e *Env) NewID() string { return uuid.NewString() }

// New builds an environment. The clock stands at noon of 2026-11-20 UTC, the settings are empty.
func New(t testing.TB) *Env {
	t.Helper()
	e := &Env{
		Clock: &Clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)},
		Log:   slog.New(slog.DiscardHandler), Issuer: Issuer, Settings: &Settings{},
	}
	e.Settings.Set(settings.Document{})
	keys, err := secret.NewKeys([]byte("a key-encryption key of 32 bytes"))
	if err != nil {
		t.Fatalf("keys: %v", err)
	}
	e.Keys = keys
	e.openSQL(t)
	e.openRedis(t)
	e.Recorder = &audit.Recorder{Now: e.Now}
	e.Shell = &web.Shell{
		Audit: e.Recorder, Secure: true, Commit: e.commit, Log: e.Log, Now: e.Now, NewID: e.NewID, Instance: "test",
	}
	return e
}

func (e *Env) openSQL(t testing.TB) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "store.db")
	var err error
	if e.Store, err = sqlstore.Open(t.Context(), sqlstore.Config{DSN: "sqlite:" + path}, e.Log, e.Now); err != nil {
		t.Fatalf("open SQLite: %v", err)
	}
	t.Cleanup(e.CloseStore)
	if _, err := e.Store.Migrate(t.Context()); err != nil {
		t.Fatalf("migrate: %v", err)
	}
	if e.events, err = sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(10000)"); err != nil {
		t.Fatalf("open SQLite again: %v", err)
	}
	t.Cleanup(func() { _ = e.events.Close() })
}

func (e *Env) openRedis(t testing.TB) {
	t.Helper()
	e.RedisServer = miniredis.RunT(t)
	e.RedisServer.SetTime(e.Now())
	e.Clock.moved = append(e.Clock.moved, func(now time.Time, by time.Duration) {
		e.RedisServer.SetTime(now)
		e.RedisServer.FastForward(by)
	})
	var err error
	if e.Redis, err = redisstore.Open(t.Context(), redisstore.Config{Addrs: []string{e.RedisServer.Addr()}}, e.Now); err != nil {
		t.Fatalf("open Redis: %v", err)
	}
	t.Cleanup(func() { _ = e.Redis.Close() })
}

// CloseStore takes the SQL store away. What was stored can still be read back.
func (e *Env) CloseStore() {
	e.closed.Do(func() { _ = e.Store.Close() })
}

// BreakCommits makes every commit of events that belong to no effect fail with err, nil = work again.
func (e *Env) BreakCommits(err error) {
	if err == nil {
		e.broken.Store(nil)
		return
	}
	e.broken.Store(&err)
}

func (e *Env) commit(ctx context.Context, events []audit.Event) error {
	if err := e.broken.Load(); err != nil {
		return *err
	}
	return e.Store.CommitEvents(ctx, events)
}

// Context returns a context with a trail, for calls that record events without a request. Its events are stored by
// InTx only.
func (e *Env) Context(t testing.TB) context.Context {
	t.Helper()
	return audit.WithTrail(t.Context(), audit.NewTrail(audit.Origin{ClientIP: "192.0.2.1", TransactionID: "test", Instance: "test"}))
}

// Event is what was stored of one event.
type Event struct {
	Code                           audit.Code
	ClientID, UserID, ProfileID    string
	Application, Platform, Version string
	ClientIP, Agent                string
	Details                        string // JSON
}

// Events returns the events stored since the last call of Events or Codes, in their order.
func (e *Env) Events(t testing.TB) []Event {
	t.Helper()
	rows, err := e.events.QueryContext(t.Context(), `SELECT sequence, code, client_id, user_id, profile_id, application,
		platform, version, client_ip, agent, details FROM audit_events WHERE sequence > ? ORDER BY sequence`, e.last)
	if err != nil {
		t.Fatalf("read events: %v", err)
	}
	defer func() { _ = rows.Close() }()
	events := []Event{}
	for rows.Next() {
		var v Event
		if err := rows.Scan(&e.last, &v.Code, &v.ClientID, &v.UserID, &v.ProfileID, &v.Application, &v.Platform, &v.Version,
			&v.ClientIP, &v.Agent, &v.Details); err != nil {
			t.Fatalf("read events: %v", err)
		}
		events = append(events, v)
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("read events: %v", err)
	}
	return events
}

// Codes returns the codes of the events stored since the last call of Events or Codes; empty, never nil.
func (e *Env) Codes(t testing.TB) []audit.Code {
	t.Helper()
	codes := []audit.Code{}
	for _, v := range e.Events(t) {
		codes = append(codes, v.Code)
	}
	return codes
}

// Settings serves one snapshot until the next Set. Safe for concurrent use.
type Settings struct {
	snapshot atomic.Pointer[settings.Snapshot]
	number   atomic.Int64
}

// Current returns the snapshot.
func (s *Settings) Current() *settings.Snapshot { return s.snapshot.Load() }

// Set indexes a document as it stands: nothing is validated or completed.
func (s *Settings) Set(d settings.Document) {
	s.snapshot.Store(settings.NewSnapshot(s.number.Add(1), d))
}
