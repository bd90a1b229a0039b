package redisstore

import (
	"context"
	_ "embed" // the scripts
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

//go:embed scripts/authorization_move.lua
var authorizationMoveText string

//go:embed scripts/authorization_end.lua
var authorizationEndText string

var (
	authorizationMove = redis.NewScript(authorizationMoveText)
	authorizationEnd  = redis.NewScript(authorizationEndText)
)

func authorizationKey(id string) string { return "{azt:" + id + "}:rec" }

// AddAuthorization starts an authorization transaction. Its id is random: it is never there already.
func (s *Store) AddAuthorization(ctx context.Context, a store.Authorization) error {
	record, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode authorization: %w", err)
	}
	key := authorizationKey(a.ID)
	_, err = s.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.HSet(ctx, key, "version", strconv.Itoa(a.Version), "record", record)
		p.PExpire(ctx, key, s.life(a.ExpiresAt))
		return nil
	})
	if err != nil {
		return fmt.Errorf("add authorization: %w", unavailable(err))
	}
	return nil
}

// Authorization returns a transaction. Errors: store.ErrNotFound, store.ErrExpired.
func (s *Store) Authorization(ctx context.Context, id string) (store.Authorization, error) {
	record, err := s.client.HGet(ctx, authorizationKey(id), "record").Result()
	if err != nil {
		return store.Authorization{}, fmt.Errorf("read authorization: %w", missing(err))
	}
	var a store.Authorization
	if err := json.Unmarshal([]byte(record), &a); err != nil {
		return store.Authorization{}, fmt.Errorf("decode authorization: %w", err)
	}
	if !s.now().Before(a.ExpiresAt) {
		return store.Authorization{}, store.ErrExpired
	}
	return a, nil
}

// MoveAuthorization replaces the transaction that was read as before: of several callers racing for a move exactly one
// succeeds. It returns after as it is stored then. Errors: store.ErrConflict (moved meanwhile, or no legal move),
// store.ErrNotFound.
func (s *Store) MoveAuthorization(ctx context.Context, before, after store.Authorization) (store.Authorization, error) {
	if !before.State.CanMoveTo(after.State) {
		return store.Authorization{}, fmt.Errorf("move authorization from %s to %s: %w", before.State, after.State, store.ErrConflict)
	}
	after.ID, after.Version = before.ID, before.Version+1
	record, err := json.Marshal(after)
	if err != nil {
		return store.Authorization{}, fmt.Errorf("encode authorization: %w", err)
	}
	err = settled(authorizationMove.Run(ctx, s.client, []string{authorizationKey(before.ID)}, before.Version, after.Version,
		record, s.life(after.ExpiresAt).Milliseconds()).Text())
	if err != nil {
		return store.Authorization{}, fmt.Errorf("move authorization: %w", err)
	}
	return after, nil
}

// EndAuthorization removes the transaction that was read as a: whoever succeeds may answer it.
// Errors: store.ErrConflict (moved meanwhile), store.ErrNotFound (ended).
func (s *Store) EndAuthorization(ctx context.Context, a store.Authorization) error {
	err := settled(authorizationEnd.Run(ctx, s.client, []string{authorizationKey(a.ID)}, a.Version).Text())
	if err != nil {
		return fmt.Errorf("end authorization: %w", err)
	}
	return nil
}

// settled turns the word of a script into an error.
func settled(word string, err error) error {
	switch {
	case err != nil:
		return unavailable(err)
	case word == "unknown":
		return store.ErrNotFound
	case word == "expired":
		return store.ErrExpired
	case word == "conflict":
		return store.ErrConflict
	}
	return nil
}
