package outcome

import (
	"context"
	"fmt"
	"slices"

	"tokenserver/audit"
)

// Failure is an error that knows its answer and its audit event. Declare failures in a table above their handler;
// Because, About and the other methods return copies.
type Failure struct {
	Code   Code         // to the caller: "error" and the status
	Text   string       // to the caller: "error_description"; a constant, no input echoed, no secret
	Audit  audit.Code   // to the audit log; empty when the reference wants no event
	Attrs  []audit.Attr // of the audit event
	Number int          // to the caller, mobile-authentication portal API only: "error_code"; 0 = no such member

	members  []Member
	cause    error
	recorded bool
}

// Member is one further member of the error body, for example remaining_attempts.
type Member struct {
	Name  string
	Value any
}

// Error prints the failure for the server log; the cause is never shown to the caller.
func (f Failure) Error() string {
	if f.cause != nil {
		return fmt.Sprintf("%s (%s): %v", f.Code, f.Text, f.cause)
	}
	return fmt.Sprintf("%s (%s)", f.Code, f.Text)
}

// Unwrap returns the cause.
func (f Failure) Unwrap() error { return f.cause }

// Because returns a copy with the cause, for the server log.
func (f Failure) Because(err error) Failure {
	f.cause = err
	return f
}

// About returns a copy with further attributes of the audit event.
func (f Failure) About(attrs ...audit.Attr) Failure {
	f.Attrs = append(slices.Clip(f.Attrs), attrs...)
	return f
}

// With returns a copy with one further member of the error body.
func (f Failure) With(name string, value any) Failure {
	f.members = append(slices.Clip(f.members), Member{name, value})
	return f
}

// Members returns the further members of the error body, in order.
func (f Failure) Members() []Member { return f.members }

// Recorded returns a copy whose event has been written: package web will not write it again. Use it inside a store's
// transaction together with store.Keep, when the failure has an effect that must commit with its event.
func (f Failure) Recorded(ctx context.Context, r *audit.Recorder) Failure {
	f.Record(ctx, r)
	f.recorded = true
	return f
}

// Record writes the event, unless it has been written or there is none.
func (f Failure) Record(ctx context.Context, r *audit.Recorder) {
	if f.Audit != "" && !f.recorded {
		r.Record(ctx, f.Audit, f.Attrs...)
	}
}
