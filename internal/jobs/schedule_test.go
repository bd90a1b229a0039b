package jobs_test

import (
	"testing"
	"time"

	"tokenserver/internal/jobs"
)

func TestWait(t *testing.T) {
	const almostOne = 0.999999
	for _, tc := range []struct {
		tries    int
		random   float64
		from, to time.Duration
	}{
		{1, 0, 2 * time.Second, 2 * time.Second},
		{2, 0.5, 10 * time.Second, 10 * time.Second},
		{3, almostOne, time.Minute, time.Minute},
		{4, 0, 96 * time.Second, 96 * time.Second},
		{4, 0.5, 2 * time.Minute, 2 * time.Minute},
		{4, almostOne, 143 * time.Second, 144 * time.Second},
		{5, 0.5, 4 * time.Minute, 4 * time.Minute},
		{6, 0.5, 8 * time.Minute, 8 * time.Minute},
		{7, 0, 12 * time.Minute, 13 * time.Minute},
		{7, almostOne, 15 * time.Minute, 15 * time.Minute},
		{9, almostOne, 15 * time.Minute, 15 * time.Minute},
		{1000, 0.5, 15 * time.Minute, 15 * time.Minute},
	} {
		if got := jobs.Wait(tc.tries, tc.random); got < tc.from || got > tc.to {
			t.Errorf("after %d tries, random %v: %v, want %v to %v", tc.tries, tc.random, got, tc.from, tc.to)
		}
	}
}
