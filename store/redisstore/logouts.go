package redisstore

import (
	"context"
	"encoding/json"
	"fmt"

	"tokenserver/store"
)

func logoutKey(id string) string { return "logout:" + id }

// PutLogout keeps a logout that waits, or replaces it.
func (s *Store) PutLogout(ctx context.Context, l store.Logout) error {
	record, err := json.Marshal(l)
	if err != nil {
		return fmt.Errorf("encode logout: %w", err)
	}
	if err := s.client.Set(ctx, logoutKey(l.ID), record, s.sessionLife(l.ExpiresAt)).Err(); err != nil {
		return fmt.Errorf("put logout: %w", unavailable(err))
	}
	return nil
}

// Logout returns a logout that waits. Errors: store.ErrNotFound, also when its time is over.
func (s *Store) Logout(ctx context.Context, id string) (store.Logout, error) {
	record, err := s.client.Get(ctx, logoutKey(id)).Bytes()
	return s.logout(record, err)
}

// TakeLogout is Logout and removes it: of several callers one gets it.
func (s *Store) TakeLogout(ctx context.Context, id string) (store.Logout, error) {
	record, err := s.client.GetDel(ctx, logoutKey(id)).Bytes()
	return s.logout(record, err)
}

func (s *Store) logout(record []byte, err error) (store.Logout, error) {
	if err != nil {
		return store.Logout{}, fmt.Errorf("read logout: %w", missing(err))
	}
	var l store.Logout
	if err := json.Unmarshal(record, &l); err != nil {
		return store.Logout{}, fmt.Errorf("decode logout: %w", err)
	}
	if !s.now().Before(l.ExpiresAt) {
		return store.Logout{}, store.ErrNotFound
	}
	return l, nil
}
