package ratelimit_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/ratelimit"
)

func newLimiter(env *audittest.Env) *ratelimit.Limiter {
	return &ratelimit.Limiter{Counts: env.Redis, Name: "test", Limit: 3, Window: time.Minute, Now: env.Now}
}

func TestLimit(t *testing.T) {
	env := audittest.New(t)
	l := newLimiter(env)
	for i, want := range []bool{false, false, true, true} {
		if got := l.Spend(t.Context(), "a"); got != want || l.Exceeded("a") != want {
			t.Errorf("failure %d: exceeded %v, want %v", i+1, got, want)
		}
	}
	if l.Exceeded("b") {
		t.Error("another key is exceeded")
	}
	env.Clock.Advance(time.Minute)
	if l.Exceeded("a") || l.Spend(t.Context(), "a") {
		t.Error("still exceeded in the next window")
	}
}

func TestCountsAreShared(t *testing.T) {
	env := audittest.New(t)
	a, b := newLimiter(env), newLimiter(env)
	a.Spend(t.Context(), "k")
	a.Spend(t.Context(), "k")
	if !b.Spend(t.Context(), "k") || !b.Exceeded("k") {
		t.Error("the third failure, in another process, is not the last")
	}
}

func TestWithoutRedis(t *testing.T) {
	env := audittest.New(t)
	l := newLimiter(env)
	env.RedisServer.Close()
	for i, want := range []bool{false, false, true} {
		if got := l.Spend(t.Context(), "a"); got != want {
			t.Errorf("failure %d: %v", i+1, got)
		}
	}
}

func TestOneReportInAWindow(t *testing.T) {
	env := audittest.New(t)
	l := newLimiter(env)
	for i, want := range []int{1, 0, 0} {
		if got := l.Refused("a"); got != want {
			t.Errorf("refusal %d: report %d, want %d", i+1, got, want)
		}
	}
	env.Clock.Advance(time.Minute)
	if got := l.Refused("a"); got != 3 {
		t.Errorf("report %d, want the two from before and this one", got)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	env := audittest.New(t)
	l := &ratelimit.Limiter{Counts: none{}, Name: "test", Limit: 1, Window: time.Minute, Now: env.Now}
	var all sync.WaitGroup
	for g := range 4 {
		all.Go(func() {
			for i := range 10_000 {
				l.Spend(t.Context(), fmt.Sprintf("%d/%d", g, i))
			}
		})
	}
	all.Wait()
	kept := 0
	for g := range 4 {
		for i := range 10_000 {
			if l.Exceeded(fmt.Sprintf("%d/%d", g, i)) {
				kept++
			}
		}
	}
	if kept == 0 || kept > 10_000 {
		t.Errorf("%d keys kept", kept)
	}
}

func TestAddresses(t *testing.T) {
	env := audittest.New(t)
	a := &ratelimit.Addresses{Limiter: newLimiter(env), Audit: env.Recorder}
	ctx := env.Context(t)
	for range 3 {
		if a.Exhausted(ctx, "192.0.2.1") {
			t.Error("exhausted too early")
		}
		a.Spend(ctx, "192.0.2.1")
	}
	for range 2 {
		if !a.Exhausted(ctx, "192.0.2.1") {
			t.Error("not exhausted")
		}
	}
	if a.Exhausted(ctx, "192.0.2.2") {
		t.Error("another address is exhausted")
	}
	events := audit.TrailOf(ctx).Pending()
	if len(events) != 1 || events[0].Code != audit.RateLimitExceeded || !strings.Contains(string(events[0].Details.JSON()), `"refusals":1`) {
		t.Errorf("events %+v", events)
	}
}

// none keeps no shared counts, as when Redis is away.
type none struct{}

func (none) Count(context.Context, string, time.Duration) (int, error) { return 0, errors.New("away") }
