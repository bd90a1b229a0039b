package oidc_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/idp/oidc"
	"tokenserver/internal/standin"
)

func TestDiscoveryRefuses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		lies   standin.OpenIDLies
		reason string
	}{
		{"another issuer", metadata("issuer", "https://evil.example"), "discovery of another issuer"},
		{"no token endpoint", metadata("token_endpoint", nil), "discovery without usable endpoints"},
		{"no keys", metadata("jwks_uri", ""), "discovery without usable endpoints"},
		{"endpoint in clear", metadata("token_endpoint", "http://idp.example/token"), "discovery without usable endpoints"},
		{"endpoint with a password", metadata("userinfo_endpoint", "https://a:b@idp.example/"), "discovery without usable endpoints"},
		{"endpoint of another scheme", metadata("authorization_endpoint", "javascript:alert(1)"), "discovery without usable endpoints"},
		{"HTML", replaced("/.well-known/openid-configuration", body(200, "<html>")), "not a JSON object"},
		{"not found", replaced("/.well-known/openid-configuration", body(404, "{}")), "discovery refused"},
		{"redirect", replaced("/.well-known/openid-configuration", toPrivate), "redirected"},
		{"hung up", replaced("/.well-known/openid-configuration", hangUp), "no answer"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			w.provider.Lie(tc.lies)
			_, err := w.client.Directory.Metadata(t.Context(), w.config)
			wantReason(t, err, tc.reason)
		})
	}
}

func metadata(name string, value any) standin.OpenIDLies {
	return standin.OpenIDLies{Metadata: func(document map[string]any) { document[name] = value }}
}

// TestDiscoveryIsKept: one fetch for all who ask at once, a new one when it is old, the old document while there is none.
func TestDiscoveryIsKept(t *testing.T) {
	w := newWorld(t)
	var fetches atomic.Int32
	var broken atomic.Bool
	w.provider.Lie(standin.OpenIDLies{Endpoints: map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		"/.well-known/openid-configuration": func(rw http.ResponseWriter, r *http.Request, honest http.Handler) {
			fetches.Add(1)
			rw.Header().Set("Cache-Control", "public, max-age=60")
			if broken.Load() {
				rw.WriteHeader(http.StatusBadGateway)
				return
			}
			honest.ServeHTTP(rw, r)
		},
	}})
	want := func(n int32, reason string) {
		t.Helper()
		m, err := w.client.Directory.Metadata(t.Context(), w.config)
		wantReason(t, err, reason)
		if err == nil && m.Token != w.provider.Issuer()+"/token" {
			t.Errorf("%+v", m)
		}
		if fetches.Load() != n {
			t.Errorf("%d fetches, want %d", fetches.Load(), n)
		}
	}
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() { _, _ = w.client.Directory.Metadata(t.Context(), w.config) })
	}
	group.Wait()
	want(1, "")
	w.Clock.Advance(time.Minute)
	want(2, "")
	broken.Store(true)
	w.Clock.Advance(time.Minute)
	want(3, "")
	want(3, "") // a try each five seconds
	w.Clock.Advance(5 * time.Second)
	want(4, "")
	w.Clock.Advance(24 * time.Hour)
	want(5, "not a JSON object")
	want(5, "not a JSON object")
	broken.Store(false)
	w.Clock.Advance(5 * time.Second)
	want(6, "")
}

// TestAddressesAreGuarded: an administrator cannot point the server at its own network.
func TestAddressesAreGuarded(t *testing.T) {
	w := newWorld(t)
	w.client.Directory.HTTP = restricted()
	_, err := w.client.Directory.Metadata(t.Context(), w.config)
	wantReason(t, err, "address not allowed")

	w = newWorld(t)
	m, err := w.client.Directory.Metadata(t.Context(), w.config)
	if err != nil {
		t.Fatal(err)
	}
	w.client.HTTP = restricted()
	_, err = w.client.Exchange(t.Context(), w.config, m, "code", verifier, callback)
	wantReason(t, err, "address not allowed")
	_, err = w.client.Profile(t.Context(), w.config, m, "token")
	wantReason(t, err, "address not allowed")
}

func TestLogoutURL(t *testing.T) {
	p := oidc.Provider{Issuer: "https://idp.example", ClientID: "c"}
	m := oidc.Metadata{EndSession: "https://idp.example/out?x=1"}
	want := "https://idp.example/out?x=1&client_id=c&id_token_hint=a.b.c&post_logout_redirect_uri=https%3A%2F%2Fts.example%2Fdone&state=s"
	if got := oidc.LogoutURL(p, m, "a.b.c", "https://ts.example/done", "s"); got != want {
		t.Errorf("%s", got)
	}
	if got := oidc.LogoutURL(p, oidc.Metadata{}, "a.b.c", "", ""); got != "" {
		t.Errorf("without an endpoint: %s", got)
	}
}
