package token_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/internal/token"
	"tokenserver/store"
)

// The former access token ends ten seconds after a refresh, and not at all when the refresh comes to nothing.
func TestFormerAccessTokenEndsWithTheCommit(t *testing.T) {
	clock := &clock{}
	p := newProcessWith(t, sqlite(t), newRedisAt(t, clock.now), clock.now, keyA)
	client, first := p.phone(t)
	refusal := errors.New("no")
	err := p.sql.InTx(t.Context(), func(ctx context.Context) error {
		check, err := p.CheckRefresh(ctx, client, "AB12cd", first.RefreshToken, 3)
		if err == nil {
			_, err = p.Rotate(ctx, check, token.Grant{AccessLife: time.Minute}, true)
		}
		return errors.Join(err, refusal)
	})
	if !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	clock.advance(30 * time.Second)
	p.verify(t, first.AccessToken, nil)

	second := p.refresh(t, client, first.RefreshToken, token.PINRight, false)
	clock.advance(9 * time.Second)
	p.verify(t, first.AccessToken, nil)
	clock.advance(time.Second)
	p.verify(t, first.AccessToken, store.ErrExpired)
	p.verify(t, second.AccessToken, nil)
}
