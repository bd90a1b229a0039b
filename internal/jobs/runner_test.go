package jobs_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/jobs"
	"tokenserver/store"
)

var errTry = errors.New("the other side does not answer")

// bench is a runner of one kind, "greet", whose tries end as the test says.
type bench struct {
	*audittest.Env
	runner *jobs.Runner
	tries  atomic.Int32
	work   func(ctx context.Context, job store.Job) error

	mu      sync.Mutex
	results []string
}

func newBench(t *testing.T, workers int) *bench {
	t.Helper()
	b := &bench{Env: audittest.New(t)}
	b.runner = jobs.New(jobs.Config{
		Queue: b.Store, Log: b.Log, Now: b.Now, Instance: "test", Poll: time.Hour,
		Kinds: []jobs.Kind{{
			Name: "greet", Workers: workers, Timeout: 10 * time.Second,
			Work: func(ctx context.Context, job store.Job) error {
				b.tries.Add(1)
				b.Recorder.Record(ctx, audit.PushAuthCallbackSent, audit.Detail("job", job.ID))
				return b.work(ctx, job)
			},
			Bury: func(ctx context.Context, job store.Job, err error) error {
				b.Recorder.Record(ctx, audit.PushAuthCallbackFailed, audit.Count("tries", job.Attempts), audit.Detail("error", err.Error()))
				return nil
			},
		}},
		Observe: func(_, result string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.results = append(b.results, result)
		},
	})
	return b
}

func (b *bench) add(t *testing.T, id string) {
	t.Helper()
	if err := b.Store.AddJob(t.Context(), store.Job{
		ID: id, Kind: "greet", Payload: []byte("{}"), NotBefore: b.Now(), CreatedAt: b.Now(),
	}); err != nil {
		t.Fatal(err)
	}
}

func (b *bench) drain(t *testing.T, tries int) {
	t.Helper()
	if n, err := b.runner.Drain(t.Context()); n != tries || err != nil {
		t.Fatalf("%d tries, %v; want %d", n, err, tries)
	}
}

func (b *bench) wantJobs(t *testing.T, waiting, dead int64) {
	t.Helper()
	if w, d, err := b.Store.CountJobs(t.Context()); w != waiting || d != dead || err != nil {
		t.Errorf("%d jobs wait, %d are dead, %v; want %d and %d", w, d, err, waiting, dead)
	}
}

func (b *bench) wantCodes(t *testing.T, want ...audit.Code) {
	t.Helper()
	if got := b.Codes(t); !slices.Equal(got, append([]audit.Code{}, want...)) {
		t.Errorf("codes %v, want %v", got, want)
	}
}

func TestJobIsDone(t *testing.T) {
	b := newBench(t, 1)
	b.work = func(context.Context, store.Job) error { return nil }
	b.add(t, "j1")
	b.drain(t, 1)
	b.wantJobs(t, 0, 0)
	b.wantCodes(t, audit.PushAuthCallbackSent)
	b.drain(t, 0)
}

func TestJobIsTriedByTheSchedule(t *testing.T) {
	b := newBench(t, 1)
	b.work = func(_ context.Context, job store.Job) error {
		if job.Attempts < 4 {
			return errTry
		}
		return nil
	}
	b.add(t, "j1")
	for _, wait := range []time.Duration{2 * time.Second, 10 * time.Second, time.Minute} {
		b.drain(t, 1)
		b.wantCodes(t) // a try that failed says nothing
		b.Clock.Advance(wait - time.Millisecond)
		b.drain(t, 0)
		b.Clock.Advance(time.Millisecond)
	}
	b.drain(t, 1)
	b.wantJobs(t, 0, 0)
	b.wantCodes(t, audit.PushAuthCallbackSent)
	if want := []string{"retry", "retry", "retry", "done"}; !slices.Equal(b.results, want) {
		t.Errorf("results %v, want %v", b.results, want)
	}
}

func TestJobIsBuriedAfterTheLastTry(t *testing.T) {
	b := newBench(t, 1)
	b.work = func(context.Context, store.Job) error { return errTry }
	b.add(t, "j1")
	for range jobs.Tries {
		b.drain(t, 1)
		b.Clock.Advance(15 * time.Minute)
	}
	b.drain(t, 0)
	b.wantJobs(t, 0, 1)
	events := b.Events(t)
	if len(events) != 1 || events[0].Code != audit.PushAuthCallbackFailed ||
		events[0].Details != `{"tries":10,"error":"`+errTry.Error()+`"}` {
		t.Errorf("events %+v", events)
	}
}

func TestJobIsBuriedAtOnce(t *testing.T) {
	for name, work := range map[string]func(context.Context, store.Job) error{
		"final": func(context.Context, store.Job) error { return fmt.Errorf("wrapped: %w", jobs.Final(errTry)) },
	} {
		b := newBench(t, 1)
		b.work = work
		b.add(t, "j1")
		b.drain(t, 1)
		b.wantJobs(t, 0, 1)
		b.wantCodes(t, audit.PushAuthCallbackFailed)
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func TestPanicIsAFailedTry(t *testing.T) {
	b := newBench(t, 1)
	b.work = func(context.Context, store.Job) error { panic("boom") }
	b.add(t, "j1")
	b.drain(t, 1)
	b.wantJobs(t, 1, 0)
	b.wantCodes(t)
}

// TestSlowTryIsSettledOnce: the lease ended, somebody else did the job; the slow one's end writes nothing.
func TestSlowTryIsSettledOnce(t *testing.T) {
	b := newBench(t, 1)
	b.work = func(_ context.Context, job store.Job) error {
		if job.Attempts > 1 {
			return nil
		}
		b.Clock.Advance(time.Hour)
		if n, err := b.runner.Drain(t.Context()); n != 1 || err != nil { //nolint:contextcheck // the other worker has a context of its own
			t.Errorf("the other worker: %d tries, %v", n, err)
		}
		return nil
	}
	b.add(t, "j1")
	b.drain(t, 1)
	b.wantJobs(t, 0, 0)
	b.wantCodes(t, audit.PushAuthCallbackSent)
}

// TestRunnersShareTheJobs: several runners, as several processes are, end each job with its event exactly once.
func TestRunnersShareTheJobs(t *testing.T) {
	const runners, n = 4, 60
	b := newBench(t, 3)
	ctx, stop := context.WithCancel(t.Context())
	left := make(chan struct{}, n)
	b.work = func(context.Context, store.Job) error {
		left <- struct{}{}
		return nil
	}
	for i := range n {
		b.add(t, fmt.Sprint("j", i))
	}
	var running sync.WaitGroup
	for range runners {
		other := jobs.New(b.runner.Config)
		running.Go(func() { other.Run(ctx) })
	}
	for range n {
		<-left
	}
	stop()
	running.Wait()
	b.wantJobs(t, 0, 0)
	if got := b.Codes(t); len(got) != n || b.tries.Load() != n {
		t.Errorf("%d events, %d tries, want %d", len(got), b.tries.Load(), n)
	}
}

// TestRunWakesAndStops: a hint is enough, nobody waits for the poll; a stop lets the try under way come to its end.
func TestRunWakesAndStops(t *testing.T) {
	b := newBench(t, 2)
	started, finish := make(chan string), make(chan struct{})
	b.work = func(ctx context.Context, job store.Job) error {
		started <- job.ID
		<-finish
		return ctx.Err()
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { b.runner.Run(ctx) })
	b.runner.Wake("unknown")
	b.add(t, "j1")
	b.runner.Wake("greet")
	<-started
	b.add(t, "j2")
	b.runner.Wake("greet")
	<-started
	b.add(t, "j3") // both workers are busy
	b.runner.Wake("greet")
	stop()
	close(finish)
	running.Wait()
	b.wantJobs(t, 1, 0)
	b.wantCodes(t, audit.PushAuthCallbackSent, audit.PushAuthCallbackSent)
}

// TestFaultOfTheStore: what cannot be settled comes back when the lease ends.
func TestFaultOfTheStore(t *testing.T) {
	b := newBench(t, 1)
	broken := &brokenQueue{Queue: b.Store}
	config := b.runner.Config
	config.Queue = broken
	b.work = func(context.Context, store.Job) error { return nil }
	b.add(t, "j1")
	if n, err := jobs.New(config).Drain(t.Context()); n != 1 || err != nil {
		t.Fatalf("%d tries, %v", n, err)
	}
	b.wantJobs(t, 1, 0)
	b.wantCodes(t)
	b.drain(t, 0)
	b.Clock.Advance(time.Minute)
	b.drain(t, 1)
	b.wantCodes(t, audit.PushAuthCallbackSent)
	if want := []string{"fault", "done"}; !slices.Equal(b.results, want) {
		t.Errorf("results %v, want %v", b.results, want)
	}
}

// brokenQueue cannot commit.
type brokenQueue struct{ jobs.Queue }

func (brokenQueue) InTx(context.Context, func(context.Context) error) error {
	return store.ErrUnavailable
}
