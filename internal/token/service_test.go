package token_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"tokenserver/internal/keys"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/testenv"
	"tokenserver/internal/token"
	"tokenserver/store"
	"tokenserver/store/redisstore"
	"tokenserver/store/sqlstore"
)

// process is one server process: its own snapshot of revocations, on stores that it shares with others.
type process struct {
	*token.Service
	sql *sqlstore.Store
}

// frozen is a clock that stands still, so that everything happens in one microsecond.
func frozen() time.Time { return time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC) }

func newProcess(t testing.TB, dsn string, redis *redisstore.Store) *process {
	t.Helper()
	return newProcessWith(t, dsn, redis, frozen, keyA)
}

const (
	keyA = "a key-encryption key of 32 bytes"
	keyB = "another one, also of 32 bytes..."
)

// newProcessWith starts a process with a clock and key-encryption keys of its own.
func newProcessWith(t testing.TB, dsn string, redis *redisstore.Store, now func() time.Time, keyTexts ...string) *process {
	t.Helper()
	ctx := t.Context()
	sql, err := sqlstore.Open(ctx, sqlstore.Config{DSN: dsn}, slog.New(slog.DiscardHandler), now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sql.Close() })
	if _, err := sql.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	masters := make([][]byte, 0, len(keyTexts))
	for _, text := range keyTexts {
		masters = append(masters, []byte(text))
	}
	master, err := secret.NewKeys(masters...)
	if err != nil {
		t.Fatal(err)
	}
	ring := &keys.Ring{Store: sql, Keys: master, Algorithm: keys.ES256, Now: now, NewID: uuid.NewString}
	if err := ring.Load(ctx); err != nil {
		t.Fatal(err)
	}
	revocations := &token.Revocations{Store: sql, Hints: redis, Now: now}
	if err := revocations.Load(ctx); err != nil {
		t.Fatal(err)
	}
	return &process{sql: sql, Service: &token.Service{
		Access: redis, Families: sql, Search: sql, Profiles: sql, Installations: sql, Revocations: revocations, Keys: master, Ring: ring,
		Issuer: "https://ts.example/oauth", Now: now, NewID: uuid.NewString,
	}}
}

func newRedis(t testing.TB) *redisstore.Store {
	t.Helper()
	return newRedisAt(t, frozen)
}

func newRedisAt(t testing.TB, now func() time.Time) *redisstore.Store {
	t.Helper()
	redis, err := redisstore.Open(t.Context(), redisstore.Config{}, now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Close() })
	return redis
}

// engines are the DSNs of a fresh store of each kind.
func engines(t *testing.T) map[string]string {
	t.Helper()
	return map[string]string{"sqlite": sqlite(t), "postgres": testenv.Postgres(t)}
}

func sqlite(t *testing.T) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "store.db")
}

func (p *process) tx(t testing.TB, f func(ctx context.Context) error) {
	t.Helper()
	if err := p.sql.InTx(t.Context(), f); err != nil {
		t.Error(err)
	}
}

func (p *process) issue(t testing.TB, g token.Grant) token.Issued {
	t.Helper()
	g.Kind, g.AccessLife = store.DefaultToken, time.Minute
	var issued token.Issued
	p.tx(t, func(ctx context.Context) (err error) {
		issued, err = p.Issue(ctx, g)
		return err
	})
	return issued
}

func (p *process) verify(t testing.TB, bearer string, want error) {
	t.Helper()
	if _, err := p.Verify(t.Context(), bearer); !errors.Is(err, want) || want == nil && err != nil {
		t.Errorf("%v, want %v", err, want)
	}
}

// phone registers an installation with one profile and signs it in.
func (p *process) phone(t testing.TB) (clientID string, first token.Issued) {
	t.Helper()
	clientID = secret.NewToken()
	if err := p.sql.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann"}); err != nil {
		t.Fatal(err)
	}
	if err := p.sql.AddInstallation(t.Context(), store.Installation{ClientID: clientID, RegistrationID: clientID, Application: "bank", Platform: "ios"}); err != nil {
		t.Fatal(err)
	}
	if err := p.sql.AddProfile(t.Context(), store.Profile{ClientID: clientID, ProfileID: "AB12cd", UserID: "ann"}); err != nil {
		t.Fatal(err)
	}
	return clientID, p.issue(t, token.Grant{ClientID: clientID, ProfileID: "AB12cd", UserID: "ann", Refresh: true, Scopes: []string{"read"}})
}

func TestRevocationWithinOneMicrosecond(t *testing.T) {
	redis := newRedis(t)
	p := newProcess(t, sqlite(t), redis)
	client, before := p.phone(t)
	for _, tc := range []struct {
		name   string
		revoke func(ctx context.Context) error
	}{
		{"profile", func(ctx context.Context) error { _, err := p.RevokeProfile(ctx, client, "AB12cd"); return err }},
		{"client", func(ctx context.Context) error { _, err := p.RevokeClient(ctx, client); return err }},
		{"user", func(ctx context.Context) error { _, err := p.RevokeUser(ctx, "ann"); return err }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p.verify(t, before.AccessToken, nil)
			p.tx(t, tc.revoke)
			p.verify(t, before.AccessToken, store.ErrRevoked)
			// The clock has not moved, and what is issued now is good.
			before = p.issue(t, token.Grant{ClientID: client, ProfileID: "AB12cd", UserID: "ann", Refresh: true})
			p.verify(t, before.AccessToken, nil)
		})
	}
}

func TestRevocationInOneTransactionWithItsSuccessor(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	client, before := p.phone(t)
	var after token.Issued
	p.tx(t, func(ctx context.Context) (err error) {
		if _, err := p.RevokeProfile(ctx, client, "AB12cd"); err != nil {
			return err
		}
		after, err = p.Issue(ctx, token.Grant{
			ClientID: client, ProfileID: "AB12cd", UserID: "ann", Refresh: true,
			Kind: store.DefaultToken, AccessLife: time.Minute,
		})
		return err
	})
	p.verify(t, before.AccessToken, store.ErrRevoked)
	p.verify(t, after.AccessToken, nil)
}

func TestRevocationRolledBack(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	client, issued := p.phone(t)
	refusal := errors.New("no")
	err := p.sql.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := p.RevokeClient(ctx, client); err != nil {
			return err
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	p.verify(t, issued.AccessToken, nil)
}

func TestRevocationReachesOtherProcesses(t *testing.T) {
	for name, dsn := range engines(t) {
		t.Run(name, func(t *testing.T) {
			redis := newRedis(t)
			a, b := newProcess(t, dsn, redis), newProcess(t, dsn, redis)
			_, first := a.phone(t)
			client, second := a.phone(t)
			b.verify(t, first.AccessToken, nil)
			a.tx(t, func(ctx context.Context) error { _, err := a.RevokeFamily(ctx, first.FamilyID); return err })
			a.verify(t, first.AccessToken, store.ErrRevoked)
			if err := b.Revocations.Poll(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.verify(t, first.AccessToken, store.ErrRevoked)
			b.verify(t, second.AccessToken, nil)
			a.tx(t, func(ctx context.Context) error { _, err := a.RevokeClient(ctx, client); return err })
			// A process that starts later knows it too.
			c := newProcess(t, dsn, redis)
			c.verify(t, second.AccessToken, store.ErrRevoked)
		})
	}
}

// A late commit with a lower sequence than one that was seen already must not be skipped.
func TestRevocationThatCommitsLate(t *testing.T) {
	dsn := testenv.Postgres(t)
	redis := newRedis(t)
	a, b := newProcess(t, dsn, redis), newProcess(t, dsn, redis)
	_, slow := a.phone(t)
	_, fast := a.phone(t)
	outside := t.Context()
	overtake := func() error { // another transaction, begun later and committed first
		err := b.sql.InTx(outside, func(ctx context.Context) error { _, err := b.RevokeFamily(ctx, fast.FamilyID); return err })
		return errors.Join(err, b.Revocations.Poll(outside))
	}
	a.tx(t, func(ctx context.Context) error {
		if _, err := a.RevokeFamily(ctx, slow.FamilyID); err != nil {
			return err
		}
		return overtake()
	})
	b.verify(t, slow.AccessToken, nil)
	if err := b.Revocations.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.verify(t, slow.AccessToken, store.ErrRevoked)
	b.verify(t, fast.AccessToken, store.ErrRevoked)
}

func TestHintWakesTheOthers(t *testing.T) {
	redis := newRedis(t)
	dsn := sqlite(t)
	a, b := newProcess(t, dsn, redis), newProcess(t, dsn, redis)
	_, issued := a.phone(t)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { b.Revocations.Run(ctx, func(err error) { t.Error(err) }) })
	a.tx(t, func(ctx context.Context) error { _, err := a.RevokeFamily(ctx, issued.FamilyID); return err })
	for {
		if _, err := b.Verify(t.Context(), issued.AccessToken); errors.Is(err, store.ErrRevoked) {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal("never revoked")
		}
	}
	stop()
	running.Wait()
}

func TestParallelChecks(t *testing.T) {
	for name, dsn := range engines(t) {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, dsn, newRedis(t))
			t.Run("50 refreshes, one successor", func(t *testing.T) {
				client, first := p.phone(t)
				var mu sync.Mutex
				successors, repeats := map[string]int{}, 0
				parallel(50, func() {
					var issued token.Issued
					var check token.PINCheck
					p.tx(t, func(ctx context.Context) (err error) {
						if check, err = p.CheckRefresh(ctx, client, "AB12cd", first.RefreshToken, 3); err != nil || check.Result != token.PINRight {
							return errors.Join(err, errors.New(string(check.Result)))
						}
						issued, err = p.Rotate(ctx, check, token.Grant{AccessLife: time.Minute}, true)
						return err
					})
					mu.Lock()
					defer mu.Unlock()
					successors[issued.RefreshToken]++
					if check.Repeat {
						repeats++
					}
				})
				if len(successors) != 1 || repeats != 49 {
					t.Errorf("%d successors, %d repeats", len(successors), repeats)
				}
			})
			t.Run("50 refreshes of a web client", func(t *testing.T) {
				first := p.issue(t, token.Grant{ClientID: "web", ProfileID: token.StaticProfile, UserID: "ann", Refresh: true})
				var mu sync.Mutex
				successors := map[string]int{}
				parallel(50, func() {
					var issued token.Issued
					p.tx(t, func(ctx context.Context) error {
						check, err := p.CheckWeb(ctx, "web", first.RefreshToken)
						if err != nil || check.Result != token.PINRight {
							return errors.Join(err, errors.New(string(check.Result)))
						}
						issued, err = p.Rotate(ctx, check, token.Grant{AccessLife: time.Minute}, true)
						return err
					})
					mu.Lock()
					defer mu.Unlock()
					successors[issued.RefreshToken]++
				})
				if len(successors) != 1 {
					t.Errorf("%d successors", len(successors))
				}
			})
			t.Run("100 wrong PINs, three are compared", func(t *testing.T) {
				client, _ := p.phone(t)
				var mu sync.Mutex
				results := map[token.PINResult]int{}
				used := map[int]int{}
				parallel(100, func() {
					var check token.PINCheck
					p.tx(t, func(ctx context.Context) (err error) {
						check, err = p.CheckPIN(ctx, client, "AB12cd", secret.NewToken(), 3)
						return err
					})
					mu.Lock()
					defer mu.Unlock()
					results[check.Result]++
					used[check.Used]++
				})
				if results[token.PINWrong] != 2 || results[token.PINLimit] != 98 || used[1] != 1 || used[2] != 1 || used[3] != 98 {
					t.Errorf("results %v, used %v", results, used)
				}
				profile, err := p.sql.Profile(t.Context(), client, "AB12cd")
				if err != nil || profile.PINFailures != 3 {
					t.Errorf("%d failures, %v", profile.PINFailures, err)
				}
			})
		})
	}
}

func parallel(n int, f func()) {
	var all sync.WaitGroup
	start := make(chan struct{})
	for range n {
		all.Go(func() {
			<-start
			f()
		})
	}
	close(start)
	all.Wait()
}

func TestNoLimit(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	client, first := p.phone(t)
	check := func(presented string, limit int) (c token.PINCheck) {
		t.Helper()
		p.tx(t, func(ctx context.Context) (err error) {
			c, err = p.CheckPIN(ctx, client, "AB12cd", presented, limit)
			return err
		})
		return c
	}
	for i := range 20 {
		if c := check("wrong", 0); c.Result != token.PINWrong || c.Used != i+1 || c.Remaining != -1 {
			t.Errorf("%+v", c)
		}
	}
	if c := check(first.RefreshToken, 0); c.Result != token.PINRight || c.Used != 0 {
		t.Errorf("%+v", c)
	}
	if c := check("wrong", 3); c.Result != token.PINWrong || c.Remaining != 2 {
		t.Errorf("%+v", c)
	}
}

// Nobody answers for somebody who may not sign in, and asking costs no try.
func TestCheckPINOfDisabledAccount(t *testing.T) {
	for name, dsn := range engines(t) {
		t.Run(name, func(t *testing.T) {
			p := newProcess(t, dsn, newRedis(t))
			client, first := p.phone(t)
			check := func(presented string, want token.PINResult, used, remaining int) {
				t.Helper()
				p.tx(t, func(ctx context.Context) error {
					c, err := p.CheckPIN(ctx, client, "AB12cd", presented, 3)
					if c.Result != want || c.Used != used || c.Remaining != remaining {
						t.Errorf("%s, used %d, remaining %d", c.Result, c.Used, c.Remaining)
					}
					return err
				})
			}
			check("wrong", token.PINWrong, 1, 2)
			if err := p.sql.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann", Disabled: true}); err != nil {
				t.Fatal(err)
			}
			check(first.RefreshToken, token.PINNoAccount, 1, 2)
			check(first.RefreshToken, token.PINNoAccount, 1, 2)
			if err := p.sql.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann"}); err != nil {
				t.Fatal(err)
			}
			check(first.RefreshToken, token.PINRight, 0, 3)
		})
	}
}

func TestLimitedTokenHasNoRefreshToken(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	issued := p.issue(t, token.Grant{ClientID: "web", ProfileID: token.StaticProfile, UserID: "ann", Refresh: true, UsageLimit: 1})
	if issued.RefreshToken != "" {
		t.Error("a refresh token would go round the limit")
	}
}

func TestVerifyJWT(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	issued := p.issue(t, token.Grant{ClientID: "web", ProfileID: token.StaticProfile, UserID: "ann", Format: settings.JWT})
	p.verify(t, issued.AccessToken, nil)
	p.verify(t, issued.AccessToken[:len(issued.AccessToken)-1], store.ErrNotFound)
	other, err := p.Ring.Sign(t.Context(), "at+jwt", map[string]any{"iss": "https://other.example/oauth", "jti": "AT.1"})
	if err != nil {
		t.Fatal(err)
	}
	p.verify(t, other, store.ErrNotFound)
	p.tx(t, func(ctx context.Context) error { _, err := p.RevokeFamily(ctx, issued.FamilyID); return err })
	p.verify(t, issued.AccessToken, store.ErrRevoked)
}

func TestHasLive(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	client, _ := p.phone(t)
	for kind, want := range map[store.TokenKind]bool{store.DefaultToken: true, store.FingerprintToken: false} {
		if live, err := p.HasLive(t.Context(), client, "AB12cd", kind); err != nil || live != want {
			t.Errorf("%s: %v, %v", kind, live, err)
		}
	}
}
