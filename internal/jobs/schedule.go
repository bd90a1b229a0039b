package jobs

import "time"

// Tries is how often a job is tried before it is buried.
const Tries = 10

const (
	firstDoubling = time.Minute
	longestWait   = 15 * time.Minute
	jitter        = 0.2 // of the wait, up or down, once it doubles
)

// Wait returns how long to wait after the given number of tries: 2, 10 and 60 s, then doubling with jitter, 15 min at
// most. random is in [0, 1): many jobs that failed together shall not come back together.
func Wait(tries int, random float64) time.Duration {
	switch tries {
	case 0, 1:
		return 2 * time.Second
	case 2:
		return 10 * time.Second
	case 3:
		return firstDoubling
	}
	wait := firstDoubling
	for ; tries > 3 && wait < longestWait; tries-- {
		wait *= 2
	}
	wait += time.Duration(float64(wait) * jitter * (2*random - 1))
	return min(wait, longestWait)
}
