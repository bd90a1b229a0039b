package redisstore_test

import (
	"errors"
	"testing"
	"time"

	"tokenserver/internal/audittest"
	"tokenserver/store"
)

func TestClaimedIsWhatTheFirstKept(t *testing.T) {
	e := audittest.New(t)
	if _, err := e.Redis.Claimed(t.Context(), "scope", "id"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("before: %v", err)
	}
	for _, value := range []string{"first", "second"} {
		_, err := e.Redis.ClaimOnce(t.Context(), "scope", "id", value, e.Now().Add(time.Minute))
		if (err == nil) != (value == "first") {
			t.Errorf("%s: %v", value, err)
		}
	}
	if value, err := e.Redis.Claimed(t.Context(), "scope", "id"); value != "first" || err != nil {
		t.Errorf("%q %v", value, err)
	}
	e.Clock.Advance(time.Minute)
	if _, err := e.Redis.Claimed(t.Context(), "scope", "id"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("afterwards: %v", err)
	}
}
