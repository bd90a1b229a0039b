package main

import (
	"slices"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/keys"
)

// TestScheduleRotatesOnce: of many processes at the end of the interval one rotates, with one event, and nobody does so
// again before its time.
func TestScheduleRotatesOnce(t *testing.T) {
	const interval = 90 * 24 * time.Hour
	env := audittest.New(t)
	servers := make([]*server, 10)
	for i := range servers {
		s := &server{
			program: &program{now: env.Now}, sql: env.Store, recorder: env.Recorder,
			ring: &keys.Ring{Store: env.Store, Keys: env.Keys, Algorithm: keys.ES256, Now: env.Now, NewID: env.NewID},
		}
		if err := s.ring.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		servers[i] = s
	}
	rotate := func() {
		var running sync.WaitGroup
		for _, s := range servers {
			running.Go(func() {
				if err := s.rotateKeys(t.Context(), interval); err != nil {
					t.Error(err)
				}
			})
		}
		running.Wait()
	}
	env.Clock.Advance(interval - time.Second)
	rotate()
	if got := env.Codes(t); len(got) != 0 {
		t.Errorf("before the time: %v", got)
	}
	env.Clock.Advance(time.Second)
	rotate()
	rotate()
	if got := env.Codes(t); !slices.Equal(got, []audit.Code{audit.JWTKeysRotated}) {
		t.Errorf("audit %v", got)
	}
}
