package registration_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/phone"
	"tokenserver/store"
	"tokenserver/store/redisstore"
)

// racers is how many requests compete for one challenge.
const racers = 50

// forgetful is Redis after a fail-over that lost the removal of a challenge: it hands it out to everybody.
type forgetful struct{ *redisstore.Store }

func (s forgetful) TakeRegistrationChallenge(ctx context.Context, identifier string) (store.RegistrationChallenge, error) {
	c, err := s.Store.TakeRegistrationChallenge(ctx, identifier)
	if err == nil {
		err = s.AddRegistrationChallenge(ctx, c)
	}
	return c, err
}

// race sends the same request many times at once and returns how many were answered with each status.
func (f *fixture) race(t *testing.T, r audittest.Request) (won, lost int64) {
	t.Helper()
	var group sync.WaitGroup
	var good, bad, other atomic.Int64
	start := make(chan struct{})
	for range racers {
		group.Go(func() {
			<-start
			switch got := audittest.Do(t, f.routes, r); got.Status {
			case 200, 201:
				good.Add(1)
			case 400:
				bad.Add(1)
			default:
				other.Add(1)
				t.Errorf("got %d %s", got.Status, got.Body)
			}
		})
	}
	close(start)
	group.Wait()
	return good.Load(), bad.Load()
}

func (f *fixture) wantOneWinner(t *testing.T, won, lost int64, success, failure audit.Code) {
	t.Helper()
	if won != 1 || lost != racers-1 {
		t.Errorf("%d won, %d lost, want 1 and %d", won, lost, racers-1)
	}
	count := map[audit.Code]int{}
	for _, code := range f.Codes(t) {
		count[code]++
	}
	if count[success] != 1 || count[failure] != racers-1 || len(count) != 2 {
		t.Errorf("codes %v", count)
	}
}

func TestCompletionsAtOnce(t *testing.T) {
	for name, spoil := range map[string]func(*fixture){
		"Redis decides":                        func(*fixture) {},
		"SQL decides when Redis has forgotten": func(f *fixture) { f.handler.Challenges = forgetful{f.Redis} },
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(t)
			spoil(f)
			c := f.begin(t, "1")
			won, lost := f.race(t, audittest.Request{Path: "/oauth/v1/client/registration/complete", Header: headers("1"), JSON: object(
				"identifier", c.Identifier, "response", f.respond(t, phone.SignatureKey(oldSignature), c.Challenge, f.Now()))})
			f.wantOneWinner(t, won, lost, audit.DynamicRegSuccess, audit.DynamicRegFailed)
		})
	}
}

func TestRegistrationsWithOneKeyAtOnce(t *testing.T) {
	f := newFixture(t)
	f.handler.Challenges = forgetful{f.Redis}
	a := newAttempt(t, f, "")
	won, lost := f.race(t, audittest.Request{Path: "/oauth/v2/client/registration", Header: headers("2"), JSON: object(
		"identifier", a.challenge.Identifier, "client_statement", a.signed(t))})
	f.wantOneWinner(t, won, lost, audit.DynamicRegSuccess, audit.DynamicRegFailed)
}

func TestUpgradesAtOnce(t *testing.T) {
	f := newFixture(t)
	f.handler.Challenges = forgetful{f.Redis}
	i := f.withSecret(t, oldSignature)
	due := f.due(t, "1", i, "X-App-Version", "2.0")
	won, lost := f.race(t, f.upgradeRequest(t, i, due, newSignature, "X-App-Version", "2.0"))
	f.wantOneWinner(t, won, lost, audit.DynamicUpSuccess, audit.DynamicUpFailed)
}
