package token_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/internal/testenv"
	"tokenserver/internal/token"
	"tokenserver/store"
	"tokenserver/store/sqlstore"
)

// clock is moved by hand; it starts where frozen stands.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return frozen().Add(time.Duration(c.ahead.Load())) }

func (c *clock) advance(by time.Duration) { c.ahead.Add(int64(by)) }

func (p *process) poll(t testing.TB) {
	t.Helper()
	if err := p.Revocations.Poll(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// A transaction may take its sequence before another one and commit after it. Whoever reads everything in between, at
// its start or once a minute, has to look for it afterwards.
func TestRevocationThatCommitsAfterALoad(t *testing.T) {
	for name, minute := range map[string]time.Duration{"start": 0, "reload": time.Minute} {
		t.Run(name, func(t *testing.T) {
			dsn, redis, time := testenv.Postgres(t), newRedis(t), &clock{}
			a := newProcessWith(t, dsn, redis, time.now, keyA)
			reader := newProcessWith(t, dsn, redis, time.now, keyA)
			_, slow := a.phone(t)
			_, fast := a.phone(t)
			outside := t.Context()
			a.tx(t, func(ctx context.Context) error {
				if _, err := a.RevokeFamily(ctx, slow.FamilyID); err != nil {
					return err
				}
				if err := reader.sql.InTx(outside, func(ctx context.Context) error {
					_, err := reader.RevokeFamily(ctx, fast.FamilyID)
					return err
				}); err != nil {
					return err
				}
				if minute == 0 {
					reader = newProcessWith(t, dsn, redis, time.now, keyA) //nolint:contextcheck // not part of the transaction
					return nil
				}
				time.advance(minute)
				return reader.Revocations.Poll(outside)
			})
			reader.verify(t, slow.AccessToken, nil)
			time.advance(1e9)
			reader.poll(t)
			reader.verify(t, slow.AccessToken, store.ErrRevoked)
			reader.verify(t, fast.AccessToken, store.ErrRevoked)
		})
	}
}

// slowRows lets something happen between the statement that reads everything and what is made of its rows.
type slowRows struct {
	*sqlstore.Store
	meanwhile func() error
}

func (s *slowRows) RevocationsAfter(ctx context.Context, after int64, now time.Time) ([]store.Revocation, int64, error) {
	rows, highest, err := s.Store.RevocationsAfter(ctx, after, now)
	if s.meanwhile != nil {
		err = errors.Join(err, s.meanwhile())
	}
	return rows, highest, err
}

func TestRevocationDuringALoad(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	_, issued := p.phone(t)
	rows := &slowRows{Store: p.sql}
	p.Revocations = &token.Revocations{Store: rows, Hints: newRedis(t), Now: frozen}
	rows.meanwhile = func() error {
		rows.meanwhile = nil
		return p.sql.InTx(t.Context(), func(ctx context.Context) error {
			_, err := p.RevokeFamily(ctx, issued.FamilyID)
			return err
		})
	}
	if err := p.Revocations.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.verify(t, issued.AccessToken, store.ErrRevoked)
}

// A load that fails loses nothing that was known.
func TestLoadThatFails(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	_, issued := p.phone(t)
	p.tx(t, func(ctx context.Context) error { _, err := p.RevokeFamily(ctx, issued.FamilyID); return err })
	broken := errors.New("away")
	p.Revocations.Store = &slowRows{Store: p.sql, meanwhile: func() error { return broken }}
	if err := p.Revocations.Load(t.Context()); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
	p.verify(t, issued.AccessToken, store.ErrRevoked)
}

// What is over is forgotten with the next load.
func TestRevocationIsForgotten(t *testing.T) {
	time := &clock{}
	p := newProcessWith(t, sqlite(t), newRedis(t), time.now, keyA)
	_, issued := p.phone(t)
	p.tx(t, func(ctx context.Context) error { _, err := p.RevokeFamily(ctx, issued.FamilyID); return err })
	covered := store.AccessToken{ID: "x", FamilyID: issued.FamilyID}
	if !p.Revocations.Cover(&covered) {
		t.Error("not revoked")
	}
	time.advance(26 * 3600e9)
	p.poll(t)
	if p.Revocations.Cover(&covered) {
		t.Error("kept for ever")
	}
}
