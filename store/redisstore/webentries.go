package redisstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"tokenserver/store"
)

func webEntryKey(hash []byte) string { return "a2w:" + hex.EncodeToString(hash) }

// AddWebEntry stores what a one-time token of an app stands for.
func (s *Store) AddWebEntry(ctx context.Context, e store.WebEntry) error {
	record, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode web entry: %w", err)
	}
	if err := s.client.Set(ctx, webEntryKey(e.Hash), record, s.life(e.ExpiresAt)).Err(); err != nil {
		return fmt.Errorf("add web entry: %w", unavailable(err))
	}
	return nil
}

// WebEntry returns it, without spending the token: that is decided in SQL. Errors: store.ErrNotFound, store.ErrExpired.
func (s *Store) WebEntry(ctx context.Context, hash []byte) (store.WebEntry, error) {
	record, err := s.client.Get(ctx, webEntryKey(hash)).Result()
	if err != nil {
		return store.WebEntry{}, fmt.Errorf("read web entry: %w", missing(err))
	}
	var e store.WebEntry
	if err := json.Unmarshal([]byte(record), &e); err != nil {
		return store.WebEntry{}, fmt.Errorf("decode web entry: %w", err)
	}
	if !s.now().Before(e.ExpiresAt) {
		return store.WebEntry{}, store.ErrExpired
	}
	return e, nil
}
