package store

import (
	"context"
	"errors"
)

// kept wraps an error with which a transaction commits nevertheless.
type kept struct{ error }

func (k kept) Unwrap() error { return k.error }

// Keep marks err as an ending of a transaction's function that has an effect: InTx commits, then returns err.
// A counted wrong PIN is a failure to the caller and an effect in the store.
func Keep(err error) error { return kept{err} }

// Kept returns the error inside Keep, and whether err was marked.
func Kept(err error) (error, bool) {
	var k kept
	if errors.As(err, &k) {
		return k.error, true
	}
	return err, false
}

// Unit is one SQL transaction as its function sees it: work to do once it has committed, and what its parts have to know
// of each other before.
type Unit struct {
	after []func(context.Context)
	notes map[any]any
}

type unitKey struct{}

// WithUnit puts u into the context of a transaction's function. Stores call it.
func WithUnit(ctx context.Context, u *Unit) context.Context {
	return context.WithValue(ctx, unitKey{}, u)
}

// AfterCommit runs f once the transaction of ctx has committed, and never when it rolls back. Outside a transaction
// f runs at once. Redis is moved this way: it is a cache of the decision, so f has no error to give back.
func AfterCommit(ctx context.Context, f func(context.Context)) {
	if u, ok := ctx.Value(unitKey{}).(*Unit); ok {
		u.after = append(u.after, f)
		return
	}
	f(ctx)
}

// Note keeps a value until the transaction of ctx ends, one for each key. Outside a transaction it keeps nothing.
func Note(ctx context.Context, key, value any) {
	if u, ok := ctx.Value(unitKey{}).(*Unit); ok {
		if u.notes == nil {
			u.notes = map[any]any{}
		}
		u.notes[key] = value
	}
}

// Noted returns what Note kept in the transaction of ctx, nil when there is nothing.
func Noted(ctx context.Context, key any) any {
	if u, ok := ctx.Value(unitKey{}).(*Unit); ok {
		return u.notes[key]
	}
	return nil
}

// Committed runs what AfterCommit collected. Stores call it with the context from outside the transaction.
func (u *Unit) Committed(ctx context.Context) {
	for _, f := range u.after {
		f(ctx)
	}
	u.after = nil
}

// Reset forgets what AfterCommit and Note collected: the transaction rolled back or is tried again.
func (u *Unit) Reset() { u.after, u.notes = nil, nil }
