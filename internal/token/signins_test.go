package token_test

import (
	"testing"
	"time"

	"tokenserver/internal/token"
	"tokenserver/store"
)

func TestNextSignInEndsTheEarlierOnes(t *testing.T) {
	for name, dsn := range engines(t) {
		t.Run(name, func(t *testing.T) {
			clock := &clock{}
			p := newProcessWith(t, dsn, newRedis(t), clock.now, keyA)
			signIn := func(client, user string, scopes ...string) token.Issued {
				t.Helper()
				return p.issue(t, token.Grant{ClientID: client, ProfileID: token.StaticProfile, UserID: user, Scopes: scopes, Refresh: true})
			}
			first := signIn("web", "ann", "read", "write")
			stay := map[string]token.Issued{
				"other scopes": signIn("web", "ann", "read"), "other user": signIn("web", "bob", "read", "write"),
				"other client": signIn("shop", "ann", "read", "write"),
			}
			clock.advance(5 * time.Second)
			stay["in parallel"] = signIn("web", "ann", "read", "write")
			clock.advance(5 * time.Second)
			stay["newest"] = signIn("web", "ann", "write", "read")
			p.verify(t, first.AccessToken, store.ErrRevoked)
			p.refreshWeb(t, first.RefreshToken, token.PINNoToken, false)
			for name, issued := range stay {
				if _, err := p.Verify(t.Context(), issued.AccessToken); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			p.refreshWeb(t, stay["in parallel"].RefreshToken, token.PINRight, false)
			p.refreshWeb(t, stay["newest"].RefreshToken, token.PINRight, false)
			// A long time with refreshes is no reason to stay.
			clock.advance(time.Hour)
			signIn("web", "ann", "read", "write")
			p.refreshWeb(t, stay["newest"].RefreshToken, token.PINNoToken, false)
		})
	}
}

func TestSimultaneousSignIns(t *testing.T) {
	clock := &clock{}
	p := newProcessWith(t, sqlite(t), newRedis(t), clock.now, keyA)
	var signIns []token.Issued
	for range 4 {
		signIns = append(signIns, p.issue(t, token.Grant{
			ClientID: "web", ProfileID: token.StaticProfile, UserID: "ann", Scopes: []string{"read"}, Refresh: true, Sessions: 3,
		}))
		clock.advance(time.Minute)
	}
	p.refreshWeb(t, signIns[0].RefreshToken, token.PINNoToken, false)
	for _, issued := range signIns[1:] {
		p.refreshWeb(t, issued.RefreshToken, token.PINRight, false)
	}
	// Switched off, the next sign-in leaves itself alone.
	last := p.issue(t, token.Grant{ClientID: "web", ProfileID: token.StaticProfile, UserID: "ann", Scopes: []string{"read"}, Refresh: true})
	for _, issued := range signIns[1:] {
		p.verify(t, issued.AccessToken, store.ErrRevoked)
	}
	p.refreshWeb(t, last.RefreshToken, token.PINRight, false)
}
