package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"tokenserver/store"
)

// Sessions is the part of a store that keeps who is signed in at which browser, and logouts that wait.
type Sessions interface {
	AddSession(ctx context.Context, b store.BrowserSession) error
	TouchSession(ctx context.Context, hash []byte, expires time.Time) error
	JoinSession(ctx context.Context, hash []byte, clientID string) error
	RaiseSession(ctx context.Context, hash []byte) error
	Session(ctx context.Context, hash []byte) (store.BrowserSession, error)
	SessionsOf(ctx context.Context, userID string) ([]store.BrowserSession, error)
	EndSession(ctx context.Context, b store.BrowserSession) error

	PutLogout(ctx context.Context, l store.Logout) error
	Logout(ctx context.Context, id string) (store.Logout, error)
	TakeLogout(ctx context.Context, id string) (store.Logout, error)
}

// TestSessions checks browser sessions, the list of a user's, and logouts. now is the store's clock; advance moves it
// without moving Redis: every record must carry its own expiry.
func TestSessions(t *testing.T, s Sessions, now func() time.Time, advance func(time.Duration)) {
	t.Run("round trip", func(t *testing.T) { keepSession(t, s, now, advance) })
	t.Run("clients", func(t *testing.T) { joinSession(t, s, now) })
	t.Run("list", func(t *testing.T) { listSessions(t, s, now, advance) })
	t.Run("logout", func(t *testing.T) { takeLogout(t, s, now, advance) })
}

func atMillis(now func() time.Time, in time.Duration) time.Time {
	return now().Add(in).UTC().Truncate(time.Millisecond)
}

func browserSession(id, user string, now func() time.Time) store.BrowserSession {
	return store.BrowserSession{
		Hash: []byte("\x00\xff" + id + user), ID: id, UserID: user, Provider: "p", AuthTime: soon(now, 0), Level: "2", ACR: "1", AMR: []string{"pwd"},
		SteppedUp: true, ProviderSession: "up", ProviderToken: "a.b.c", BrowserState: "state", UserAgent: "ü", ClientIP: "192.0.2.1",
		CreatedAt: soon(now, 0), EndsAt: soon(now, time.Hour), ExpiresAt: atMillis(now, 30*time.Minute),
	}
}

func keepSession(t *testing.T, s Sessions, now func() time.Time, advance func(time.Duration)) {
	ctx := t.Context()
	b := browserSession("keep", "ann", now)
	wantErr(t, s.TouchSession(ctx, b.Hash, b.ExpiresAt), store.ErrNotFound) // nothing to touch: nothing is made
	_, err := s.Session(ctx, b.Hash)
	wantErr(t, err, store.ErrNotFound)
	must(t, s.AddSession(ctx, b))
	got, err := s.Session(ctx, b.Hash)
	must(t, err)
	same(t, got, b)
	b.ExpiresAt = atMillis(now, 45*time.Minute)
	must(t, s.TouchSession(ctx, b.Hash, b.ExpiresAt))
	advance(31 * time.Minute)
	got, err = s.Session(ctx, b.Hash)
	must(t, err)
	same(t, got, b)
	advance(15 * time.Minute)
	_, err = s.Session(ctx, b.Hash)
	wantErr(t, err, store.ErrExpired)
	must(t, s.EndSession(ctx, b))
	must(t, s.EndSession(ctx, b))
	_, err = s.Session(ctx, b.Hash)
	wantErr(t, err, store.ErrNotFound)

	b = browserSession("long", "ann", now) // uses do not move the longest life
	b.ExpiresAt = atMillis(now, 2*time.Hour)
	must(t, s.AddSession(ctx, b))
	advance(time.Hour + time.Second)
	_, err = s.Session(ctx, b.Hash)
	wantErr(t, err, store.ErrExpired)
}

func joinSession(t *testing.T, s Sessions, now func() time.Time) {
	ctx := t.Context()
	b := browserSession("join", "ann", now)
	wantErr(t, s.JoinSession(ctx, b.Hash, "c"), store.ErrNotFound)
	wantErr(t, s.RaiseSession(ctx, b.Hash), store.ErrNotFound)
	b.Clients = []string{"first"}
	must(t, s.AddSession(ctx, b))
	race(t, func(i int) error { return s.JoinSession(ctx, b.Hash, fmt.Sprintf("c%02d", i%4)) })
	must(t, s.TouchSession(ctx, b.Hash, b.ExpiresAt))
	got, err := s.Session(ctx, b.Hash)
	must(t, err)
	same(t, got.Clients, []string{"c00", "c01", "c02", "c03", "first"})
	if got.AnswerAt.IsZero() || now().Sub(got.AnswerAt) > time.Minute {
		t.Errorf("last answer at %v", got.AnswerAt)
	}
	b.Clients = nil // whoever signs in again begins with the clients that are given
	must(t, s.AddSession(ctx, b))
	got, err = s.Session(ctx, b.Hash)
	must(t, err)
	same(t, got, b)
	must(t, s.EndSession(ctx, b))
	wantErr(t, s.JoinSession(ctx, b.Hash, "late"), store.ErrNotFound)
}

func listSessions(t *testing.T, s Sessions, now func() time.Time, advance func(time.Duration)) {
	ctx := t.Context()
	const user = "a} {b\x00ü" // nothing in a user id may matter to the key
	ids := func() []string {
		t.Helper()
		list, err := s.SessionsOf(ctx, user)
		must(t, err)
		ids := []string{}
		for _, b := range list {
			ids = append(ids, b.ID)
		}
		return ids
	}
	same(t, ids(), []string{})
	first, second, other := browserSession("1", user, now), browserSession("2", user, now), browserSession("3", "b", now)
	second.CreatedAt = soon(now, time.Second)
	second.ExpiresAt = atMillis(now, 50*time.Minute)
	for _, b := range []store.BrowserSession{second, first, other} {
		must(t, s.AddSession(ctx, b))
	}
	same(t, ids(), []string{"1", "2"})
	must(t, s.JoinSession(ctx, first.Hash, "c"))
	list, err := s.SessionsOf(ctx, user)
	must(t, err)
	same(t, list[0].Clients, []string{"c"})
	same(t, list[1], second)

	advance(31 * time.Minute) // the first has not been used
	same(t, ids(), []string{"2"})
	must(t, s.EndSession(ctx, second))
	same(t, ids(), []string{})
	left, err := s.SessionsOf(ctx, "b")
	must(t, err)
	same(t, len(left), 0)
}

func takeLogout(t *testing.T, s Sessions, now func() time.Time, advance func(time.Duration)) {
	ctx := t.Context()
	l := store.Logout{
		ID: "l1", Browser: []byte{0, 1}, Form: []byte{2}, FormEndsAt: soon(now, time.Minute), Done: true, ClientID: "c",
		RedirectURI: "https://c.example/", State: "s\x00", Language: "nl", Frames: []string{"https://c.example/out"}, ExpiresAt: soon(now, 10*time.Minute),
	}
	_, err := s.Logout(ctx, l.ID)
	wantErr(t, err, store.ErrNotFound)
	must(t, s.PutLogout(ctx, l))
	l.State = "t"
	must(t, s.PutLogout(ctx, l))
	got, err := s.Logout(ctx, l.ID)
	must(t, err)
	same(t, got, l)
	won := race(t, func(int) error {
		if _, err := s.TakeLogout(ctx, l.ID); err != nil {
			return store.ErrConflict // ErrNotFound: the winner has it
		}
		return nil
	})
	same(t, won, 1)
	must(t, s.PutLogout(ctx, l))
	advance(11 * time.Minute)
	_, err = s.TakeLogout(ctx, l.ID)
	wantErr(t, err, store.ErrNotFound)
}
