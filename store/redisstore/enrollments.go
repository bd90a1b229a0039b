package redisstore

import (
	"context"
	_ "embed" // the script
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

//go:embed scripts/enrollment_move.lua
var enrollmentMove string

var enrollmentMoveScript = redis.NewScript(enrollmentMove)

func enrollmentKey(id string) string { return "enr:{" + id + "}" }

// StartEnrollment writes an enrollment in flight, until its ExpiresAt. Its push token must be sealed.
// Errors: store.ErrConflict when the id is taken.
func (s *Store) StartEnrollment(ctx context.Context, p store.PendingEnrollment) error {
	record, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode enrollment: %w", err)
	}
	return s.moveEnrollment(ctx, p, "", record)
}

// PendingEnrollment returns an enrollment in flight. Errors: store.ErrNotFound, also when its time is over.
func (s *Store) PendingEnrollment(ctx context.Context, id string) (store.PendingEnrollment, error) {
	text, err := s.client.HGet(ctx, enrollmentKey(id), "record").Bytes()
	if errors.Is(err, redis.Nil) {
		return store.PendingEnrollment{}, store.ErrNotFound
	}
	if err != nil {
		return store.PendingEnrollment{}, fmt.Errorf("read enrollment: %w", unavailable(err))
	}
	var p store.PendingEnrollment
	if err := json.Unmarshal(text, &p); err != nil {
		return store.PendingEnrollment{}, fmt.Errorf("decode enrollment: %w", err)
	}
	if !s.now().Before(p.ExpiresAt) {
		return store.PendingEnrollment{}, store.ErrNotFound
	}
	return p, nil
}

// AdvanceEnrollment replaces an enrollment in flight that still has the challenge before: of several callers that
// answer one challenge exactly one succeeds. Errors: store.ErrNotFound, store.ErrConflict.
func (s *Store) AdvanceEnrollment(ctx context.Context, before string, p store.PendingEnrollment) error {
	record, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("encode enrollment: %w", err)
	}
	return s.moveEnrollment(ctx, p, before, record)
}

func (s *Store) moveEnrollment(ctx context.Context, p store.PendingEnrollment, before string, record []byte) error {
	answer, err := enrollmentMoveScript.Run(ctx, s.client, []string{enrollmentKey(p.ID)}, before, p.Challenge,
		p.ExpiresAt.UnixMilli(), max(p.ExpiresAt.Sub(s.now()).Milliseconds(), 1), record).Text()
	switch {
	case err != nil:
		return fmt.Errorf("move enrollment: %w", unavailable(err))
	case answer == "GONE":
		return store.ErrNotFound
	case answer == "CONFLICT":
		return store.ErrConflict
	}
	return nil
}

// EndEnrollment forgets an enrollment in flight: it has been acknowledged.
func (s *Store) EndEnrollment(ctx context.Context, id string) error {
	if err := s.client.Del(ctx, enrollmentKey(id)).Err(); err != nil {
		return fmt.Errorf("end enrollment: %w", unavailable(err))
	}
	return nil
}
