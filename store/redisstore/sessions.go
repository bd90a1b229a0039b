package redisstore

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"tokenserver/store"
)

func sessionKey(hash []byte) string { return "sess:" + hex.EncodeToString(hash) }

// AddSession stores a browser session, or what a use changed in it.
func (s *Store) AddSession(ctx context.Context, b store.BrowserSession) error {
	record, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	if err := s.client.Set(ctx, sessionKey(b.Hash), record, max(b.ExpiresAt.Sub(s.now()), time.Second)).Err(); err != nil {
		return fmt.Errorf("add session: %w", unavailable(err))
	}
	return nil
}

// TouchSession moves the end of a live session; one that was ended meanwhile stays ended.
func (s *Store) TouchSession(ctx context.Context, b store.BrowserSession) error {
	record, err := json.Marshal(b)
	if err != nil {
		return fmt.Errorf("encode session: %w", err)
	}
	if err := s.client.SetXX(ctx, sessionKey(b.Hash), record, max(b.ExpiresAt.Sub(s.now()), time.Second)).Err(); err != nil {
		if err := missing(err); err != nil {
			return fmt.Errorf("touch session: %w", err)
		}
	}
	return nil
}

// Session returns a browser session. Errors: store.ErrNotFound, store.ErrExpired.
func (s *Store) Session(ctx context.Context, hash []byte) (store.BrowserSession, error) {
	record, err := s.client.Get(ctx, sessionKey(hash)).Result()
	if err != nil {
		return store.BrowserSession{}, fmt.Errorf("read session: %w", missing(err))
	}
	var b store.BrowserSession
	if err := json.Unmarshal([]byte(record), &b); err != nil {
		return store.BrowserSession{}, fmt.Errorf("decode session: %w", err)
	}
	if now := s.now(); !now.Before(b.ExpiresAt) || !now.Before(b.EndsAt) {
		return store.BrowserSession{}, store.ErrExpired
	}
	return b, nil
}

// EndSession removes a browser session; one that is not there is ended already.
func (s *Store) EndSession(ctx context.Context, hash []byte) error {
	if err := s.client.Del(ctx, sessionKey(hash)).Err(); err != nil {
		return fmt.Errorf("end session: %w", unavailable(err))
	}
	return nil
}
