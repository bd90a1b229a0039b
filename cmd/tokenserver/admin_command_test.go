package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"tokenserver/store"
	"tokenserver/store/sqlstore"
)

// TestAdminEndsTokens: who is disabled on the command line, beside the running server, loses every token at once.
func TestAdminEndsTokens(t *testing.T) {
	s := newShell(t)
	s.ok(t, "users: [{id: u, username: u, password: a long password}, {id: v, username: v, password: a long password}]", "admin", "apply", "-")
	sql, err := sqlstore.Open(t.Context(), sqlstore.Config{DSN: "sqlite:" + filepath.Join(s.dir, "data", "tokenserver.db")}, slog.New(slog.DiscardHandler), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sql.Close() })
	for _, id := range []string{"u", "v"} {
		err := sql.InTx(t.Context(), func(ctx context.Context) error {
			return sql.AddFamily(ctx, store.TokenFamily{
				ID: "f-" + id, ClientID: "c", ProfileID: "p-" + id, UserID: id, Kind: store.DefaultToken, CurrentHash: []byte("hash " + id),
				Nonce: []byte("n"), CreatedAt: time.Now(),
			})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	s.ok(t, "users: [{id: u, username: u, disabled: true}]", "admin", "apply", "-")
	for id, want := range map[string]bool{"u": false, "v": true} {
		if has, err := sql.HasFamily(t.Context(), store.FamilyFilter{UserID: id}, time.Now()); err != nil || has != want {
			t.Errorf("%s: refresh token left %v, %v", id, has, err)
		}
	}
	rows, _, err := sql.RevocationsAfter(t.Context(), 0, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, r := range rows {
		found = found || r.Subject == "user:u"
	}
	if !found {
		t.Errorf("access tokens are not revoked: %+v", rows)
	}
}
