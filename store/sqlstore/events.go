package sqlstore

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"tokenserver/audit"
	"tokenserver/store"
)

const eventColumns = `time, code, client_id, user_id, profile_id, application, platform, version,
	client_ip, user_agent, transaction_id, agent, admin_user, instance, details`

// insertEvents writes several events with one statement on PostgreSQL. One event alone is cheaper as a plain row; so are
// all of them on SQLite, where a statement costs no round trip.
func (s *Store) insertEvents(ctx context.Context, events []audit.Event) error {
	if len(s.silenced) > 0 {
		events = slices.DeleteFunc(slices.Clone(events), func(e audit.Event) bool { return slices.Contains(s.silenced, e.Code) })
	}
	if len(events) == 0 {
		return nil
	}
	if s.engine == postgreSQL && len(events) > 1 {
		return s.insertEventArrays(ctx, events)
	}
	const insert = `INSERT INTO audit_events (` + eventColumns + `) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	for i := range events {
		e := &events[i]
		if err := s.execLast(ctx, insert, micros(e.Time), string(e.Code), e.ClientID, e.UserID, e.ProfileID,
			e.Application, e.Platform, e.Version, e.ClientIP, e.UserAgent, e.TransactionID, e.Agent, e.AdminUser,
			e.Instance, string(e.Details.JSON())); err != nil {
			return fmt.Errorf("insert audit event: %w", err)
		}
	}
	return nil
}

// insertEventArrays sends one array for each column: one round trip and one plan, whatever the number of events.
func (s *Store) insertEventArrays(ctx context.Context, events []audit.Event) error {
	const texts = 14
	times := make([]int64, len(events))
	var columns [texts][]string
	for c := range columns {
		columns[c] = make([]string, len(events))
	}
	for i := range events {
		e := &events[i]
		times[i] = micros(e.Time)
		for c, value := range [texts]string{
			string(e.Code), e.ClientID, e.UserID, e.ProfileID, e.Application, e.Platform, e.Version, e.ClientIP,
			e.UserAgent, e.TransactionID, e.Agent, e.AdminUser, e.Instance, string(e.Details.JSON()),
		} {
			columns[c][i] = value
		}
	}
	args := make([]any, 0, texts+1)
	args = append(args, times)
	for c := range columns {
		args = append(args, columns[c])
	}
	const insert = `INSERT INTO audit_events (` + eventColumns + `) SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[],
		$4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[], $12::text[],
		$13::text[], $14::text[], $15::text[])`
	if err := s.execLast(ctx, insert, args...); err != nil {
		return fmt.Errorf("insert audit events: %w", err)
	}
	return nil
}

// CommitEvents writes events that belong to no effect. Concurrent callers share a transaction: whatever was handed in
// while the last batch was being written forms the next. Errors: store.ErrUnavailable.
func (s *Store) CommitEvents(ctx context.Context, events []audit.Event) error {
	return s.events.commit(ctx, events)
}

// committer writes batches of events, one at a time.
type committer struct {
	store *Store
	queue chan batch
	stop  chan struct{} // closed when nothing more is taken
	once  sync.Once     // closes stop: a store may be closed twice
	done  chan struct{}
}

type batch struct {
	events []audit.Event
	result chan error
}

const (
	queued      = 1024 // callers that may wait
	largestSize = 2000 // events in one transaction

	commitTimeout = 10 * time.Second
)

func newCommitter(ctx context.Context, s *Store) *committer {
	c := &committer{store: s, queue: make(chan batch, queued), stop: make(chan struct{}), done: make(chan struct{})}
	go c.run(context.WithoutCancel(ctx)) // it ends with close, after the last batch
	return c
}

func (c *committer) commit(ctx context.Context, events []audit.Event) error {
	b := batch{events, make(chan error, 1)}
	select {
	case c.queue <- b:
	case <-ctx.Done():
		return fmt.Errorf("queue audit events: %w: %w", store.ErrUnavailable, ctx.Err())
	case <-c.stop:
		return fmt.Errorf("queue audit events: the store is closed: %w", store.ErrUnavailable)
	}
	select {
	case err := <-b.result:
		return err
	case <-c.done: // handed in while the last batch was written: nobody will look at it
		select {
		case err := <-b.result:
			return err
		default:
			return fmt.Errorf("queue audit events: the store is closed: %w", store.ErrUnavailable)
		}
	}
}

func (c *committer) close() {
	c.once.Do(func() { close(c.stop) })
	<-c.done
}

// run writes batches until close; what had been handed in by then is written.
func (c *committer) run(ctx context.Context) {
	defer close(c.done)
	var events []audit.Event
	var waiting []chan error
	for {
		select {
		case b := <-c.queue:
			events, waiting = c.gather(append(events[:0], b.events...), append(waiting[:0], b.result))
		case <-c.stop:
			if events, waiting = c.gather(events[:0], waiting[:0]); len(waiting) == 0 {
				return
			}
		}
		start := c.store.now()
		err := c.write(ctx, events)
		if c.store.ObserveCommit != nil {
			c.store.ObserveCommit(len(events), c.store.now().Sub(start))
		}
		for _, result := range waiting {
			result <- err
		}
	}
}

// gather adds what waits in the queue to a batch.
func (c *committer) gather(events []audit.Event, waiting []chan error) ([]audit.Event, []chan error) {
	for len(events) < largestSize {
		select {
		case more := <-c.queue:
			events, waiting = append(events, more.events...), append(waiting, more.result)
		default:
			return events, waiting
		}
	}
	return events, waiting
}

func (c *committer) write(ctx context.Context, events []audit.Event) error {
	s := c.store
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	var err error
	if s.engine == postgreSQL {
		err = s.insertEvents(ctx, events) // one statement is a transaction of its own
	} else {
		err = s.InTx(ctx, func(ctx context.Context) error { return s.insertEvents(ctx, events) })
	}
	if err != nil {
		return fmt.Errorf("commit audit events: %w: %w", store.ErrUnavailable, err)
	}
	return nil
}
