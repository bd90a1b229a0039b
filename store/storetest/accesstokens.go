package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/store"
)

// AccessTokens is the part of a store that keeps access tokens.
type AccessTokens interface {
	PutAccessToken(ctx context.Context, t store.AccessToken) error
	ShortenAccessToken(ctx context.Context, id string, ends time.Time) error
	AccessToken(ctx context.Context, id string) (store.AccessToken, error)
	BuryAccessToken(ctx context.Context, t store.AccessToken) error
	CountAccessTokenUse(ctx context.Context, t store.AccessToken) (int, error)
}

// TestAccessTokens checks round trips, that a token is made to end earlier and never later, tombstones and counts. now is
// the store's clock, advance moves it without moving Redis: the record carries its own expiry. name makes unique ids.
func TestAccessTokens(t *testing.T, s AccessTokens, name func() string, now func() time.Time, advance func(time.Duration)) {
	ctx := t.Context()
	token := func(life time.Duration) store.AccessToken {
		issued := now().UTC().Truncate(time.Microsecond)
		return store.AccessToken{
			ID: name(), ClientID: "C1", Kind: store.DefaultToken, UserID: "ann é", ProfileID: "P1", FamilyID: "F1", Application: "bank", UserDetails: []byte(`{"name":"Ann"}`),
			Platform: "ios", Version: "1.0", Scopes: []string{"read", "write"}, Audience: []string{"api"}, UsageLimit: 3,
			AuthTime: issued.Add(-time.Hour), ACR: "level", AMR: []string{"pwd"}, IssuedAt: issued, ExpiresAt: issued.Add(life),
			Outlived: store.Outlived{Client: issued.Add(1e3), Profile: issued.Add(2e3), User: issued.Add(3e3)},
		}
	}
	put := func(t *testing.T, a store.AccessToken) store.AccessToken {
		t.Helper()
		must(t, s.PutAccessToken(ctx, a))
		return a
	}
	t.Run("round trip", func(t *testing.T) {
		for _, a := range []store.AccessToken{token(time.Hour), {ID: name(), ClientID: "web", IssuedAt: token(0).IssuedAt, ExpiresAt: token(time.Hour).ExpiresAt}} {
			put(t, a)
			got, err := s.AccessToken(ctx, a.ID)
			must(t, err)
			same(t, got, a)
		}
		_, err := s.AccessToken(ctx, name())
		wantErr(t, err, store.ErrNotFound)
	})
	t.Run("tombstone", func(t *testing.T) {
		a := put(t, token(time.Hour))
		must(t, s.BuryAccessToken(ctx, a))
		got, err := s.AccessToken(ctx, a.ID)
		wantErr(t, err, store.ErrRevoked)
		same(t, got, a)
		unknown := token(time.Hour)
		must(t, s.BuryAccessToken(ctx, unknown))
		_, err = s.AccessToken(ctx, unknown.ID)
		wantErr(t, err, store.ErrNotFound)
	})
	t.Run("uses", func(t *testing.T) {
		a := put(t, token(time.Hour))
		seen := make(chan int, 1000)
		race(t, func(int) error {
			n, err := s.CountAccessTokenUse(ctx, a)
			seen <- n
			return err
		})
		close(seen)
		found := map[int]bool{}
		for n := range seen {
			if found[n] {
				t.Errorf("two callers were number %d", n)
			}
			found[n] = true
		}
		if !found[0] {
			t.Error("nobody was the first")
		}
	})
	t.Run("own expiry and an earlier end", func(t *testing.T) {
		long, short, gone := put(t, token(time.Hour)), put(t, token(5*time.Second)), put(t, token(time.Second))
		buried := put(t, token(time.Hour))
		must(t, s.BuryAccessToken(ctx, buried))
		advance(2 * time.Second)
		for _, replaced := range []string{long.ID, short.ID, gone.ID, buried.ID, name()} {
			must(t, s.ShortenAccessToken(ctx, replaced, now().Add(10*time.Second)))
		}
		check := func(a store.AccessToken, want error) {
			t.Helper()
			if _, err := s.AccessToken(ctx, a.ID); !errors.Is(err, want) {
				t.Errorf("%v, want %v", err, want)
			}
		}
		check(long, nil)
		check(short, nil)
		check(gone, store.ErrExpired)
		check(buried, store.ErrRevoked)
		advance(3 * time.Second)
		check(short, store.ErrExpired)
		check(long, nil)
		advance(7 * time.Second)
		check(long, store.ErrExpired)
		check(buried, store.ErrRevoked)
	})
}
