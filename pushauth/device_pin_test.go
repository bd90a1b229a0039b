package pushauth_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

type ctx = context.Context

func inTx(t *testing.T, b *deviceBench, f func(ctx) error) error {
	t.Helper()
	return b.Store.InTx(b.Context(t), f)
}

// wrongPIN answers with a token that is not right and returns the next challenge.
func (b *deviceBench) wrongPIN(t *testing.T, tx store.Transaction, challenge string) (next string) {
	t.Helper()
	text := b.jws(t, b.kim, tx, challenge, reply{refresh: fmt.Sprintf("%064X", b.Now().UnixNano())})
	var answer struct {
		Challenge string `json:"challenge"`
	}
	b.ok(t, json.Unmarshal([]byte(b.send(t, tx, text).Body), &answer))
	return answer.Challenge
}

func wrongPINBody(used, most int, remaining any, challenge string) string {
	left, _ := json.Marshal(remaining)
	return fmt.Sprintf(`{"error":"invalid_refresh_token","error_description":"the refresh token is not right",`+
		`"used_attempts":%d,"max_attempts":%d,"remaining_attempts":%s,"challenge":"%s"}`, used, most, left, challenge)
}

const removedBody = `{"error":"user_revoked","error_description":"too many wrong refresh tokens: the user has been removed ` +
	`from this installation","used_attempts":3,"max_attempts":3,"remaining_attempts":0}`

func TestWrongPINThenRight(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim, withPIN)
	c1 := b.fetched(t, b.kim, tx)
	text := b.jws(t, b.kim, tx, c1, reply{refresh: strings.Repeat("0", 64)})
	got := b.send(t, tx, text)
	moved, err := b.Redis.Transaction(t.Context(), tx.ID)
	b.ok(t, err)
	events := b.want(t, got, 400, wrongPINBody(1, 3, 2, moved.Challenge), audit.PushAuthNotAuthenticatedInvalidRefreshToken)
	if !strings.Contains(events[0].Details, `"attempts":1,"max":3`) {
		t.Errorf("details %s", events[0].Details)
	}
	if moved.Challenge == c1 || moved.State != store.Fetched || moved.PINAttempts != 1 {
		t.Errorf("%+v", moved)
	}
	b.want(t, b.send(t, tx, text), 400, got.Body) // the repeat costs no attempt
	b.want(t, b.send(t, tx, b.jws(t, b.kim, tx, c1, reply{refresh: b.kim.refresh})), 400, badClaims,
		audit.PushAuthNotAuthenticatedInvalidToken) // the old challenge is dead
	b.failures(t, 1)
	b.want(t, b.send(t, tx, b.jws(t, b.kim, tx, moved.Challenge, reply{refresh: b.kim.refresh})), 200, authenticatedBody(tx),
		audit.PushAuthAuthenticated)
	o, state := b.outcome(t, tx)
	if state != store.Authenticated || o.Method != store.PushWithPIN || !strings.Contains(string(o.Result), `"pin_attempts":2`) {
		t.Errorf("state %s, outcome %+v", state, o)
	}
	b.failures(t, 0)
}

// failures compares the PIN counter of the first user.
func (b *deviceBench) failures(t *testing.T, want int) {
	t.Helper()
	p, err := b.Store.Profile(t.Context(), pixel, "QW4RTY")
	b.ok(t, err)
	if p.PINFailures != want {
		t.Errorf("%d PIN failures, want %d", p.PINFailures, want)
	}
}

func TestUnlimitedPINs(t *testing.T) {
	b := newDeviceBench(t, func(d *settings.Document) { d.Applications[0].MaxPINFailures = new(int) })
	tx := b.open(t, b.kim, withPIN)
	challenge := b.fetched(t, b.kim, tx)
	for used := 1; used <= 5; used++ {
		got := b.send(t, tx, b.jws(t, b.kim, tx, challenge, reply{refresh: strings.Repeat("0", 64)}))
		moved, err := b.Redis.Transaction(t.Context(), tx.ID)
		b.ok(t, err)
		challenge = moved.Challenge
		b.want(t, got, 400, wrongPINBody(used, 0, nil, challenge), audit.PushAuthNotAuthenticatedInvalidRefreshToken)
	}
}

// The third wrong PIN in a row, in whatever transactions: the user is gone from the installation.
func TestPINLimitRemovesTheUser(t *testing.T) {
	b := newDeviceBench(t)
	first, second, others := b.open(t, b.kim, withPIN), b.open(t, b.kim, withPIN), b.open(t, b.other)
	waiting := b.open(t, b.kim)
	b.wrongPIN(t, first, b.fetched(t, b.kim, first))
	challenge := b.fetched(t, b.kim, second)
	challenge = b.wrongPIN(t, second, challenge)
	b.Codes(t)
	text := b.jws(t, b.kim, second, challenge, reply{refresh: strings.Repeat("0", 64)})
	events := b.want(t, b.send(t, second, text), 403, removedBody, audit.PushAuthValidationPINLimitExceeded)
	if e := events[0]; e.UserID != "u-1" || e.ClientID != pixel || e.ProfileID != "QW4RTY" || !strings.Contains(e.Details, second.ID) {
		t.Errorf("event %+v", e)
	}
	b.want(t, b.send(t, second, text), 403, removedBody) // the repeat

	for _, tc := range []struct {
		tx     store.Transaction
		reason store.Reason
	}{{second, store.InvalidAnswer}, {first, store.InvalidRequest}, {waiting, store.InvalidRequest}} {
		o, state := b.outcome(t, tc.tx)
		if state != store.Failed || o.State != store.Failed || o.Reason != tc.reason {
			t.Errorf("state %s, outcome %+v, want %s", state, o, tc.reason)
		}
	}
	if o, _ := b.outcome(t, second); !strings.Contains(string(o.Result), `"pin_attempts":2`) {
		t.Errorf("result %s", o.Result)
	}
	if b.callbacks(t) != 3 {
		t.Errorf("%d callbacks, want 3", b.callbacks(t))
	}
	if _, err := b.Store.Profile(t.Context(), pixel, "QW4RTY"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("profile: %v", err)
	}
	if _, err := b.Store.Enrollment(t.Context(), b.kim.id); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("enrollment: %v", err)
	}
	if live, err := b.tokens.HasLive(t.Context(), pixel, "QW4RTY", store.DefaultToken); live || err != nil {
		t.Errorf("tokens live: %v, %v", live, err)
	}
	// Others are not touched.
	if _, err := b.Store.Enrollment(t.Context(), b.tablet.id); err != nil {
		t.Errorf("the user's other device: %v", err)
	}
	b.want(t, b.send(t, others, b.jws(t, b.other, others, b.fetched(t, b.other, others), reply{})), 200, authenticatedBody(others),
		audit.PushAuthAuthenticated)
	b.want(t, b.fetch(t, b.proof(t, b.kim, waiting, nil)), 404, notFetchable, audit.PushAuthFetchFailedInvalidTransaction)
}

// The limit was reached elsewhere, for example at the token endpoint by a process that died: nothing is compared.
func TestPINLimitReachedBefore(t *testing.T) {
	b := newDeviceBench(t)
	for range 3 {
		_, err := b.Store.RaisePINFailures(t.Context(), pixel, "QW4RTY", 3)
		b.ok(t, err)
	}
	tx := b.open(t, b.kim, withPIN)
	text := b.jws(t, b.kim, tx, b.fetched(t, b.kim, tx), reply{refresh: b.kim.refresh})
	b.want(t, b.send(t, tx, text), 403, removedBody, audit.PushAuthValidationPINLimitExceeded)
}

func TestExpiredToken(t *testing.T) {
	b := newDeviceBench(t)
	var issued token.Issued
	b.ok(t, inTx(t, b, func(ctx ctx) error {
		var err error
		issued, err = b.tokens.Issue(ctx, token.Grant{
			ClientID: pixel, ProfileID: "QW4RTY", UserID: "u-1", Kind: store.DefaultToken, AccessLife: time.Minute,
			RefreshLife: time.Minute, Refresh: true,
		})
		return err
	}))
	tx := b.open(t, b.kim, withPIN)
	challenge := b.fetched(t, b.kim, tx)
	b.Clock.Advance(2 * time.Minute)
	events := b.want(t, b.send(t, tx, b.jws(t, b.kim, tx, challenge, reply{refresh: issued.RefreshToken})), 400, wrongToken,
		audit.PushAuthNotAuthenticatedInvalidRefreshToken)
	o, state := b.outcome(t, tx)
	if !strings.Contains(events[0].Details, `"reason":"expired"`) || state != store.Failed || o.Reason != store.InvalidRequest {
		t.Errorf("%s, state %s, outcome %+v", events[0].Details, state, o)
	}
	b.failures(t, 0)
}

// A rotated-out token is good as long as its successor has not been used; an answer counts as use. Then it is reuse.
func TestRotatedOutToken(t *testing.T) {
	b := newDeviceBench(t)
	var next token.Issued
	b.ok(t, inTx(t, b, func(ctx ctx) error {
		check, err := b.tokens.CheckRefresh(ctx, pixel, "QW4RTY", b.kim.refresh, 3)
		if err == nil {
			next, err = b.tokens.Rotate(ctx, check, token.Grant{AccessLife: time.Hour}, true)
		}
		return err
	}))
	answer := func(refresh string) (store.Transaction, string) {
		tx := b.open(t, b.kim, withPIN)
		return tx, b.jws(t, b.kim, tx, b.fetched(t, b.kim, tx), reply{refresh: refresh})
	}
	for _, refresh := range []string{b.kim.refresh, next.RefreshToken} {
		tx, text := answer(refresh)
		b.want(t, b.send(t, tx, text), 200, authenticatedBody(tx), audit.PushAuthAuthenticated)
	}
	tx, text := answer(b.kim.refresh)
	events := b.want(t, b.send(t, tx, text), 400, reusedToken, audit.PushAuthNotAuthenticatedInvalidRefreshToken)
	o, state := b.outcome(t, tx)
	if !strings.Contains(events[0].Details, `"reason":"reuse"`) || state != store.Failed || o.Reason != store.InvalidAnswer {
		t.Errorf("%s, state %s, outcome %+v", events[0].Details, state, o)
	}
	b.failures(t, 0)
	if live, err := b.tokens.HasLive(t.Context(), pixel, "QW4RTY", store.DefaultToken); live || err != nil {
		t.Errorf("the family lives on: %v", err)
	}
	if _, err := b.Store.Profile(t.Context(), pixel, "QW4RTY"); err != nil {
		t.Errorf("the user is gone: %v", err)
	}
}

// Fifty right answers to one challenge: one of them counts.
func TestParallelAnswersHaveOneWinner(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim, withPIN)
	challenge := b.fetched(t, b.kim, tx)
	var group sync.WaitGroup
	var mu sync.Mutex
	start, statuses := make(chan struct{}), map[int]int{}
	for n := range 50 {
		text := b.jws(t, b.kim, tx, challenge, reply{refresh: b.kim.refresh, deny: n%2 == 1})
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
	counts := map[audit.Code]int{}
	for _, code := range b.Codes(t) {
		counts[code]++
	}
	if won := counts[audit.PushAuthAuthenticated] + counts[audit.PushAuthNotAuthenticated]; won != 1 || statuses[200] != 1 ||
		counts[audit.PushAuthNotAuthenticatedInvalidTransaction] != 49 || statuses[404]+statuses[409] != 49 {
		t.Errorf("codes %v, statuses %v", counts, statuses)
	}
	if b.callbacks(t) != 1 {
		t.Errorf("%d callbacks", b.callbacks(t))
	}
}

// Fifty wrong PINs to one challenge cost one attempt: a challenge is answered once.
func TestParallelWrongPINsCostOneAttempt(t *testing.T) {
	b := newDeviceBench(t)
	tx := b.open(t, b.kim, withPIN)
	challenge := b.fetched(t, b.kim, tx)
	var group sync.WaitGroup
	start := make(chan struct{})
	for n := range 50 {
		text := b.jws(t, b.kim, tx, challenge, reply{refresh: fmt.Sprintf("%064X", n)})
		group.Go(func() {
			<-start
			b.send(t, tx, text)
		})
	}
	close(start)
	group.Wait()
	counts := map[audit.Code]int{}
	for _, code := range b.Codes(t) {
		counts[code]++
	}
	if counts[audit.PushAuthNotAuthenticatedInvalidRefreshToken] != 1 || counts[audit.PushAuthValidationPINLimitExceeded] != 0 {
		t.Errorf("codes %v", counts)
	}
	b.failures(t, 1)
}

// One challenge is one try, whatever the others say: the right PIN among many wrong ones wins only when it comes first.
func TestRightPINAmongWrongOnesIsOneTry(t *testing.T) {
	for range 5 {
		b := newDeviceBench(t)
		tx := b.open(t, b.kim, withPIN)
		challenge := b.fetched(t, b.kim, tx)
		answers := []string{b.jws(t, b.kim, tx, challenge, reply{refresh: b.kim.refresh})}
		for n := range 30 {
			answers = append(answers, b.jws(t, b.kim, tx, challenge, reply{refresh: fmt.Sprintf("%064X", n)}))
		}
		var group sync.WaitGroup
		start := make(chan struct{})
		for _, text := range answers {
			group.Go(func() {
				<-start
				b.send(t, tx, text)
			})
		}
		close(start)
		group.Wait()
		counts := map[audit.Code]int{}
		for _, code := range b.Codes(t) {
			counts[code]++
		}
		if tried := counts[audit.PushAuthNotAuthenticatedInvalidRefreshToken] + counts[audit.PushAuthAuthenticated]; tried != 1 {
			t.Fatalf("%d answers to one challenge were judged: %v", tried, counts)
		}
	}
}

func TestRemoveInstallation(t *testing.T) {
	b := newDeviceBench(t)
	first, second := b.open(t, b.kim), b.open(t, b.other)
	b.ok(t, inTx(t, b, func(ctx ctx) error { return b.lifecycle.RemoveInstallation(ctx, pixel) }))
	for _, tx := range []store.Transaction{first, second} {
		if o, state := b.outcome(t, tx); o.State != store.Failed || o.Reason != store.InvalidRequest || state != store.Failed {
			t.Errorf("state %s, outcome %+v", state, o)
		}
	}
	if b.callbacks(t) != 2 {
		t.Errorf("%d callbacks", b.callbacks(t))
	}
	if _, err := b.Store.Installation(t.Context(), pixel); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("installation: %v", err)
	}
	for name, remove := range map[string]func(ctx) error{
		"installation": func(ctx ctx) error { return b.lifecycle.RemoveInstallation(ctx, pixel) },
		"profile":      func(ctx ctx) error { return b.lifecycle.RemoveProfile(ctx, pixel, "QW4RTY", "") },
		"enrollment":   func(ctx ctx) error { return b.lifecycle.RemoveEnrollment(ctx, b.kim.id, store.InvalidRequest) },
	} {
		if err := inTx(t, b, remove); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s again: %v", name, err)
		}
	}
}
