package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tokenserver/store"
)

// Enrollments is the part of a store that keeps enrollments for mobile authentication and the server's keys for them.
type Enrollments interface {
	AddEnrollment(ctx context.Context, e store.Enrollment) error
	Enrollment(ctx context.Context, id string) (store.Enrollment, error)
	LockEnrollment(ctx context.Context, id string) (store.Enrollment, error)
	EnrolledDevice(ctx context.Context, enrollmentID string) (store.EnrolledDevice, error)
	EnrolledDevicesOfUser(ctx context.Context, userID string) ([]store.EnrolledDevice, error)
	LockAnswering(ctx context.Context, enrollmentID string) (store.Answering, error)
	EnrollmentOf(ctx context.Context, clientID, profileID string) (store.Enrollment, error)
	EnrollmentsOfUser(ctx context.Context, userID string) ([]store.Enrollment, error)
	EnrollmentsOfClient(ctx context.Context, clientID string) ([]store.Enrollment, error)
	EnrollmentsByPushToken(ctx context.Context, hash []byte) ([]store.Enrollment, error)
	TakeTurn(ctx context.Context, names ...string) error
	SwapPushToken(ctx context.Context, id string, oldHash, sealed, hash []byte, now time.Time) error
	MarkPushStale(ctx context.Context, id string, hash []byte, now time.Time) error
	DeleteEnrollment(ctx context.Context, id string) error
	AddServerKey(ctx context.Context, k store.ServerKey) error
	ServerKey(ctx context.Context, kid string) (store.ServerKey, error)
	SharedServerKeys(ctx context.Context) ([]store.ServerKey, error)
	RetireSharedServerKeys(ctx context.Context, now time.Time) (int64, error)
	SweepServerKeys(ctx context.Context, before time.Time) (int64, error)
	Installations
}

// TestEnrollments checks enrollments and server keys.
func TestEnrollments(t *testing.T, s Enrollments) {
	t.Run("round trip", func(t *testing.T) { roundTripEnrollment(t, s) })
	t.Run("one for each profile", func(t *testing.T) { uniqueEnrollments(t, s) })
	t.Run("lists", func(t *testing.T) { listEnrollments(t, s) })
	t.Run("devices", func(t *testing.T) { enrolledDevices(t, s) })
	t.Run("who answers is locked", func(t *testing.T) { lockAnswering(t, s) })
	t.Run("push token", func(t *testing.T) { swapPushToken(t, s) })
	t.Run("goes with its profile", func(t *testing.T) { enrollmentWithoutProfile(t, s) })
	t.Run("turns", func(t *testing.T) { raceForTurns(t, s) })
	t.Run("server keys", func(t *testing.T) { serverKeys(t, s) })
	t.Run("shared keys at once", func(t *testing.T) { raceForSharedKeys(t, s) })
}

// enrolled adds an installation with one profile and returns an enrollment for it, not added.
func enrolled(t *testing.T, s Enrollments, name, userID string) store.Enrollment {
	t.Helper()
	must(t, s.AddInstallation(t.Context(), installation(name)))
	must(t, s.AddProfile(t.Context(), store.Profile{
		ClientID: name, ProfileID: "QW4RTY", UserID: userID, CreatedAt: kept, LastLogin: kept,
	}))
	return store.Enrollment{
		ID: "enr-" + name, ClientID: name, UserID: userID, ProfileID: "QW4RTY", Application: "bank", Platform: "android",
		SigningKey: []byte(`{"kty":"EC","use":"sig"}`), EncryptionKey: []byte(`{"kty":"EC","use":"enc"}`),
		ServerEncKID: "e-" + name, ServerSigKID: "s-" + name, PushToken: []byte{0, 1, 255}, PushTokenHash: []byte(name),
		PushState: store.PushActive, DeviceName: "Zoë’s phone 📱", CreatedAt: kept, UpdatedAt: kept,
	}
}

func roundTripEnrollment(t *testing.T, s Enrollments) {
	ctx := t.Context()
	want := enrolled(t, s, "enr-round", "u-enr-round")
	stored := want
	stored.CreatedAt, stored.UpdatedAt = moment, moment
	must(t, s.AddEnrollment(ctx, stored))
	got, err := s.Enrollment(ctx, want.ID)
	must(t, err)
	same(t, got, want)
	got, err = s.EnrollmentOf(ctx, "enr-round", "QW4RTY")
	must(t, err)
	same(t, got, want)
	must(t, s.InTx(ctx, func(ctx context.Context) error {
		got, err = s.LockEnrollment(ctx, want.ID)
		return err
	}))
	same(t, got, want)

	bare := enrolled(t, s, "enr-bare", "u-enr-round")
	bare.EncryptionKey, bare.PushToken, bare.PushTokenHash, bare.PushState = nil, nil, nil, store.PushNone
	must(t, s.AddEnrollment(ctx, bare))
	got, err = s.Enrollment(ctx, bare.ID)
	must(t, err)
	same(t, got, bare)

	must(t, s.DeleteEnrollment(ctx, want.ID))
	_, err = s.Enrollment(ctx, want.ID)
	wantErr(t, err, store.ErrNotFound)
	_, err = s.EnrollmentOf(ctx, "enr-round", "QW4RTY")
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, s.DeleteEnrollment(ctx, want.ID), store.ErrNotFound)
}

func uniqueEnrollments(t *testing.T, s Enrollments) {
	ctx := t.Context()
	first := enrolled(t, s, "enr-unique", "u-unique")
	must(t, s.AddEnrollment(ctx, first))
	again := first
	again.ID = "enr-unique-2"
	wantErr(t, s.AddEnrollment(ctx, again), store.ErrConflict)
	sameID := enrolled(t, s, "enr-unique-3", "u-unique")
	sameID.ID = first.ID
	wantErr(t, s.AddEnrollment(ctx, sameID), store.ErrConflict)
	for _, change := range []func(*store.Enrollment){
		func(e *store.Enrollment) { e.ClientID = "enr-nobody" },
		func(e *store.Enrollment) { e.ProfileID = "NOBODY" },
		func(e *store.Enrollment) { e.UserID = "u-other" },
	} {
		wrong := sameID
		wrong.ID = "enr-wrong"
		change(&wrong)
		wantErr(t, s.AddEnrollment(ctx, wrong), store.ErrNotFound)
	}
}

func ids(list []store.Enrollment) []string {
	ids := []string{}
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	return ids
}

func listEnrollments(t *testing.T, s Enrollments) {
	ctx := t.Context()
	old, young := enrolled(t, s, "enr-list-1", "u-list"), enrolled(t, s, "enr-list-2", "u-list")
	young.CreatedAt = kept.Add(time.Second)
	young.PushTokenHash = old.PushTokenHash
	must(t, s.AddEnrollment(ctx, young))
	must(t, s.AddEnrollment(ctx, old))
	list, err := s.EnrollmentsOfUser(ctx, "u-list")
	must(t, err)
	same(t, ids(list), []string{old.ID, young.ID})
	list, err = s.EnrollmentsByPushToken(ctx, old.PushTokenHash)
	must(t, err)
	same(t, ids(list), []string{old.ID, young.ID})
	list, err = s.EnrollmentsOfClient(ctx, "enr-list-2")
	must(t, err)
	same(t, ids(list), []string{young.ID})
	list, err = s.EnrollmentsOfUser(ctx, "u-nobody")
	must(t, err)
	same(t, ids(list), []string{})
}

func swapPushToken(t *testing.T, s Enrollments) {
	ctx := t.Context()
	e := enrolled(t, s, "enr-swap", "u-swap")
	must(t, s.AddEnrollment(ctx, e))
	must(t, s.MarkPushStale(ctx, e.ID, []byte("another"), kept))
	got, err := s.Enrollment(ctx, e.ID)
	must(t, err)
	same(t, got.PushState, store.PushActive)
	must(t, s.MarkPushStale(ctx, e.ID, e.PushTokenHash, kept))
	got, err = s.Enrollment(ctx, e.ID)
	must(t, err)
	same(t, got.PushState, store.PushStale)

	later := kept.Add(time.Minute)
	wantErr(t, s.SwapPushToken(ctx, e.ID, []byte("another"), []byte{9}, []byte("h2"), later), store.ErrConflict)
	wantErr(t, s.SwapPushToken(ctx, "enr-none", e.PushTokenHash, []byte{9}, []byte("h2"), later), store.ErrConflict)
	won := race(t, func(n int) error {
		hash := fmt.Appendf(nil, "h-%d", n)
		return s.InTx(t.Context(), func(ctx context.Context) error {
			return s.SwapPushToken(ctx, e.ID, e.PushTokenHash, []byte{byte(n)}, hash, later)
		})
	})
	same(t, won, 1)
	got, err = s.Enrollment(ctx, e.ID)
	must(t, err)
	same(t, []any{got.PushState, got.UpdatedAt, string(got.PushTokenHash)},
		[]any{store.PushActive, later, fmt.Sprintf("h-%d", got.PushToken[0])})
}

func enrollmentWithoutProfile(t *testing.T, s Enrollments) {
	ctx := t.Context()
	e := enrolled(t, s, "enr-gone", "u-gone")
	must(t, s.AddEnrollment(ctx, e))
	must(t, s.DeleteProfile(ctx, e.ClientID, e.ProfileID))
	_, err := s.Enrollment(ctx, e.ID)
	wantErr(t, err, store.ErrNotFound)
}

// raceForTurns: 50 installations of one user look whether there is an enrollment yet, and add one if not.
func raceForTurns(t *testing.T, s Enrollments) {
	var all [racers]store.Enrollment
	for n := range all {
		all[n] = enrolled(t, s, fmt.Sprintf("enr-turn-%d", n), "u-turn")
	}
	won := race(t, func(n int) error {
		return s.InTx(t.Context(), func(ctx context.Context) error {
			// Names in different orders, one of them twice: no deadlock.
			names := []string{"user:u-turn", fmt.Sprintf("token:%d", n%3), fmt.Sprintf("token:%d", (n+1)%3), "user:u-turn"}
			if err := s.TakeTurn(ctx, names...); err != nil {
				return err
			}
			there, err := s.EnrollmentsOfUser(ctx, "u-turn")
			if err != nil {
				return err
			}
			if len(there) > 0 {
				return store.ErrConflict
			}
			return s.AddEnrollment(ctx, all[n])
		})
	})
	same(t, won, 1)
	must(t, s.InTx(t.Context(), func(ctx context.Context) error { return s.TakeTurn(ctx, "user:u-turn") }))
}

func serverKey(kid string, purpose store.KeyPurpose, enrollmentID string) store.ServerKey {
	return store.ServerKey{KID: kid, Purpose: purpose, Private: []byte{1, 0, 255}, EnrollmentID: enrollmentID, CreatedAt: kept}
}

func serverKeys(t *testing.T, s Enrollments) {
	ctx := t.Context()
	sig, enc := serverKey("k-sig", store.KeyForSignature, ""), serverKey("k-enc", store.KeyForEncryption, "")
	must(t, s.AddServerKey(ctx, sig))
	must(t, s.AddServerKey(ctx, enc))
	wantErr(t, s.AddServerKey(ctx, serverKey("k-sig-2", store.KeyForSignature, "")), store.ErrConflict)
	list, err := s.SharedServerKeys(ctx)
	must(t, err)
	same(t, list, []store.ServerKey{enc, sig})

	e := enrolled(t, s, "enr-keys", "u-keys")
	e.ServerEncKID, e.ServerSigKID = "k-enc", "k-own"
	own := serverKey("k-own", store.KeyForSignature, e.ID)
	must(t, s.AddServerKey(ctx, own))
	wantErr(t, s.AddServerKey(ctx, own), store.ErrConflict)
	must(t, s.AddEnrollment(ctx, e))
	got, err := s.ServerKey(ctx, "k-own")
	must(t, err)
	same(t, got, own)

	n, err := s.RetireSharedServerKeys(ctx, kept)
	must(t, err)
	same(t, n, int64(2))
	must(t, s.AddServerKey(ctx, serverKey("k-sig-2", store.KeyForSignature, "")))
	n, err = s.SweepServerKeys(ctx, kept)
	must(t, err)
	same(t, n, int64(0)) // retired at that moment, not before it
	n, err = s.SweepServerKeys(ctx, kept.Add(time.Hour))
	must(t, err)
	same(t, n, int64(1)) // k-sig; k-enc has an enrollment, k-sig-2 is current
	_, err = s.ServerKey(ctx, "k-sig")
	wantErr(t, err, store.ErrNotFound)
	_, err = s.ServerKey(ctx, "k-enc")
	must(t, err)

	must(t, s.DeleteEnrollment(ctx, e.ID))
	_, err = s.ServerKey(ctx, "k-own")
	wantErr(t, err, store.ErrNotFound)
	_, err = s.RetireSharedServerKeys(ctx, kept)
	must(t, err)
}

func raceForSharedKeys(t *testing.T, s Enrollments) {
	won := race(t, func(n int) error {
		return s.AddServerKey(t.Context(), serverKey(fmt.Sprintf("k-race-%d", n), store.KeyForEncryption, ""))
	})
	same(t, won, 1)
}

// PendingEnrollments is the store of enrollments between their first and their last step.
type PendingEnrollments interface {
	StartEnrollment(ctx context.Context, p store.PendingEnrollment) error
	PendingEnrollment(ctx context.Context, id string) (store.PendingEnrollment, error)
	AdvanceEnrollment(ctx context.Context, before string, p store.PendingEnrollment) error
	EndEnrollment(ctx context.Context, id string) error
}

// TestPendingEnrollments checks enrollments in flight. newID returns ids that no other test uses; now is the
// clock of the store.
func TestPendingEnrollments(t *testing.T, s PendingEnrollments, newID func() string, now func() time.Time) {
	ctx := t.Context()
	p := store.PendingEnrollment{
		Enrollment: store.Enrollment{
			ID: newID(), ClientID: "C", UserID: "u", ProfileID: "QW4RTY", Application: "bank", Platform: "ios",
			SigningKey: []byte(`{}`), PushToken: []byte{0, 255}, PushTokenHash: []byte{1}, PushState: store.PushActive,
			CreatedAt: kept, UpdatedAt: kept,
		},
		Step: store.EnrollmentStarted, Challenge: "c1", ExpiresAt: now().Add(time.Minute).UTC().Truncate(time.Millisecond),
	}
	must(t, s.StartEnrollment(ctx, p))
	wantErr(t, s.StartEnrollment(ctx, p), store.ErrConflict)
	got, err := s.PendingEnrollment(ctx, p.ID)
	must(t, err)
	same(t, got, p)

	won := race(t, func(n int) error {
		next := p
		next.Step, next.Challenge = store.EnrollmentKeyed, fmt.Sprintf("c2-%d", n)
		next.ServerKeys = []store.ServerKey{serverKey(next.Challenge, store.KeyForEncryption, p.ID)}
		return s.AdvanceEnrollment(t.Context(), "c1", next)
	})
	same(t, won, 1)
	got, err = s.PendingEnrollment(ctx, p.ID)
	must(t, err)
	same(t, []any{got.Step, got.ServerKeys[0].KID}, []any{store.EnrollmentKeyed, got.Challenge})

	must(t, s.EndEnrollment(ctx, p.ID))
	_, err = s.PendingEnrollment(ctx, p.ID)
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, s.AdvanceEnrollment(ctx, got.Challenge, got), store.ErrNotFound)

	over := p
	over.ID, over.ExpiresAt = newID(), now().Add(-time.Second)
	must(t, s.StartEnrollment(ctx, over))
	_, err = s.PendingEnrollment(ctx, over.ID)
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, s.AdvanceEnrollment(ctx, "c1", over), store.ErrNotFound)
}
