package pushauth_test

import (
	"errors"
	"fmt"
	"net/http"
	"sync"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// revokingGate revokes the user when the answer has passed all checks but is not decided.
type revokingGate struct{ revoke func() }

func (g revokingGate) Move(_ ctx, _ *settings.Snapshot, i store.Installation, _ map[string][]string) (store.Installation, bool, error) {
	g.revoke()
	return i, false, nil
}

// revokingPINs starts the revocation while the answer is being decided.
type revokingPINs struct {
	*token.Service
	revoke func()
}

func (p revokingPINs) CheckPIN(ctx ctx, clientID, profileID, presented string, limit int) (token.PINCheck, error) {
	p.revoke()
	return p.Service.CheckPIN(ctx, clientID, profileID, presented, limit)
}

func (b *deviceBench) revoke(t *testing.T) {
	t.Helper()
	if err := inTx(t, b, func(ctx ctx) error { return b.lifecycle.RemoveProfile(ctx, pixel, "QW4RTY", "") }); err != nil {
		t.Errorf("revoke: %v", err)
	}
}

// gone fails the test when the revocation left something.
func (b *deviceBench) gone(t *testing.T) {
	t.Helper()
	if _, err := b.Store.Profile(t.Context(), pixel, "QW4RTY"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("profile: %v", err)
	}
	if _, err := b.Store.Enrollment(t.Context(), b.kim.id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("enrollment: %v", err)
	}
}

func TestRevocationBeforeTheDecisionWins(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim)
	text := b.jws(t, b.kim, tx, b.fetched(t, b.kim, tx), reply{})
	b.device.Gate = revokingGate{func() { b.revoke(t) }}
	b.want(t, b.send(t, tx, text), 404, noTransaction, audit.PushAuthNotAuthenticatedInvalidTransaction)
	if o, state := b.outcome(t, tx); o.State != store.Failed || o.Reason != store.InvalidRequest || state != store.Failed || b.callbacks(t) != 1 {
		t.Errorf("outcome %+v, Redis %s, %d callbacks", o, state, b.callbacks(t))
	}
	b.gone(t)
}

func TestRevocationDuringTheDecisionComesAfter(t *testing.T) {
	for name, bench := range map[string]func(*testing.T) *deviceBench{
		"sqlite":   func(t *testing.T) *deviceBench { t.Helper(); return newDeviceBench(t) },
		"postgres": newPostgresBench,
	} {
		t.Run(name, func(t *testing.T) {
			b := bench(t)
			tx := b.open(t, b.kim, withPIN)
			text := b.jws(t, b.kim, tx, b.fetched(t, b.kim, tx), reply{refresh: b.kim.refresh})
			var group sync.WaitGroup
			var once sync.Once
			b.device.PINs = revokingPINs{b.tokens, func() { once.Do(func() { group.Go(func() { b.revoke(t) }) }) }}
			got := b.send(t, tx, text)
			group.Wait()
			o, state := b.outcome(t, tx)
			if got.Status != http.StatusOK || o.State != store.Authenticated || state != store.Authenticated || b.callbacks(t) != 1 {
				t.Errorf("%d %s, outcome %+v, Redis %s, %d callbacks", got.Status, got.Body, o, state, b.callbacks(t))
			}
			b.gone(t)
		})
	}
}

// Answers, wrong PINs and a revocation at once, on transactions that really run side by side: whoever decides, the
// answer, the row and the callback agree, and the user is gone in the end.
func TestEverythingAtOnce(t *testing.T) {
	b := newPostgresBench(t)
	pair, err := b.server.Shared(t.Context())
	b.ok(t, err)
	ends := map[store.State]int{}
	for round := range 12 {
		d := b.kim
		if round > 0 {
			d = b.enroll(t, pixel, "QW4RTY", "u-1", pair)
		}
		b.kim = d
		tx := b.open(t, d, withPIN)
		challenge := b.fetched(t, d, tx)
		texts := []string{
			b.jws(t, d, tx, challenge, reply{refresh: d.refresh}), b.jws(t, d, tx, challenge, reply{refresh: d.refresh}),
			b.jws(t, d, tx, challenge, reply{deny: true}), b.jws(t, d, tx, challenge, reply{refresh: fmt.Sprintf("%064X", round)}),
		}
		before := b.callbacks(t)
		var group sync.WaitGroup
		var mu sync.Mutex
		counts := map[string]int{}
		for n, text := range texts {
			group.Go(func() {
				got := b.send(t, tx, text)
				mu.Lock()
				defer mu.Unlock()
				switch {
				case got.Status >= http.StatusInternalServerError:
					t.Errorf("answer %d: %d %s", n, got.Status, got.Body)
				case got.Body == authenticatedBody(tx):
					counts["authenticated"]++
				case got.Body == deniedBody:
					counts["denied"]++
				}
				if n == round%len(texts) {
					group.Go(func() { b.revoke(t) })
				}
			})
		}
		group.Wait()
		o, state := b.outcome(t, tx)
		ends[o.State]++
		want := map[store.State]map[string]int{
			store.Authenticated: {"authenticated": 1}, store.Rejected: {"denied": 1}, store.Failed: {},
		}[o.State]
		if fmt.Sprint(counts) != fmt.Sprint(want) || state != o.State || b.callbacks(t) != before+1 {
			t.Errorf("outcome %s, Redis %s, answers %v, %d callbacks", o.State, state, counts, b.callbacks(t)-before)
		}
		b.gone(t)
	}
	t.Log(ends)
}

func TestFiftyAnswersOnPostgres(t *testing.T) {
	b := newPostgresBench(t)
	tx := b.open(t, b.kim, withPIN)
	challenge := b.fetched(t, b.kim, tx)
	var group sync.WaitGroup
	var mu sync.Mutex
	start, statuses := make(chan struct{}), map[int]int{}
	for range 50 {
		text := b.jws(t, b.kim, tx, challenge, reply{refresh: b.kim.refresh})
		group.Go(func() {
			<-start
			got := b.send(t, tx, text)
			mu.Lock()
			statuses[got.Status]++
			mu.Unlock()
		})
	}
	close(start)
	group.Wait()
	if statuses[200] != 1 || statuses[404]+statuses[409] != 49 || b.callbacks(t) != 1 {
		t.Errorf("statuses %v, %d callbacks", statuses, b.callbacks(t))
	}
}
