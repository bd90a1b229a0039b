package redisstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

// AddRegistrationChallenge keeps a challenge until it is taken or its time is over.
func (s *Store) AddRegistrationChallenge(ctx context.Context, c store.RegistrationChallenge) error {
	text, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode registration challenge: %w", err)
	}
	life := max(c.ExpiresAt.Sub(s.now()), time.Millisecond)
	return unavailable(s.client.Set(ctx, challengeKey(c.Identifier), text, life).Err())
}

// TakeRegistrationChallenge returns and removes a challenge in one step: of several callers exactly one gets it.
// Errors: store.ErrNotFound, store.ErrExpired.
func (s *Store) TakeRegistrationChallenge(ctx context.Context, identifier string) (store.RegistrationChallenge, error) {
	var c store.RegistrationChallenge
	text, err := s.client.GetDel(ctx, challengeKey(identifier)).Bytes()
	switch {
	case errors.Is(err, redis.Nil):
		return c, store.ErrNotFound
	case err != nil:
		return c, unavailable(err)
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return store.RegistrationChallenge{}, fmt.Errorf("decode registration challenge: %w", err)
	}
	if !s.now().Before(c.ExpiresAt) {
		return store.RegistrationChallenge{}, store.ErrExpired
	}
	return c, nil
}

func challengeKey(identifier string) string { return "dcr:{" + identifier + "}" }
