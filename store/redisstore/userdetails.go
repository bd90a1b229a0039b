package redisstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

func userDetailsKey(key string) string { return "userinfo:" + key }

// KeepUserDetails keeps what a user-info source said about a person, JSON, for a while.
func (s *Store) KeepUserDetails(ctx context.Context, key string, details []byte, life time.Duration) error {
	if err := s.client.Set(ctx, userDetailsKey(key), details, life).Err(); err != nil {
		return fmt.Errorf("keep user details: %w", unavailable(err))
	}
	return nil
}

// UserDetails returns what KeepUserDetails kept. Errors: store.ErrNotFound.
func (s *Store) UserDetails(ctx context.Context, key string) ([]byte, error) {
	text, err := s.client.Get(ctx, userDetailsKey(key)).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, store.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read user details: %w", unavailable(err))
	}
	return text, nil
}
