package redisstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

// usedCode is the tombstone of a redeemed code.
const usedCode = "used"

func codeKey(hash []byte) string { return "code:" + hex.EncodeToString(hash) }

// AddCode stores what a code stands for.
func (s *Store) AddCode(ctx context.Context, c store.AuthorizationCode) error {
	record, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("encode code: %w", err)
	}
	if err := s.client.Set(ctx, codeKey(c.Hash), record, s.life(c.ExpiresAt)).Err(); err != nil {
		return fmt.Errorf("add code: %w", unavailable(err))
	}
	return nil
}

// Code returns what a code stands for, without spending it: that is decided in SQL.
// Errors: store.ErrNotFound, store.ErrExpired, store.ErrConflict (spent).
func (s *Store) Code(ctx context.Context, hash []byte) (store.AuthorizationCode, error) {
	record, err := s.client.Get(ctx, codeKey(hash)).Result()
	if err != nil {
		return store.AuthorizationCode{}, fmt.Errorf("read code: %w", missing(err))
	}
	if record == usedCode {
		return store.AuthorizationCode{}, store.ErrConflict
	}
	var c store.AuthorizationCode
	if err := json.Unmarshal([]byte(record), &c); err != nil {
		return store.AuthorizationCode{}, fmt.Errorf("decode code: %w", err)
	}
	if !s.now().Before(c.ExpiresAt) {
		return store.AuthorizationCode{}, store.ErrExpired
	}
	return c, nil
}

// SpendCode drops a redeemed code and leaves a tombstone for as long as the code would have been known. The mark in SQL
// decides: when this fails, a second use still fails there.
func (s *Store) SpendCode(ctx context.Context, c store.AuthorizationCode) error {
	if err := s.client.Set(ctx, codeKey(c.Hash), usedCode, s.life(c.ExpiresAt)).Err(); err != nil {
		return fmt.Errorf("spend code: %w", unavailable(err))
	}
	return nil
}

// missing turns redis.Nil into store.ErrNotFound and every other error into store.ErrUnavailable.
func missing(err error) error {
	if errors.Is(err, redis.Nil) {
		return store.ErrNotFound
	}
	return unavailable(err)
}
