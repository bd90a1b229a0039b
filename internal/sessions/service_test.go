package sessions_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"tokenserver/internal/sessions"
	"tokenserver/internal/token"
	"tokenserver/store"
)

func (b *bench) issue(t *testing.T, s store.BrowserSession, client string) token.Issued {
	t.Helper()
	var issued token.Issued
	err := b.Store.InTx(t.Context(), func(ctx context.Context) (err error) {
		issued, err = b.tokens.Issue(ctx, token.Grant{
			ClientID: client, UserID: s.UserID, ProfileID: token.StaticProfile, Kind: store.DefaultToken, AccessLife: time.Hour,
			Refresh: client != "plain", SessionID: s.ID, Scopes: []string{client},
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// TestEndedTokens: each policy ends its tokens and no others; the other session of the same user is left alone.
func TestEndedTokens(t *testing.T) {
	clients := []string{"deletes", "plain", "public", "told"}
	for _, tc := range []struct {
		name     string
		policy   sessions.TokenPolicy
		families int
		ended    []string
	}{
		{"keep", sessions.KeepTokens, 0, nil},
		{"as clients say", sessions.TokensAsClients, 2, []string{"deletes", "public"}},
		{"all", sessions.AllTokens, 3, clients},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			mine, other := b.open(t, "ann", clients...), b.open(t, "ann", clients...)
			tokens := map[string]token.Issued{}
			for _, client := range clients {
				tokens[client] = b.issue(t, mine, client)
			}
			kept := b.issue(t, store.BrowserSession{ID: other.ID, UserID: "bob"}, "public")
			out := b.end(t, mine, tc.policy)
			if out.Families != tc.families || !slices.Equal(out.TokenClients, tc.ended) {
				t.Errorf("%+v", out)
			}
			for client, issued := range tokens {
				_, err := b.tokens.Verify(t.Context(), issued.AccessToken)
				if ended := errors.Is(err, store.ErrRevoked); ended != slices.Contains(tc.ended, client) {
					t.Errorf("%s: %v", client, err)
				}
			}
			if _, err := b.tokens.Verify(t.Context(), kept.AccessToken); err != nil {
				t.Errorf("the other session: %v", err)
			}
			if _, err := b.sessions.Find(t.Context(), mine.Hash); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("found: %v", err)
			}
			if live, err := b.sessions.Of(t.Context(), "ann"); err != nil || len(live) != 1 || live[0].ID != other.ID {
				t.Errorf("%+v, %v", live, err)
			}
		})
	}
}

// TestEndIsDurable: the commit decides. What rolls back has not ended, and what Redis brings back stays ended.
func TestEndIsDurable(t *testing.T) {
	b := newBench(t)
	s := b.open(t, "ann", "told")
	refusal := errors.New("no")
	err := b.Store.InTx(t.Context(), func(ctx context.Context) error {
		if _, err := b.sessions.End(ctx, s, sessions.AllTokens); err != nil {
			return err
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	b.drain(t, 0)
	if _, err := b.sessions.Find(t.Context(), s.Hash); err != nil {
		t.Errorf("ended without a commit: %v", err)
	}
	b.end(t, s, sessions.KeepTokens)
	if err := b.Redis.AddSession(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if _, err := b.sessions.Find(t.Context(), s.Hash); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("Redis brought it back: %v", err)
	}
	if live, err := b.sessions.Of(t.Context(), "ann"); err != nil || len(live) != 0 {
		t.Errorf("%+v, %v", live, err)
	}
	other := &token.Revocations{Store: b.Store, Hints: b.Redis, Now: b.Now} // of another process
	if err := other.Load(t.Context()); err != nil || !other.SignedOut(s.ID) {
		t.Errorf("another process does not know: %v", err)
	}
}

// TestEndWhere: the sessions of one user that match, and those alone.
func TestEndWhere(t *testing.T) {
	b := newBench(t)
	first, second, stranger := b.open(t, "ann", "told"), b.open(t, "ann"), b.open(t, "bob", "told")
	end := func(match func(store.BrowserSession) bool) (ids []string) {
		t.Helper()
		err := b.Store.InTx(t.Context(), func(ctx context.Context) error {
			ended, _, err := b.sessions.EndWhere(ctx, "ann", match, sessions.AllTokens)
			for _, s := range ended {
				ids = append(ids, s.ID)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(ids)
		return ids
	}
	if got := end(func(s store.BrowserSession) bool { return s.ID == stranger.ID }); got != nil {
		t.Errorf("ended %v", got)
	}
	if got := end(func(s store.BrowserSession) bool { return s.ID == first.ID }); !slices.Equal(got, []string{first.ID}) {
		t.Errorf("ended %v", got)
	}
	b.drain(t, 1) // one client is told
	if got := end(func(store.BrowserSession) bool { return true }); !slices.Equal(got, []string{second.ID}) {
		t.Errorf("ended %v", got)
	}
	if _, err := b.sessions.Find(t.Context(), stranger.Hash); err != nil {
		t.Errorf("somebody else's: %v", err)
	}
}
