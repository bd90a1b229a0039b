package token

import (
	"context"
	"fmt"
	"sync"
	"time"

	"tokenserver/store"
)

const (
	// pollEvery is how often the rows of other processes are fetched, besides on a hint.
	pollEvery = time.Second
	// pollGap is the least time between polls: hints that come faster are answered together.
	pollGap = 50 * time.Millisecond
	// reloadEvery is how often everything is read anew: rows that committed very late, rows whose time is over.
	reloadEvery = time.Minute
	// lateCommit is for how long rows behind the newest one are looked for: a transaction may commit after a later one.
	lateCommit = 10 * time.Second
	// keepFor is how long a revocation is kept: the longest life of an access token, and some clock drift.
	keepFor = 25 * time.Hour
	// drift is how far the clocks of two processes may be apart: a revocation reaches that far ahead of the clock of who
	// revokes. Whoever runs several processes keeps their clocks closer together.
	drift = 2 * time.Second
	// hintTopic is where processes tell each other that there are new rows.
	hintTopic = "revocations"
)

// revocationRows keeps revocations durably: SQL, append only.
type revocationRows interface {
	// AddRevocations appends rows that are kept until a moment.
	AddRevocations(ctx context.Context, rows []store.Revocation, until time.Time) error
	// RevocationsAfter returns the rows with a sequence above after that are kept beyond now, and the highest sequence.
	RevocationsAfter(ctx context.Context, after int64, now time.Time) ([]store.Revocation, int64, error)
	// ForgetRevocations removes the rows whose time is over.
	ForgetRevocations(ctx context.Context, now time.Time) error
}

// hints wake other processes. They may get lost: a hint only makes polling look sooner.
type hints interface {
	Hint(ctx context.Context, topic string) error
	// Hints returns a channel that gets a value after each hint, until ctx ends.
	Hints(ctx context.Context, topic string) <-chan struct{}
}

// Revocations is the snapshot of everything that ended before its time, read in one pass and kept up to date. Store,
// Hints and Now are required. Safe for concurrent use; call Load before the first use and Run in the background.
type Revocations struct {
	Store revocationRows
	Hints hints
	Now   func() time.Time

	mu      sync.RWMutex
	before  map[string]int64 // subject → µs: what was issued then or earlier is revoked
	loading map[string]int64 // while everything is read anew: what takes the place of before

	polling sync.Mutex
	marks   []mark // highest sequences seen, oldest first
	loaded  time.Time
}

// mark is the highest sequence at a moment.
type mark struct {
	at       time.Time
	sequence int64
}

// Load reads everything.
func (r *Revocations) Load(ctx context.Context) error {
	r.polling.Lock()
	defer r.polling.Unlock()
	return r.load(ctx)
}

// load reads everything into a new snapshot, which forgets what is over. What is learned meanwhile goes into both: the
// rows of the statement may be older. The marks stay, and the first one is before all rows: transactions that took their
// sequence before this one was read may still be on their way.
func (r *Revocations) load(ctx context.Context) error {
	r.mu.Lock()
	r.loading = map[string]int64{}
	r.mu.Unlock()
	now := r.Now()
	rows, highest, err := r.Store.RevocationsAfter(ctx, 0, now)
	r.mu.Lock()
	fresh := r.loading
	r.loading = nil
	if err == nil {
		for _, row := range rows {
			put(fresh, row)
		}
		r.before = fresh
	}
	r.mu.Unlock()
	if err != nil {
		return fmt.Errorf("load revocations: %w", err)
	}
	if len(r.marks) == 0 {
		r.marks = []mark{{now, 0}}
	}
	r.mark(now, highest)
	r.loaded = now
	return nil
}

// mark notes how far the rows went at a moment.
func (r *Revocations) mark(now time.Time, highest int64) {
	if highest > r.marks[len(r.marks)-1].sequence {
		r.marks = append(r.marks, mark{now, highest})
	}
}

// Poll reads what is new.
func (r *Revocations) Poll(ctx context.Context) error {
	r.polling.Lock()
	defer r.polling.Unlock()
	now := r.Now()
	if now.Sub(r.loaded) >= reloadEvery || now.Before(r.loaded) {
		if err := r.Store.ForgetRevocations(ctx, now); err != nil {
			return fmt.Errorf("forget revocations: %w", err)
		}
		return r.load(ctx)
	}
	for len(r.marks) > 1 && now.Sub(r.marks[1].at) > lateCommit {
		r.marks = r.marks[1:]
	}
	rows, highest, err := r.Store.RevocationsAfter(ctx, r.marks[0].sequence, now)
	if err != nil {
		return fmt.Errorf("poll revocations: %w", err)
	}
	r.learn(rows)
	r.mark(now, highest)
	return nil
}

func (r *Revocations) learn(rows []store.Revocation) {
	if len(rows) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.before == nil {
		r.before = make(map[string]int64, len(rows))
	}
	for _, row := range rows {
		put(r.before, row)
		if r.loading != nil {
			put(r.loading, row)
		}
	}
}

func put(m map[string]int64, row store.Revocation) {
	if at := row.Before.UnixMicro(); at > m[row.Subject] {
		m[row.Subject] = at
	}
}

// Run polls each second and on every hint, until ctx ends. What goes wrong goes to report; the next poll tries again.
func (r *Revocations) Run(ctx context.Context, report func(error)) {
	wake := r.Hints.Hints(ctx, hintTopic)
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	gap := time.NewTimer(0)
	defer gap.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case _, open := <-wake:
			if !open {
				wake = nil
				continue
			}
			select {
			case <-ctx.Done():
				return
			case <-gap.C:
			}
		}
		gap.Reset(pollGap)
		if err := r.Poll(ctx); err != nil && ctx.Err() == nil {
			report(err)
		}
	}
}
