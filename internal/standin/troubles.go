package standin

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// fault is the next planned failure. Status 0 cuts the connection without an answer.
type fault struct {
	left   int
	status int
	reason string
}

// troubles are what tests plan for a service: failures and slowness.
type troubles struct {
	planning sync.Mutex
	fault    fault
	delay    time.Duration
}

// FailNext makes the next n requests fail with a status and the vendor's reason. Status 0 cuts the connection instead.
// n = 0 ends a planned failure.
func (t *troubles) FailNext(n, status int, reason string) {
	t.planning.Lock()
	defer t.planning.Unlock()
	t.fault = fault{left: n, status: status, reason: reason}
}

// Delay makes every answer wait; 0 ends it.
func (t *troubles) Delay(d time.Duration) {
	t.planning.Lock()
	defer t.planning.Unlock()
	t.delay = d
}

// planned waits the configured delay and takes one planned failure, if there is one left.
func (t *troubles) planned(ctx context.Context) (fault, bool) {
	t.planning.Lock()
	delay, next := t.delay, t.fault
	if next.left > 0 {
		t.fault.left--
	}
	t.planning.Unlock()
	wait(ctx, delay)
	if next.left > 0 && next.status == 0 {
		panic(http.ErrAbortHandler) // cuts the connection
	}
	return next, next.left > 0
}
