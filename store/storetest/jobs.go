package storetest

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"tokenserver/store"
)

// JobStore keeps work that outlives its request.
type JobStore interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	AddJob(ctx context.Context, job store.Job) error
	ClaimJobs(ctx context.Context, kind string, now time.Time, lease time.Duration, limit int) ([]store.Job, error)
	RetryJob(ctx context.Context, id string, notBefore time.Time) error
	FinishJob(ctx context.Context, id string) error
	BuryJob(ctx context.Context, id string) error
	DeadJobs(ctx context.Context, limit int) ([]store.Job, error)
	CountJobs(ctx context.Context) (waiting, dead int64, err error)
}

// Jobs proves a store of jobs that holds no others.
func Jobs(t *testing.T, s JobStore) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 654321000, time.UTC)
	t.Run("life of a job", func(t *testing.T) { jobLife(t, s, now) })
	t.Run("a job joins its cause", func(t *testing.T) { jobJoins(t, s, now) })
	t.Run("burial", func(t *testing.T) { jobBurial(t, s, now) })
	t.Run("each job is claimed once", func(t *testing.T) { jobClaims(t, s, now) })
}

func claimed(t *testing.T, s JobStore, kind string, now time.Time, want ...string) []store.Job {
	t.Helper()
	jobs, err := s.ClaimJobs(t.Context(), kind, now, time.Minute, 10)
	must(t, err)
	var ids []string
	for _, j := range jobs {
		ids = append(ids, j.ID)
	}
	if !reflect.DeepEqual(ids, want) {
		t.Fatalf("claimed %v of %s, want %v", ids, kind, want)
	}
	return jobs
}

func jobLife(t *testing.T, s JobStore, now time.Time) {
	job := store.Job{ID: "life", Kind: "greet", Payload: []byte(`{"to":"Zoë"}`), NotBefore: now, CreatedAt: now}
	must(t, s.AddJob(t.Context(), job))
	claimed(t, s, "other", now)
	claimed(t, s, "greet", now.Add(-time.Microsecond))
	got := claimed(t, s, "greet", now, "life")
	job.Attempts, job.NotBefore = 1, now.Add(time.Minute)
	if !reflect.DeepEqual(got[0], job) {
		t.Errorf("claimed %+v, want %+v", got[0], job)
	}
	claimed(t, s, "greet", now.Add(time.Minute-time.Microsecond)) // the lease holds
	if got := claimed(t, s, "greet", now.Add(time.Minute), "life"); got[0].Attempts != 2 {
		t.Errorf("%d tries after the lease has ended, want 2", got[0].Attempts)
	}
	must(t, s.RetryJob(t.Context(), "life", now.Add(time.Hour)))
	claimed(t, s, "greet", now.Add(time.Hour-time.Microsecond))
	claimed(t, s, "greet", now.Add(time.Hour), "life")
	must(t, s.FinishJob(t.Context(), "life"))
	wantErr(t, s.FinishJob(t.Context(), "life"), store.ErrNotFound)
	claimed(t, s, "greet", now.Add(24*time.Hour))
}

func jobJoins(t *testing.T, s JobStore, now time.Time) {
	err := s.InTx(t.Context(), func(ctx context.Context) error {
		must(t, s.AddJob(ctx, store.Job{ID: "undone", Kind: "join", Payload: []byte("{}"), NotBefore: now, CreatedAt: now}))
		return store.ErrConflict
	})
	wantErr(t, err, store.ErrConflict)
	claimed(t, s, "join", now)
	must(t, s.InTx(t.Context(), func(ctx context.Context) error {
		return s.AddJob(ctx, store.Job{ID: "done", Kind: "join", Payload: []byte("{}"), NotBefore: now, CreatedAt: now})
	}))
	claimed(t, s, "join", now, "done")
	must(t, s.FinishJob(t.Context(), "done"))
}

func jobBurial(t *testing.T, s JobStore, now time.Time) {
	must(t, s.AddJob(t.Context(), store.Job{ID: "dead", Kind: "bury", Payload: []byte("{}"), NotBefore: now, CreatedAt: now}))
	must(t, s.AddJob(t.Context(), store.Job{ID: "waiting", Kind: "bury", Payload: []byte("{}"), NotBefore: now.Add(time.Second), CreatedAt: now}))
	claimed(t, s, "bury", now, "dead")
	must(t, s.BuryJob(t.Context(), "dead"))
	wantErr(t, s.BuryJob(t.Context(), "dead"), store.ErrNotFound)
	waiting, dead, err := s.CountJobs(t.Context())
	if must(t, err); waiting != 1 || dead != 1 {
		t.Errorf("%d wait, %d are dead, want 1 and 1", waiting, dead)
	}
	list, err := s.DeadJobs(t.Context(), 10)
	if must(t, err); len(list) != 1 || list[0].ID != "dead" || list[0].Attempts != 1 {
		t.Errorf("dead jobs %+v", list)
	}
	claimed(t, s, "bury", now.Add(time.Hour), "waiting")
	must(t, s.FinishJob(t.Context(), "waiting"))
}

func jobClaims(t *testing.T, s JobStore, now time.Time) {
	const jobs = 40
	for n := range jobs {
		must(t, s.AddJob(t.Context(), store.Job{
			ID: fmt.Sprint("claim", n), Kind: "claim", Payload: []byte("{}"), NotBefore: now, CreatedAt: now,
		}))
	}
	var mu sync.Mutex
	seen := map[string]int{}
	race(t, func(int) error {
		list, err := s.ClaimJobs(t.Context(), "claim", now, time.Minute, 3)
		mu.Lock()
		defer mu.Unlock()
		for _, j := range list {
			seen[j.ID]++
		}
		return err
	})
	for { // a claim passes over rows that another one holds
		list, err := s.ClaimJobs(t.Context(), "claim", now, time.Minute, 3)
		must(t, err)
		for _, j := range list {
			seen[j.ID]++
		}
		if len(list) == 0 {
			break
		}
	}
	if len(seen) != jobs {
		t.Errorf("%d jobs claimed, want %d", len(seen), jobs)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("%s claimed %d times", id, n)
		}
	}
}
