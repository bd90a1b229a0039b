package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// job makes one request, or one journey, as one worker, and checks the answer.
type job func(ctx context.Context) error

// loaded is what came of a load.
type loaded struct {
	latencies []time.Duration // of every job
	elapsed   time.Duration   // of all of them together
	failed    int
	first     error // the first failure
}

// load runs n jobs on the workers.
func load(ctx context.Context, workers []job, n int) (l loaded) {
	var next atomic.Int64
	var mu sync.Mutex
	var wait sync.WaitGroup
	start := time.Now()
	for _, work := range workers {
		wait.Go(func() {
			own := make([]time.Duration, 0, n/len(workers)+1)
			for next.Add(1) <= int64(n) && ctx.Err() == nil {
				began := time.Now()
				err := work(ctx)
				own = append(own, time.Since(began))
				if err != nil {
					mu.Lock()
					l.failed++
					if l.first == nil {
						l.first = err
					}
					mu.Unlock()
				}
			}
			mu.Lock()
			l.latencies = append(l.latencies, own...)
			mu.Unlock()
		})
	}
	wait.Wait()
	l.elapsed = time.Since(start)
	return l
}
