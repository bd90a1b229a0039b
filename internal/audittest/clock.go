package audittest

import (
	"sync"
	"time"
)

// Clock stands still until Advance. Safe for concurrent use.
type Clock struct {
	mu    sync.Mutex
	now   time.Time
	moved []func(now time.Time, by time.Duration)
}

// Now returns the time of the clock, UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock, and Redis with it: keys expire.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
	for _, f := range c.moved {
		f(c.now, by)
	}
}
