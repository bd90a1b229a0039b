package pushauth

import (
	"context"
	"log/slog"
	"time"

	"tokenserver/store"
)

// Ending is how a transaction ends.
type Ending struct {
	State       store.State  // AUTHENTICATED, REJECTED or FAILED
	Reason      store.Reason // unless AUTHENTICATED
	Method      store.Method // actually used; empty = the one that was asked for, unless FAILED
	PINAttempts int          // in this transaction, the last one included
	AnswerHash  []byte       // of the answer that decided; nil when the server did
	Signed      *Signed      // only with transaction signing
}

// Endings ends transactions: the outcome row and the callback are written in the SQL transaction of the caller, Redis
// follows after its commit. Every field is required.
type Endings struct {
	Decisions    decisions
	Transactions mover
	Wake         func(kind string) // hints the job runner after the commit
	Log          *slog.Logger
	Now          func() time.Time
	NewID        func() string
}

// decisions is what ending a transaction needs of the SQL store.
type decisions interface {
	DecideTransaction(ctx context.Context, o store.TransactionOutcome) error
	AddJob(ctx context.Context, job store.Job) error
}

// mover is what ending a transaction needs of Redis.
type mover interface {
	MoveTransaction(ctx context.Context, id string, from []store.State, to store.State, change store.TransactionChange) error
}

// openStates are the states that a push transaction can end from.
var openStates = []store.State{store.Created, store.Pending, store.Fetched}

// End decides a transaction, inside the SQL transaction of ctx. The caller records the event.
// Errors: store.ErrConflict when somebody decided before.
func (e *Endings) End(ctx context.Context, t store.Transaction, how Ending) error {
	if how.Method == "" && how.State != store.Failed {
		how.Method = t.Method
	}
	result, err := Result{
		APIClient: t.APIClient, CallbackURI: t.CallbackURI, UserID: t.UserID, ClientID: t.ClientID, ProfileID: t.ProfileID,
		CreatedAt: t.CreatedAt.UnixMilli(), PINAttempts: how.PINAttempts, Signed: how.Signed,
	}.encode()
	if err != nil {
		return err
	}
	err = e.Decisions.DecideTransaction(ctx, store.TransactionOutcome{
		TransactionID: t.ID, State: how.State, Reason: how.Reason, Method: how.Method, AnswerHash: how.AnswerHash,
		Result: result, DecidedAt: e.Now(), ExpiresAt: t.ExpiresAt,
	})
	if err != nil {
		return err
	}
	if t.CallbackURI != "" { // transactions that the server started for itself have none
		if err := e.addCallback(ctx, t); err != nil {
			return err
		}
	}
	store.AfterCommit(ctx, func(ctx context.Context) {
		change := store.TransactionChange{PINAttempts: max(how.PINAttempts-t.PINAttempts, 0)}
		if err := e.Transactions.MoveTransaction(ctx, t.ID, openStates, how.State, change); err != nil {
			// The row decides; Redis is asked after it.
			e.Log.WarnContext(ctx, "decided transaction not moved", "transaction", t.ID, "error", err)
		}
		e.Wake(CallbackJob)
	})
	return nil
}

// Fail ends an open transaction because of something outside of it: its enrollment or installation went. It runs inside
// the SQL transaction of that removal. One that somebody has decided already stays as it is.
func (e *Endings) Fail(ctx context.Context, t store.Transaction, reason store.Reason) error {
	err := e.End(ctx, t, Ending{State: store.Failed, Reason: reason, PINAttempts: t.PINAttempts})
	if isConflict(err) {
		return nil
	}
	return err
}
