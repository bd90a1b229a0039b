package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"tokenserver/phone"
)

// together runs n calls at the same moment.
func together(n int, call func(i int)) {
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			call(i)
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
}

// tally counts what concurrent calls ended with.
type tally struct {
	mu     sync.Mutex
	counts map[string]int
}

func (c *tally) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = map[string]int{}
	}
	c.counts[what]++
}

// want compares all counts.
func (c *tally) want(t *testing.T, what string, want map[string]int) {
	t.Helper()
	if !maps.Equal(c.counts, want) {
		t.Errorf("%s: %v, want %v", what, c.counts, want)
	}
}

// wantCodes compares how often each code was written under a transaction id, in whatever order.
func (a *actor) wantCodes(transaction string, want map[string]int) []event {
	a.t.Helper()
	if err := a.d.log.settle(a.t.Context()); err != nil {
		a.t.Fatal(err)
	}
	events := a.d.log.of(transaction)
	var codes tally
	for _, e := range events {
		codes.add(e.Code)
	}
	codes.want(a.t, "codes", want)
	return events
}

// ends turns the error of a concurrent call into a word; it never fails the test.
func ends(err error) string {
	switch refused := phone.Refused(err); {
	case err == nil:
		return "accepted"
	case refused != nil:
		return fmt.Sprintf("%d %s", refused.Status, refused.Code)
	}
	return err.Error()
}

// TestOneAnswerWins: of 50 different answers that arrive at both processes at once, one decides.
func TestOneAnswerWins(t *testing.T) {
	const n = 50
	a := newActor(t, cluster(t))
	p, m := a.fetched("kim", typePush)
	answers := make([]*phone.Answer, n)
	for i := range answers {
		response := []string{"accept", "deny"}[i%2]
		var err error
		if answers[i], err = p.NewAnswer(t.Context(), m, response, phone.MethodPush, nil); err != nil {
			t.Fatal(err)
		}
	}
	transaction := a.begin()
	var results tally
	together(n, func(i int) {
		result, err := p.SendAnswer(t.Context(), answers[i])
		if err == nil {
			results.add(result.Result)
			return
		}
		results.add(strings.TrimPrefix(strings.TrimPrefix(ends(err), "404 "), "409 "))
	})
	accepted := results.counts["authenticated"] == 1
	code, result := "PUSH_AUTH_NOT_AUTHENTICATED", "denied"
	if accepted {
		code, result = "PUSH_AUTH_AUTHENTICATED", "authenticated"
	}
	results.want(t, "answers", map[string]int{result: 1, "invalid_transaction": n - 1})
	a.wantCodes(transaction, map[string]int{code: 1, "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TRANSACTION": n - 1})
	a.called(m.TransactionID)
	a.begin()
	outcome, err := a.portal().Result(t.Context(), m.TransactionID)
	if err != nil || outcome.Authenticated != accepted {
		t.Errorf("result %+v, %v", outcome, err)
	}
	calls := 0
	for _, c := range a.d.world.portal.Callbacks() {
		if c.TransactionID == m.TransactionID {
			calls++
		}
	}
	if calls != 1 {
		t.Errorf("%d callbacks", calls)
	}
}

// TestOneRedemptionWins: of 50 redemptions of one code one gets tokens, and the others revoke them (RFC 6749 §4.1.2).
func TestOneRedemptionWins(t *testing.T) {
	const n = 50
	a := newActor(t, cluster(t))
	p, profile := a.registered(android()), phone.NewProfileID()
	authorization, code := a.authorized(p, "lou")
	transaction := a.begin()
	var results tally
	var token string
	together(n, func(int) {
		answer, err := p.Exchange(t.Context(), authorization, code, profile)
		results.add(ends(err))
		if err == nil {
			token = answer.AccessToken
		}
	})
	results.want(t, "redemptions", map[string]int{"accepted": 1, "400 invalid_grant": n - 1})
	a.wantCodes(transaction, map[string]int{"TOKEN_REQUEST_ACCESS_TOKEN_CREATED": 1, "TOKEN_REQUEST_INVALID_GRANT": n - 1})
	if active := a.inactive(token); active != "false" {
		t.Errorf("after the replays the access token is active: %s", active)
	}
}

// TestOneSuccessor: 50 refreshes with one refresh token get the same successor, and one of them rotates.
func TestOneSuccessor(t *testing.T) {
	const n = 50
	a := newActor(t, cluster(t))
	p, profile := a.signedIn(android(), "max")
	token := a.refreshToken(p, profile)
	transaction := a.begin()
	var results, successors tally
	var last string
	var mu sync.Mutex
	together(n, func(int) {
		answer, err := refresh(t.Context(), p, profile, token)
		results.add(ends(err))
		if err == nil {
			successors.add(answer.RefreshToken)
			mu.Lock()
			last = answer.RefreshToken
			mu.Unlock()
		}
	})
	results.want(t, "refreshes", map[string]int{"accepted": n})
	if len(successors.counts) != 1 || last == token {
		t.Errorf("%d successors", len(successors.counts))
	}
	rotations := 0
	for _, e := range a.wantCodes(transaction, map[string]int{"TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED": n}) {
		if e.detail("repeat") != "true" {
			rotations++
		}
	}
	if rotations != 1 {
		t.Errorf("%d rotations", rotations)
	}
	a.step("the successor works", "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED", func(ctx context.Context) error {
		_, err := refresh(ctx, p, profile, last)
		return err
	})
	a.step("and ends its predecessor", "TOKEN_REQUEST_INVALID_REFRESH_TOKEN", func(ctx context.Context) error {
		_, err := refresh(ctx, p, profile, token)
		return refusedAs(err, 400, "invalid_grant")
	})
}

// TestPINLimitUnderLoad: of 100 wrong PINs at once three are compared, and the profile is gone.
func TestPINLimitUnderLoad(t *testing.T) {
	const n = 100
	a := newActor(t, cluster(t))
	p, profile := a.signedIn(android(), "noa")
	token := a.refreshToken(p, profile)
	transaction := a.begin()
	var results, remaining tally
	together(n, func(int) {
		_, err := refresh(t.Context(), p, profile, randomHex(32))
		results.add(ends(err))
		if refused := phone.Refused(err); refused != nil && refused.Remaining != nil {
			remaining.add(fmt.Sprint(*refused.Remaining))
		}
	})
	results.want(t, "refreshes", map[string]int{"400 invalid_grant": n})
	remaining.want(t, "remaining attempts", map[string]int{"2": 1, "1": 1, "0": 1})
	a.wantCodes(transaction, map[string]int{"TOKEN_REQUEST_INVALID_REFRESH_TOKEN": n - 1, "TOKEN_REQUEST_REFRESH_TOKEN_RETRY_COUNT_EXCEEDED": 1})
	a.step("right PIN", "TOKEN_REQUEST_INVALID_REFRESH_TOKEN", func(ctx context.Context) error {
		_, err := refresh(ctx, p, profile, token)
		return refusedAs(err, 400, "invalid_grant")
	})
}

// TestRevocationRacesAnswer: what commits first wins. An answer that was accepted stands before the revocation in the log; one
// that came later was refused and has no effect.
func TestRevocationRacesAnswer(t *testing.T) {
	t.Parallel()
	const rounds = 20
	a := newActor(t, cluster(t))
	p, person := a.registered(android()), a.person("pat")
	var winners tally
	var checks []func()
	for range rounds {
		profile := phone.NewProfileID()
		a.quietly("sign in and enroll", func(ctx context.Context) error {
			_, err := p.SignIn(ctx, profile, pin, []string{"openid", "read"}, person)
			return errors.Join(err, p.Enroll(ctx, profile, a.d.world.androidDevice()))
		})
		started := a.started(p, "pat", typePIN)
		var m *phone.Message
		a.quietly("fetch", func(ctx context.Context) (err error) {
			m, err = p.Fetch(ctx, started.TransactionID, profile)
			return err
		})
		answer, err := p.NewAnswer(t.Context(), m, "accept", phone.MethodPIN, phone.Claims{"refresh_token": a.refreshToken(p, profile)})
		if err != nil {
			t.Fatal(err)
		}
		transaction := a.begin()
		var answered error
		together(2, func(i int) {
			if i == 0 {
				_, answered = p.SendAnswer(t.Context(), answer)
				return
			}
			response, err := p.Do(t.Context(), phone.Request{Path: "/v1/revoke/profile", ClientAuth: true, Form: url.Values{"profile_id": {profile}}})
			if err != nil || response.Status != 200 {
				t.Errorf("revocation: %v %v", response, err)
			}
		})
		winners.add(ends(answered))
		checks = append(checks, func() { a.checkRace(transaction, started.TransactionID, answered) })
	}
	if err := a.d.log.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, check := range checks {
		check()
	}
	t.Logf("answers: %v", winners.counts)
}

// checkRace checks one round: events, their order, and what the portal sees.
func (a *actor) checkRace(transaction, id string, answered error) {
	a.t.Helper()
	codes := strings.Fields(codesOf(a.d.log.of(transaction)))
	want := []string{"PUSH_AUTH_AUTHENTICATED", "TOKEN_REVOKE_PROFILE_SUCCESS"}
	if answered != nil {
		want = []string{"TOKEN_REVOKE_PROFILE_SUCCESS", "PUSH_AUTH_NOT_AUTHENTICATED_INVALID_TRANSACTION"}
		if refused := phone.Refused(answered); refused == nil || refused.Code != "invalid_transaction" {
			a.t.Errorf("the answer ended with %v", answered)
		}
	}
	if !slices.Equal(codes, want) {
		a.t.Errorf("audit log %v, want %v", codes, want)
	}
	a.begin()
	outcome, err := a.portal().Result(a.t.Context(), id)
	if err != nil || outcome.Authenticated != (answered == nil) || (answered != nil && (outcome.Reason == nil || outcome.Reason.Reason != "invalid_request")) {
		a.t.Errorf("answer %v, but the portal sees %+v, %v", answered, outcome, err)
	}
}
