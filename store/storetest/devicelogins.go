package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/store"
)

// DeviceLogins is the part of a store that keeps device logins.
type DeviceLogins interface {
	AddDevice(ctx context.Context, d store.DeviceAuthorization, userCode string) error
	Device(ctx context.Context, id string) (store.DeviceAuthorization, error)
	DeviceByUserCode(ctx context.Context, userCode string) (store.DeviceAuthorization, error)
	PollDevice(ctx context.Context, id string) (d store.DeviceAuthorization, slowDown bool, err error)
	DecideDevice(ctx context.Context, d store.DeviceAuthorization) error
	SpendDevice(ctx context.Context, id string) error
}

// TestDeviceLogins checks device logins. now is the store's clock; advance moves it without moving Redis: every record
// must carry its own expiry.
func TestDeviceLogins(t *testing.T, s DeviceLogins, now func() time.Time, advance func(time.Duration)) {
	t.Run("round trip", func(t *testing.T) { deviceRoundTrip(t, s, now) })
	t.Run("one user code for one login", func(t *testing.T) { raceForUserCode(t, s, now) })
	t.Run("all moves", func(t *testing.T) { deviceMoves(t, s, now) })
	t.Run("one decision", func(t *testing.T) { raceForDecision(t, s, now) })
	t.Run("polls", func(t *testing.T) { pollDevice(t, s, now) })
	t.Run("time is over", func(t *testing.T) { deviceTimeOver(t, s, now) })
	t.Run("expiry", func(t *testing.T) { expireDevice(t, s, now, advance) })
}

// deviceLogin makes a login that lives for ten minutes.
func deviceLogin(id string, now func() time.Time) store.DeviceAuthorization {
	return store.DeviceAuthorization{
		ID: id, State: store.DevicePending, ClientID: "tv", Scopes: []string{"openid", "read"}, Provider: "p",
		CreatedAt: soon(now, 0), ExpiresAt: soon(now, 10*time.Minute), Interval: 5 * time.Second,
	}
}

func deviceRoundTrip(t *testing.T, s DeviceLogins, now func() time.Time) {
	ctx := t.Context()
	_, err := s.Device(ctx, "d-none")
	wantErr(t, err, store.ErrNotFound)
	_, err = s.DeviceByUserCode(ctx, "u-none")
	wantErr(t, err, store.ErrNotFound)
	_, _, err = s.PollDevice(ctx, "d-none")
	wantErr(t, err, store.ErrNotFound)

	d := deviceLogin("d-trip", now)
	must(t, s.AddDevice(ctx, d, "u-trip"))
	got, err := s.Device(ctx, d.ID)
	must(t, err)
	same(t, got, d)
	got, err = s.DeviceByUserCode(ctx, "u-trip")
	must(t, err)
	same(t, got, d)
	wantErr(t, s.AddDevice(ctx, d, "u-trip-other"), store.ErrConflict) // the same device code

	d.State, d.UserID, d.AuthTime, d.ACR, d.AMR = store.DeviceApproved, "ann", soon(now, 0), "2", []string{"pwd"}
	must(t, s.DecideDevice(ctx, d))
	got, slow, err := s.PollDevice(ctx, d.ID)
	must(t, err)
	same(t, got, d)
	same(t, slow, false)
	must(t, s.SpendDevice(ctx, d.ID))
	d.State = store.DeviceUsed
	got, err = s.DeviceByUserCode(ctx, "u-trip")
	must(t, err)
	same(t, got, d)
}

func raceForUserCode(t *testing.T, s DeviceLogins, now func() time.Time) {
	won := race(t, func(n int) error {
		return s.AddDevice(t.Context(), deviceLogin("d-race-"+string(rune('A'+n)), now), "u-race")
	})
	same(t, won, 1)
}

func deviceMoves(t *testing.T, s DeviceLogins, now func() time.Time) {
	ctx := t.Context()
	// reached leads a new login into a state.
	reached := func(id string, state store.DeviceState) store.DeviceAuthorization {
		d := deviceLogin(id, now)
		must(t, s.AddDevice(ctx, d, "u-"+id))
		if d.State = state; state == store.DevicePending {
			return d
		}
		if d.State == store.DeviceUsed {
			d.State = store.DeviceApproved
		}
		must(t, s.DecideDevice(ctx, d))
		if state == store.DeviceUsed {
			must(t, s.SpendDevice(ctx, d.ID))
		}
		return d
	}
	states := []store.DeviceState{store.DevicePending, store.DeviceApproved, store.DeviceDenied, store.DeviceUsed}
	for _, from := range states {
		for _, to := range states {
			id := "d-" + string(from) + "-" + string(to)
			d := reached(id, from)
			var err error
			if to == store.DeviceUsed {
				err = s.SpendDevice(ctx, id)
			} else {
				d.State = to
				err = s.DecideDevice(ctx, d)
			}
			if from.CanMoveTo(to) {
				must(t, err)
			} else {
				wantErr(t, err, store.ErrConflict)
			}
		}
	}
	gone := deviceLogin("d-gone", now)
	gone.State = store.DeviceDenied
	wantErr(t, s.DecideDevice(ctx, gone), store.ErrNotFound)
	wantErr(t, s.SpendDevice(ctx, "d-gone"), store.ErrNotFound)
}

func raceForDecision(t *testing.T, s DeviceLogins, now func() time.Time) {
	must(t, s.AddDevice(t.Context(), deviceLogin("d-decide", now), "u-decide"))
	won := race(t, func(n int) error {
		d := deviceLogin("d-decide", now)
		d.State, d.UserID = store.DeviceApproved, string(rune('a'+n))
		return s.DecideDevice(t.Context(), d)
	})
	same(t, won, 1)
	same(t, race(t, func(int) error { return s.SpendDevice(t.Context(), "d-decide") }), 1)
}

func pollDevice(t *testing.T, s DeviceLogins, now func() time.Time) {
	d := deviceLogin("d-poll", now)
	d.Interval = time.Hour // the test is faster than that
	must(t, s.AddDevice(t.Context(), d, "u-poll"))
	for i, want := range []bool{false, false, true, true} {
		got, slow, err := s.PollDevice(t.Context(), d.ID)
		must(t, err)
		same(t, got, d)
		if slow != want {
			t.Errorf("poll %d: slow down %v, want %v", i, slow, want)
		}
	}
	patient := deviceLogin("d-patient", now)
	patient.Interval = 0 // no poll is too early
	must(t, s.AddDevice(t.Context(), patient, "u-patient"))
	for range 5 {
		_, slow, err := s.PollDevice(t.Context(), patient.ID)
		must(t, err)
		same(t, slow, false)
	}
}

func deviceTimeOver(t *testing.T, s DeviceLogins, now func() time.Time) {
	d := deviceLogin("d-over", now)
	d.ExpiresAt = soon(now, 300*time.Millisecond)
	must(t, s.AddDevice(t.Context(), d, "u-over"))
	// Real time passes: nothing but the record's own expiry ends it.
	giveUp := time.After(20 * time.Second)
	for {
		_, err := s.DeviceByUserCode(t.Context(), "u-over")
		if errors.Is(err, store.ErrExpired) {
			break
		}
		must(t, err)
		select {
		case <-giveUp:
			t.Fatal("it never expires")
		case <-time.After(20 * time.Millisecond):
		}
	}
	d.State = store.DeviceApproved
	wantErr(t, s.DecideDevice(t.Context(), d), store.ErrExpired)
}

func expireDevice(t *testing.T, s DeviceLogins, now func() time.Time, advance func(time.Duration)) {
	ctx := t.Context()
	d := deviceLogin("d-expire", now)
	must(t, s.AddDevice(ctx, d, "u-expire"))
	d.State = store.DeviceApproved
	must(t, s.DecideDevice(ctx, d))
	advance(10*time.Minute + time.Second)
	got, _, err := s.PollDevice(ctx, d.ID)
	wantErr(t, err, store.ErrExpired)
	same(t, got, d) // who asks may see whose it was
	_, err = s.Device(ctx, d.ID)
	wantErr(t, err, store.ErrExpired)
	must(t, s.SpendDevice(ctx, d.ID)) // granted in SQL before
}
