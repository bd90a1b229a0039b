package store

import "time"

// Job is work that outlives its request: a callback, a notice. It is written in the transaction of its cause and
// delivered at least once.
type Job struct {
	ID        string // UUID; the delivery id that receivers see
	Kind      string // names the worker, for example "pushauth.callback"
	Payload   []byte // JSON, no secret
	Attempts  int    // tries so far
	NotBefore time.Time
	CreatedAt time.Time
}
