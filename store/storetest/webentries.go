package storetest

import (
	"context"
	"testing"
	"time"

	"tokenserver/store"
)

// WebEntries is the part of a store that keeps the one-time tokens with which apps sign browsers in.
type WebEntries interface {
	AddWebEntry(ctx context.Context, e store.WebEntry) error
	WebEntry(ctx context.Context, hash []byte) (store.WebEntry, error)
}

// TestWebEntries checks them; see TestDeviceLogins for now and advance.
func TestWebEntries(t *testing.T, s WebEntries, now func() time.Time, advance func(time.Duration)) {
	ctx := t.Context()
	e := store.WebEntry{
		Hash: []byte{0, 7, 255}, ClientID: "c", Application: "bank", Platform: "ios", AppVersion: "1", ProfileID: "AB12CD", UserID: "ann", Provider: "p",
		Target: "https://portal.example/?a=1&b=ü", Network: "192.0.2.1", AuthTime: soon(now, 0), ACR: "2", AMR: []string{"pwd"}, ExpiresAt: soon(now, time.Minute),
	}
	_, err := s.WebEntry(ctx, e.Hash)
	wantErr(t, err, store.ErrNotFound)
	must(t, s.AddWebEntry(ctx, e))
	got, err := s.WebEntry(ctx, e.Hash)
	must(t, err)
	same(t, got, e)
	advance(time.Minute + time.Second)
	_, err = s.WebEntry(ctx, e.Hash)
	wantErr(t, err, store.ErrExpired)
}
