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
