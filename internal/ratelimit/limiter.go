package ratelimit

import (
	"context"
	"strconv"
	"sync"
	"time"
)

const (
	// remembered is how many keys a process keeps in memory.
	remembered = 10_000
	// patience is how long a count waits for Redis before the process counts for itself.
	patience = 250 * time.Millisecond
)

// counter keeps shared counts: Redis.
type counter interface {
	// Count adds one to a key that is forgotten after life, and returns the sum.
	Count(ctx context.Context, key string, life time.Duration) (int, error)
}

// Limiter allows Limit failures of a key in each Window. All fields are required. Safe for concurrent use.
type Limiter struct {
	Counts counter
	Name   string // keeps the keys of several limiters apart
	Limit  int
	Window time.Duration
	Now    func() time.Time

	mu   sync.Mutex
	keys map[string]*usage
}

// usage is what a process knows of one key in the current window.
type usage struct {
	window   int64 // number of the window
	local    int   // failures seen by this process
	over     bool  // the limit has been reached
	refusals int   // since the last report
	reported int64 // window of the last report + 1; 0 = never
}

func (l *Limiter) window() int64 { return l.Now().UnixNano() / int64(l.Window) }

// Exceeded tells whether the key has used up its failures in this window, as far as this process knows.
func (l *Limiter) Exceeded(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.keys[key]
	return u != nil && u.window == l.window() && u.over
}

// Spend counts one failure. exceeded is true from the failure on that reaches the limit: nothing more is allowed in
// this window.
func (l *Limiter) Spend(ctx context.Context, key string) (exceeded bool) {
	window := l.window()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	shared, err := l.Counts.Count(ctx, l.Name+":"+strconv.FormatInt(window, 10)+":"+key, l.Window)
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.usage(key, window)
	u.local++
	count := u.local
	if err == nil {
		count = max(count, shared)
	}
	if count >= l.Limit {
		u.over = true
	}
	return u.over
}

// Refused counts one refusal and returns how many to report now: everything since the last report, at most once in
// each window; else 0.
func (l *Limiter) Refused(key string) (report int) {
	window := l.window()
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.usage(key, window)
	u.refusals++
	if u.reported == window+1 {
		return 0
	}
	report, u.refusals, u.reported = u.refusals, 0, window+1
	return report
}

// usage returns the key's entry for a window, under the lock.
func (l *Limiter) usage(key string, window int64) *usage {
	if l.keys == nil {
		l.keys = make(map[string]*usage)
	}
	u := l.keys[key]
	if u == nil {
		if len(l.keys) >= remembered {
			l.sweep(window)
		}
		u = &usage{window: window}
		l.keys[key] = u
	}
	if u.window != window {
		u.window, u.local, u.over = window, 0, false
	}
	return u
}

// sweep makes room: first what belongs to former windows, then anything. It frees a quarter at once, so that it is
// seldom needed.
func (l *Limiter) sweep(window int64) {
	for key, u := range l.keys {
		if u.window != window {
			delete(l.keys, key)
		}
	}
	for key := range l.keys {
		if len(l.keys) <= remembered/4*3 {
			return
		}
		delete(l.keys, key)
	}
}
