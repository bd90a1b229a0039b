package storetest

import (
	"context"
	"testing"
	"time"

	"tokenserver/store"
)

// Authorizations is the part of a store that keeps what is in flight between the authorization request and the tokens.
type Authorizations interface {
	AddAuthorization(ctx context.Context, a store.Authorization) error
	Authorization(ctx context.Context, id string) (store.Authorization, error)
	MoveAuthorization(ctx context.Context, before, after store.Authorization) (store.Authorization, error)
	EndAuthorization(ctx context.Context, a store.Authorization) error

	AddCode(ctx context.Context, c store.AuthorizationCode) error
	Code(ctx context.Context, hash []byte) (store.AuthorizationCode, error)
	SpendCode(ctx context.Context, c store.AuthorizationCode) error
}

// TestAuthorizations checks authorization transactions and codes. now is the store's clock; advance
// moves it without moving Redis: every record must carry its own expiry.
func TestAuthorizations(t *testing.T, s Authorizations, now func() time.Time, advance func(time.Duration)) {
	t.Run("transaction", func(t *testing.T) { moveAuthorization(t, s, now) })
	t.Run("moves that there are not", func(t *testing.T) { illegalAuthorizationMoves(t, s, now) })
	t.Run("one mover", func(t *testing.T) { raceForAuthorization(t, s, now) })
	t.Run("one end", func(t *testing.T) { raceForEnd(t, s, now) })
	t.Run("expiry of a transaction", func(t *testing.T) { expireAuthorization(t, s, now, advance) })
	t.Run("code", func(t *testing.T) { spendCode(t, s, now, advance) })
}

func soon(now func() time.Time, in time.Duration) time.Time {
	return now().Add(in).UTC().Truncate(time.Microsecond)
}

func authorization(id string, now func() time.Time) store.Authorization {
	return store.Authorization{
		ID: id, State: store.AtProvider, Browser: []byte{0, 255}, ClientID: "c", Application: "bank", Platform: "ios", AppVersion: "1",
		RedirectURI: "app://back", RedirectOmitted: true, ResponseMode: "query", Scopes: []string{"openid", "read"},
		RequestState: "ü \x00\"", Nonce: "n", CodeChallenge: "x", AskConsent: true, Provider: "p", LoginHint: "h", Language: "nl",
		CreatedAt: soon(now, 0), ExpiresAt: soon(now, 30*time.Minute),
	}
}

func moveAuthorization(t *testing.T, s Authorizations, now func() time.Time) {
	ctx := t.Context()
	a := authorization("move", now)
	must(t, s.AddAuthorization(ctx, a))
	got, err := s.Authorization(ctx, "move")
	must(t, err)
	same(t, got, a)

	next := a
	next.State, next.UserID, next.AuthTime, next.AMR = store.Identified, "ann", soon(now, 0), []string{"pwd"}
	moved, err := s.MoveAuthorization(ctx, a, next)
	must(t, err)
	next.Version = 1
	same(t, moved, next)
	got, err = s.Authorization(ctx, "move")
	must(t, err)
	same(t, got, next)

	_, err = s.MoveAuthorization(ctx, a, next) // from the version before
	wantErr(t, err, store.ErrConflict)
	wantErr(t, s.EndAuthorization(ctx, a), store.ErrConflict)
	must(t, s.EndAuthorization(ctx, got))
	wantErr(t, s.EndAuthorization(ctx, got), store.ErrNotFound)
	_, err = s.Authorization(ctx, "move")
	wantErr(t, err, store.ErrNotFound)
	_, err = s.MoveAuthorization(ctx, a, next)
	wantErr(t, err, store.ErrNotFound)
}

func illegalAuthorizationMoves(t *testing.T, s Authorizations, now func() time.Time) {
	states := []store.AuthorizationState{store.AtProvider, store.Identified, store.SteppingUp, store.Consenting}
	legal := map[[2]store.AuthorizationState]bool{
		{store.AtProvider, store.AtProvider}: true, {store.AtProvider, store.Identified}: true,
		{store.Identified, store.Identified}: true, {store.Identified, store.AtProvider}: true,
		{store.Identified, store.SteppingUp}: true, {store.Identified, store.Consenting}: true,
		{store.SteppingUp, store.SteppingUp}: true, {store.SteppingUp, store.Identified}: true,
		{store.Consenting, store.Consenting}: true,
	}
	for _, from := range states {
		for _, to := range states {
			a := authorization("pair", now)
			a.State = from
			must(t, s.AddAuthorization(t.Context(), a))
			next := a
			next.State = to
			_, err := s.MoveAuthorization(t.Context(), a, next)
			if legal[[2]store.AuthorizationState{from, to}] {
				must(t, err)
			} else {
				wantErr(t, err, store.ErrConflict)
			}
		}
	}
}

func raceForAuthorization(t *testing.T, s Authorizations, now func() time.Time) {
	a := authorization("race", now)
	must(t, s.AddAuthorization(t.Context(), a))
	next := a
	next.State = store.Identified
	won := race(t, func(int) error {
		_, err := s.MoveAuthorization(t.Context(), a, next)
		return err
	})
	same(t, won, 1)
}

func raceForEnd(t *testing.T, s Authorizations, now func() time.Time) {
	a := authorization("race-end", now)
	must(t, s.AddAuthorization(t.Context(), a))
	won := race(t, func(int) error {
		if err := s.EndAuthorization(t.Context(), a); err != nil {
			return store.ErrConflict // ErrNotFound: the winner has removed it
		}
		return nil
	})
	same(t, won, 1)
}

func expireAuthorization(t *testing.T, s Authorizations, now func() time.Time, advance func(time.Duration)) {
	must(t, s.AddAuthorization(t.Context(), authorization("expire", now)))
	advance(30*time.Minute + time.Second)
	_, err := s.Authorization(t.Context(), "expire")
	wantErr(t, err, store.ErrExpired)
}

func spendCode(t *testing.T, s Authorizations, now func() time.Time, advance func(time.Duration)) {
	ctx := t.Context()
	c := store.AuthorizationCode{
		Hash: []byte{0, 1, 255}, ClientID: "c", UserID: "ann", RedirectURI: "app://back", RedirectOmitted: true, Scopes: []string{"read"},
		Nonce: "n", CodeChallenge: "x", AuthTime: soon(now, 0), ACR: "1", AMR: []string{"pwd"}, ExpiresAt: soon(now, 30*time.Second),
	}
	_, err := s.Code(ctx, c.Hash)
	wantErr(t, err, store.ErrNotFound)
	must(t, s.AddCode(ctx, c))
	got, err := s.Code(ctx, c.Hash)
	must(t, err)
	same(t, got, c)
	must(t, s.SpendCode(ctx, c))
	_, err = s.Code(ctx, c.Hash)
	wantErr(t, err, store.ErrConflict)

	c.Hash = []byte{2}
	must(t, s.AddCode(ctx, c))
	advance(31 * time.Second)
	_, err = s.Code(ctx, c.Hash)
	wantErr(t, err, store.ErrExpired)
}
