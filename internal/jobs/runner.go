package jobs

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"tokenserver/audit"
	"tokenserver/store"
)

// Kind says how the jobs of one kind are done.
type Kind struct {
	Name    string
	Workers int           // that work at the same time in this process
	Timeout time.Duration // of one try

	// Work tries a job once. The events that it records are stored when the job ends with this try; those of a try that
	// is followed by another one are not. A transaction that Work itself makes takes along what was recorded before, so
	// it records at its end. Errors: Final when no further try makes sense, any other to try again.
	Work func(ctx context.Context, job store.Job) error

	// Bury records the events of a job that is given up, in the transaction that buries it. err is that of the last try.
	Bury func(ctx context.Context, job store.Job, err error) error
}

// Final marks an error after which no further try makes sense.
func Final(err error) error { return final{err} }

type final struct{ error }

func (f final) Unwrap() error { return f.error }

// Queue is what a Runner needs of the SQL store.
type Queue interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	ClaimJobs(ctx context.Context, kind string, now time.Time, lease time.Duration, limit int) ([]store.Job, error)
	RetryJob(ctx context.Context, id string, notBefore time.Time) error
	FinishJob(ctx context.Context, id string) error
	BuryJob(ctx context.Context, id string) error
}

// Config is what a Runner is made of. Every field but Observe is required.
type Config struct {
	Queue    Queue
	Kinds    []Kind
	Log      *slog.Logger
	Now      func() time.Time
	Instance string        // of this process, in every event
	Poll     time.Duration // how often due jobs are looked for when nobody calls Wake

	Observe func(kind, result string) // of each try: done, retry, dead or fault
}

// Runner works on jobs. Make one with New; safe for concurrent use.
type Runner struct {
	Config
	wake map[string]chan struct{}
}

// leaseMargin is how much longer than a try a job is hidden from others.
const leaseMargin = 30 * time.Second

// The results that Observe learns.
const (
	done  = "done"
	retry = "retry"
	dead  = "dead"
	fault = "fault" // the store did not answer: the job comes back when its lease ends
)

// New returns a Runner that does not run yet.
func New(config Config) *Runner {
	r := &Runner{Config: config, wake: make(map[string]chan struct{}, len(config.Kinds))}
	if r.Observe == nil {
		r.Observe = func(string, string) {}
	}
	for _, k := range config.Kinds {
		r.wake[k.Name] = make(chan struct{}, 1)
	}
	return r
}

// Wake hints that a job of that kind has been written: it is looked for at once. Call it after the commit.
func (r *Runner) Wake(kind string) {
	select {
	case r.wake[kind] <- struct{}{}:
	default: // a hint is waiting already, or the kind is unknown
	}
}

// Run works until ctx ends, then lets the tries under way come to their end.
func (r *Runner) Run(ctx context.Context) {
	var kinds sync.WaitGroup
	for _, k := range r.Kinds {
		kinds.Go(func() { r.serve(ctx, k) })
	}
	kinds.Wait()
}

// Drain does what is due now, one job after the other, and returns how many tries that took.
func (r *Runner) Drain(ctx context.Context) (tries int, err error) {
	for _, k := range r.Kinds {
		for {
			claimed, err := r.claim(ctx, k, 1)
			if err != nil {
				return tries, err
			}
			if len(claimed) == 0 {
				break
			}
			r.try(ctx, k, claimed[0])
			tries++
		}
	}
	return tries, nil
}

// serve claims jobs of one kind for as many workers as are free.
func (r *Runner) serve(ctx context.Context, k Kind) {
	var tries sync.WaitGroup
	defer tries.Wait()
	free := make(chan struct{}, k.Workers)
	for range k.Workers {
		free <- struct{}{}
	}
	poll := time.NewTicker(r.Poll)
	defer poll.Stop()
	for {
		idle := take(ctx, free, k.Workers)
		if idle == 0 {
			return
		}
		claimed, err := r.claim(ctx, k, idle)
		if err != nil && ctx.Err() == nil {
			r.Log.ErrorContext(ctx, "jobs not claimed", "kind", k.Name, "error", err)
		}
		for _, job := range claimed {
			tries.Go(func() {
				defer func() { free <- struct{}{} }()
				r.try(ctx, k, job)
			})
		}
		for range idle - len(claimed) {
			free <- struct{}{}
		}
		if len(claimed) == idle {
			continue // there may be more
		}
		select {
		case <-ctx.Done():
			return
		case <-r.wake[k.Name]:
		case <-poll.C:
		}
	}
}

// take waits for one free worker and takes all that are free; 0 when ctx ends first.
func take(ctx context.Context, free chan struct{}, most int) int {
	select {
	case <-ctx.Done():
		return 0
	case <-free:
	}
	if ctx.Err() != nil {
		return 0
	}
	for n := 1; n < most; n++ {
		select {
		case <-free:
		default:
			return n
		}
	}
	return most
}

func (r *Runner) claim(ctx context.Context, k Kind, limit int) ([]store.Job, error) {
	return r.Queue.ClaimJobs(ctx, k.Name, r.Now(), k.Timeout+leaseMargin, limit)
}

// try works on a claimed job once and writes down how that ended.
func (r *Runner) try(ctx context.Context, k Kind, job store.Job) {
	// The process stopping must not cut a try short: the other side could have acted already.
	ctx = audit.WithTrail(context.WithoutCancel(ctx), audit.NewTrail(audit.Origin{TransactionID: job.ID, Instance: r.Instance}))
	result, err := r.settle(ctx, k, job, r.work(ctx, k, job))
	if err != nil {
		result = fault
		r.Log.ErrorContext(ctx, "job not settled", "kind", k.Name, "job", job.ID, "error", err)
	}
	r.Observe(k.Name, result)
}

// work runs one try, within its time; a panic is an error like any other.
func (r *Runner) work(ctx context.Context, k Kind, job store.Job) (err error) {
	ctx, cancel := context.WithTimeout(ctx, k.Timeout)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return k.Work(ctx, job)
}

// settle finishes, buries or schedules a job after a try that ended with err. When somebody else has settled it
// meanwhile, because the lease ended, nothing is written and no event stored.
func (r *Runner) settle(ctx context.Context, k Kind, job store.Job, err error) (result string, _ error) {
	var hopeless final
	switch {
	case err == nil:
		return done, others(r.Queue.InTx(ctx, func(ctx context.Context) error {
			return r.Queue.FinishJob(ctx, job.ID)
		}))
	case errors.As(err, &hopeless) || job.Attempts >= Tries:
		r.Log.WarnContext(ctx, "job given up", "kind", k.Name, "job", job.ID, "tries", job.Attempts, "error", err)
		// The events of the try itself have no end to be stored with.
		ctx = audit.WithTrail(ctx, audit.NewTrail(audit.Origin{TransactionID: job.ID, Instance: r.Instance}))
		return dead, others(r.Queue.InTx(ctx, func(ctx context.Context) error {
			if err := r.Queue.BuryJob(ctx, job.ID); err != nil {
				return err
			}
			return k.Bury(ctx, job, err)
		}))
	default:
		wait := Wait(job.Attempts, random())
		r.Log.InfoContext(ctx, "job is tried again", "kind", k.Name, "job", job.ID, "tries", job.Attempts, "wait", wait, "error", err)
		return retry, r.Queue.RetryJob(ctx, job.ID, r.Now().Add(wait))
	}
}

// others forgives that somebody else has settled the job.
func others(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

// random returns a number in [0, 1).
func random() float64 {
	var b [8]byte
	rand.Read(b[:]) // never returns an error
	return float64(binary.BigEndian.Uint64(b[:])>>11) / (1 << 53)
}
