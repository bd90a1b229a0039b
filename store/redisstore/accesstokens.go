package redisstore

import (
	"context"
	_ "embed" // embeds the script
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

//go:embed scripts/shorten.lua
var shortenText string

var shortenScript = redis.NewScript(shortenText)

func accessKey(id string) string { return "at:" + id }

func usesKey(id string) string { return "at-uses:" + id }

// PutAccessToken keeps an access token under its ID until its end and the grace after it.
func (s *Store) PutAccessToken(ctx context.Context, t store.AccessToken) error {
	if err := s.client.Set(ctx, accessKey(t.ID), encodeAccessToken(t), s.life(t.ExpiresAt)).Err(); err != nil {
		return fmt.Errorf("put access token: %w", unavailable(err))
	}
	return nil
}

// ShortenAccessToken ends an access token at a moment, unless it ends before. One that is not there stays away.
func (s *Store) ShortenAccessToken(ctx context.Context, id string, ends time.Time) error {
	err := shortenScript.Run(ctx, s.client, []string{accessKey(id)}, expiryText(ends), s.life(ends).Milliseconds()).Err()
	if err != nil {
		return fmt.Errorf("shorten access token: %w", unavailable(err))
	}
	return nil
}

// AccessToken returns what is kept under an ID. The record comes with store.ErrExpired and store.ErrRevoked too.
// Errors: store.ErrNotFound, store.ErrExpired, store.ErrRevoked (a tombstone, expired or not).
func (s *Store) AccessToken(ctx context.Context, id string) (store.AccessToken, error) {
	text, err := s.client.Get(ctx, accessKey(id)).Result()
	if errors.Is(err, redis.Nil) {
		return store.AccessToken{}, store.ErrNotFound
	}
	if err != nil {
		return store.AccessToken{}, fmt.Errorf("read access token: %w", unavailable(err))
	}
	t, revoked, err := decodeAccessToken(text)
	if err != nil {
		return store.AccessToken{}, fmt.Errorf("read access token: %w", err)
	}
	t.ID = id
	switch {
	case revoked:
		return t, store.ErrRevoked
	case !s.now().Before(t.ExpiresAt):
		return t, store.ErrExpired
	}
	return t, nil
}

// BuryAccessToken leaves a tombstone in the place of an access token, for as long as the token would have been known.
// A token that is not there stays away.
func (s *Store) BuryAccessToken(ctx context.Context, t store.AccessToken) error {
	text := encodeAccessToken(t)
	text[1] = recordRevoked
	err := s.client.SetArgs(ctx, accessKey(t.ID), text, redis.SetArgs{Mode: "XX", TTL: s.life(t.ExpiresAt)}).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return fmt.Errorf("bury access token: %w", unavailable(err))
	}
	return nil
}

// CountAccessTokenUse counts one use of a limited token and returns how many there were before.
func (s *Store) CountAccessTokenUse(ctx context.Context, t store.AccessToken) (int, error) {
	pipe := s.client.Pipeline()
	uses := pipe.Incr(ctx, usesKey(t.ID))
	pipe.PExpire(ctx, usesKey(t.ID), s.life(t.ExpiresAt))
	if _, err := pipe.Exec(ctx); err != nil {
		return 0, fmt.Errorf("count access token use: %w", unavailable(err))
	}
	return int(uses.Val()) - 1, nil
}
