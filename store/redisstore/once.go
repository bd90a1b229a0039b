package redisstore

import (
	"context"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

// ClaimOnce remembers (scope, id), for example a jti, until a moment: of all callers exactly one succeeds. value is
// kept with it. Errors: store.ErrConflict for everybody after the first, together with the value of the first.
func (s *Store) ClaimOnce(ctx context.Context, scope, id, value string, until time.Time) (first string, err error) {
	if value == "" {
		value = "1"
	}
	life := max(until.Sub(s.now()), time.Second)
	first, err = s.client.SetArgs(ctx, "once:"+scope+":"+id, value, redis.SetArgs{Mode: "NX", TTL: life, Get: true}).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "", nil
	case err != nil:
		return "", unavailable(err)
	}
	return first, store.ErrConflict
}

// Claimed returns the value that the first caller of ClaimOnce kept. Errors: store.ErrNotFound when there was none, or its
// moment has passed.
func (s *Store) Claimed(ctx context.Context, scope, id string) (value string, err error) {
	value, err = s.client.Get(ctx, "once:"+scope+":"+id).Result()
	switch {
	case errors.Is(err, redis.Nil):
		return "", store.ErrNotFound
	case err != nil:
		return "", unavailable(err)
	}
	return value, nil
}
