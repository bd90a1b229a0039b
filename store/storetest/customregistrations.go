package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/store"
)

// CustomRegistrations is the part of a store that keeps registrations by API between their steps.
type CustomRegistrations interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	AddCustomRegistration(ctx context.Context, r store.CustomRegistration) error
	CustomRegistration(ctx context.Context, hash []byte) (store.CustomRegistration, error)
	CountCompletion(ctx context.Context, hash []byte, limit int, now time.Time) error
	EndCustomRegistration(ctx context.Context, hash []byte) error
	AnswerClientCode(ctx context.Context, clientCode, responseCode []byte, userID string, now, expires time.Time) error
	LiveClientCodes(ctx context.Context, now time.Time) (int, error)
}

// TestCustomRegistrations checks single use, attempts and client codes.
func TestCustomRegistrations(t *testing.T, s CustomRegistrations) {
	t.Run("round trip", func(t *testing.T) { keepCustomRegistration(t, s) })
	t.Run("client codes", func(t *testing.T) { answerClientCodes(t, s) })
	t.Run("at once", func(t *testing.T) { raceForCustomRegistration(t, s) })
	t.Run("one code at once", func(t *testing.T) { raceForClientCode(t, s) })
}

func keepCustomRegistration(t *testing.T, s CustomRegistrations) {
	ctx := t.Context()
	r := store.CustomRegistration{
		Hash: []byte("cr-1"), ClientID: "c", Provider: "p", APIVersion: 2, CodeIndex: 3, CreatedAt: moment, ExpiresAt: moment.Add(time.Minute),
	}
	must(t, s.AddCustomRegistration(ctx, r))
	if err := s.AddCustomRegistration(ctx, r); !errors.Is(err, store.ErrConflict) {
		t.Errorf("the same again: %v", err)
	}
	other := r
	other.Hash = []byte("cr-2") // neither has a client code
	must(t, s.AddCustomRegistration(ctx, other))
	got, err := s.CustomRegistration(ctx, r.Hash)
	must(t, err)
	if got.ClientID != "c" || got.Provider != "p" || got.APIVersion != 2 || got.CodeIndex != 3 || got.ClientCode != nil || got.ResponseCode != nil ||
		got.Attempts != 0 || got.Ended || !got.CreatedAt.Equal(kept) || !got.ExpiresAt.Equal(kept.Add(time.Minute)) {
		t.Errorf("read back %+v", got)
	}
	must(t, s.CountCompletion(ctx, r.Hash, 2, moment))
	must(t, s.CountCompletion(ctx, r.Hash, 2, moment))
	if err := s.CountCompletion(ctx, r.Hash, 2, moment); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a third attempt of two: %v", err)
	}
	if err := s.CountCompletion(ctx, other.Hash, 2, moment.Add(time.Minute)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an attempt after the end: %v", err)
	}
	must(t, s.EndCustomRegistration(ctx, other.Hash))
	if err := s.EndCustomRegistration(ctx, other.Hash); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a second end: %v", err)
	}
	if err := s.CountCompletion(ctx, other.Hash, 2, moment); !errors.Is(err, store.ErrConflict) {
		t.Errorf("an attempt at an ended one: %v", err)
	}
	if got, err := s.CustomRegistration(ctx, other.Hash); err != nil || !got.Ended {
		t.Errorf("ended: %+v, %v", got, err)
	}
	if _, err := s.CustomRegistration(ctx, []byte("cr-none")); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if err := s.EndCustomRegistration(ctx, []byte("cr-none")); !errors.Is(err, store.ErrConflict) {
		t.Errorf("end of an unknown one: %v", err)
	}
}

func answerClientCodes(t *testing.T, s CustomRegistrations) {
	ctx := t.Context()
	begin := func(hash, code string, at time.Time) error {
		return s.AddCustomRegistration(ctx, store.CustomRegistration{
			Hash: []byte(hash), ClientID: "c", Provider: "p", ClientCode: []byte(code), CreatedAt: at, ExpiresAt: at.Add(time.Minute),
		})
	}
	before, err := s.LiveClientCodes(ctx, moment)
	must(t, err)
	must(t, begin("cc-1", "111111", moment))
	if err := begin("cc-2", "111111", moment.Add(59*time.Second)); !errors.Is(err, store.ErrConflict) {
		t.Errorf("a live code again: %v", err)
	}
	if n, err := s.LiveClientCodes(ctx, moment); err != nil || n != before+1 {
		t.Errorf("%d live codes, %v; want one more than %d", n, err, before)
	}
	if n, err := s.LiveClientCodes(ctx, moment.Add(time.Minute)); err != nil || n != 0 {
		t.Errorf("%d live codes after their end, %v", n, err)
	}
	answer := func(code string, at time.Time) error {
		return s.AnswerClientCode(ctx, []byte(code), []byte("response"), "ann", at, at.Add(5*time.Minute))
	}
	if err := answer("222222", moment); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown code: %v", err)
	}
	must(t, answer("111111", moment.Add(time.Second)))
	if err := answer("111111", moment.Add(time.Second)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a second answer: %v", err)
	}
	got, err := s.CustomRegistration(ctx, []byte("cc-1"))
	if err != nil || got.UserID != "ann" || string(got.ResponseCode) != "response" || !got.ExpiresAt.Equal(kept.Add(time.Second+5*time.Minute)) {
		t.Errorf("answered: %+v, %v", got, err)
	}
	must(t, begin("cc-3", "333333", moment))
	if err := answer("333333", moment.Add(time.Minute)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an expired code: %v", err)
	}
	must(t, begin("cc-4", "333333", moment.Add(time.Minute))) // it is free again
	must(t, s.EndCustomRegistration(ctx, []byte("cc-4")))
	if err := answer("333333", moment.Add(61*time.Second)); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the code of an ended one: %v", err)
	}
	must(t, begin("cc-5", "333333", moment.Add(61*time.Second)))
}

// raceForCustomRegistration: of fifty who complete one registration, one does, and no more than the limit try.
func raceForCustomRegistration(t *testing.T, s CustomRegistrations) {
	ctx := t.Context()
	r := store.CustomRegistration{Hash: []byte("race"), ClientID: "c", Provider: "p", CreatedAt: moment, ExpiresAt: moment.Add(time.Minute)}
	must(t, s.AddCustomRegistration(ctx, r))
	const callers, limit = 50, 5
	var tried, won atomic.Int32
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			if err := s.CountCompletion(ctx, r.Hash, limit, moment); err == nil {
				tried.Add(1)
			} else if !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
			err := s.InTx(ctx, func(ctx context.Context) error { return s.EndCustomRegistration(ctx, r.Hash) })
			if err == nil {
				won.Add(1)
			} else if !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 || tried.Load() > limit {
		t.Errorf("%d winners, %d tries; want one, and at most %d", won.Load(), tried.Load(), limit)
	}
}

// raceForClientCode: of many who draw one code, one gets it; of many who answer it, one does.
func raceForClientCode(t *testing.T, s CustomRegistrations) {
	ctx := t.Context()
	const callers = 20
	var drawn, answered atomic.Int32
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			err := s.AddCustomRegistration(ctx, store.CustomRegistration{
				Hash: []byte{'r', byte(i)}, ClientID: "c", Provider: "p", ClientCode: []byte("race-code"), CreatedAt: moment, ExpiresAt: moment.Add(time.Minute),
			})
			if err == nil {
				drawn.Add(1)
			} else if !errors.Is(err, store.ErrConflict) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for range callers {
		all.Go(func() {
			err := s.AnswerClientCode(ctx, []byte("race-code"), []byte("x"), "ann", moment, moment.Add(time.Minute))
			if err == nil {
				answered.Add(1)
			} else if !errors.Is(err, store.ErrNotFound) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if drawn.Load() != 1 || answered.Load() != 1 {
		t.Errorf("%d drew the code, %d answered it; want one each", drawn.Load(), answered.Load())
	}
}
