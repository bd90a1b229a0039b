package oauth

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/store"
)

// books are the stores of one device login: the mark in SQL, the record in Redis.
type books struct {
	codeMarks
	deviceLogins
	mark  *store.UsedCode
	state store.DeviceState
	down  bool // Redis does not answer
}

func (b *books) InTx(ctx context.Context, f func(context.Context) error) error { return f(ctx) }

func (b *books) MarkCodeUsed(_ context.Context, c store.UsedCode) error {
	if b.mark != nil {
		return store.ErrConflict
	}
	b.mark = &c
	return nil
}

func (b *books) UsedCode(context.Context, []byte) (store.UsedCode, error) { return *b.mark, nil }

func (b *books) DecideDevice(_ context.Context, d store.DeviceAuthorization) error {
	switch {
	case b.down:
		return store.ErrUnavailable
	case b.state != store.DevicePending:
		return store.ErrConflict
	}
	b.state = d.State
	return nil
}

// A decision that SQL has and Redis has not is not lost: who made it makes it again. Nobody else can.
func TestDeviceDecisionIsMadeUpFor(t *testing.T) {
	b := &books{state: store.DevicePending, down: true}
	decisions := deviceDecisions{Store: b, Marks: b, Devices: b, Now: func() time.Time { return time.Unix(0, 0) }}
	events := 0
	decide := func(state store.DeviceState, user string) error {
		return decisions.decide(t.Context(), store.DeviceAuthorization{ID: "d", State: state, UserID: user}, func(context.Context) { events++ })
	}
	if err := decide(store.DeviceApproved, "ann"); !errors.Is(err, store.ErrUnavailable) {
		t.Fatal(err)
	}
	b.down = false
	for name, other := range map[string]error{"bob": decide(store.DeviceApproved, "bob"), "nobody": decide(store.DeviceDenied, "")} {
		if !errors.Is(other, store.ErrConflict) {
			t.Errorf("%s decides what ann has decided: %v", name, other)
		}
	}
	if err := decide(store.DeviceApproved, "ann"); err != nil || b.state != store.DeviceApproved {
		t.Errorf("%v, %s", err, b.state)
	}
	if err := decide(store.DeviceApproved, "ann"); !errors.Is(err, store.ErrConflict) {
		t.Errorf("once more: %v", err)
	}
	if events != 1 {
		t.Errorf("%d events, want 1", events)
	}
}
