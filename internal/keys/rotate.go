package keys

import (
	"context"
	"fmt"
	"time"

	"tokenserver/store"
)

// Settled is how long a key must have signed before the next one takes over: the next key is then published for longer
// than anybody keeps the key set, and whatever the previous key signed has ended when it is dropped. The longest life of
// a token is 24 h; a process may sign with the former key for a minute more.
const Settled = 25 * time.Hour

// Rotate makes the next key the current one and adds a new next key, of the same algorithm. Other processes follow within
// a minute; until then they know the new current key as their next one. least is how long the current key must have
// signed. Of several callers at the same time one succeeds.
// Errors: ErrTooSoon, store.ErrConflict when somebody else rotated meanwhile.
func (r *Ring) Rotate(ctx context.Context, least time.Duration) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	if err := r.load(ctx); err != nil {
		return err
	}
	s := r.state.Load()
	if r.Now().Sub(s.since) < least {
		return ErrTooSoon
	}
	next, err := r.generate(store.NextKey, s.current.algorithm)
	if err != nil {
		return err
	}
	if err := r.Store.RotateSigningKeys(ctx, s.current.id, next); err != nil {
		return fmt.Errorf("rotate signing keys: %w", err)
	}
	r.readAgain(ctx)
	return nil
}

// ChangeAlgorithm retires the current key and makes a new current and a new next one. Nobody could know the new current
// key before: whoever verifies reads the key set again when it meets an unknown kid. least is how long the current key
// must have signed if there is a previous one, which is dropped.
// Errors: ErrAlgorithm, ErrUnchanged, ErrTooSoon, store.ErrConflict when somebody else rotated meanwhile.
func (r *Ring) ChangeAlgorithm(ctx context.Context, algorithm string, least time.Duration) error {
	if method(algorithm) == nil {
		return fmt.Errorf("%w: %q", ErrAlgorithm, algorithm)
	}
	r.loading.Lock()
	defer r.loading.Unlock()
	if err := r.load(ctx); err != nil {
		return err
	}
	s := r.state.Load()
	switch {
	case s.current.algorithm == algorithm:
		return ErrUnchanged
	case s.retired && r.Now().Sub(s.since) < least:
		return ErrTooSoon
	}
	current, err := r.generate(store.CurrentKey, algorithm)
	if err != nil {
		return err
	}
	next, err := r.generate(store.NextKey, algorithm)
	if err != nil {
		return err
	}
	if err := r.Store.ReplaceSigningKeys(ctx, s.current.id, current, next); err != nil {
		return fmt.Errorf("replace signing keys: %w", err)
	}
	r.readAgain(ctx)
	return nil
}

// readAgain makes the next use read the keys. Inside a transaction of the caller the new state holds only once that has
// committed.
func (r *Ring) readAgain(ctx context.Context) {
	store.AfterCommit(ctx, func(context.Context) {
		if s := r.state.Load(); s != nil {
			old := *s
			old.read = time.Time{}
			r.state.CompareAndSwap(s, &old)
		}
	})
}
