package oauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"tokenserver/audit"
	"tokenserver/internal/outbound"
	"tokenserver/internal/remotejwks"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
)

// TestIDTokensAreEncryptedWhereTheClientWantsIt: to the key that the client publishes, or not made at all.
func TestIDTokensAreEncryptedWhereTheClientWantsIt(t *testing.T) {
	s := newBrowserServer(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	published := true
	client := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !published {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "mine", Use: "enc"}}})
	}))
	t.Cleanup(client.Close)
	withKeys := func() {
		s.tokens.Encrypter = &token.Encrypter{Keys: &remotejwks.Sets{
			Client: outbound.New(outbound.Config{AllowPrivate: outbound.Loopback()}), Private: outbound.Loopback(), Now: s.Now,
		}}
	}
	withKeys()
	for i := range s.document.WebClients {
		s.document.WebClients[i].RefreshTokenEnabled = true
		s.document.WebClients[i].OpenIDConnect.IDTokenEncryption = settings.IDTokenEncryption{
			Enabled: true, Method: "A256GCM", JWKSURI: client.URL,
		}
	}
	s.Settings.Set(s.document)
	request := parameters("web", "scope", "openid read", "redirect_uri", "https://web.example/back")
	opened := func(text string) {
		t.Helper()
		box, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.ECDH_ES}, []jose.ContentEncryption{jose.A256GCM})
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		signed, err := box.Decrypt(key)
		if err != nil {
			t.Fatal(err)
		}
		var claims jwt.MapClaims
		if err := s.ring.Verify(t.Context(), "JWT", string(signed), &claims); err != nil || claims["sub"] != "ann" {
			t.Errorf("%v, %v", claims, err)
		}
	}

	status, got := redeem(t, s, redemption("web", codeFor(t, s, "ann", request), "redirect_uri", "https://web.example/back"))
	if status != http.StatusOK {
		t.Fatalf("%d %+v", status, got)
	}
	opened(got.IDToken)
	refresh := redemption("web", "", "grant_type", "refresh_token", "refresh_token", got.RefreshToken)
	status, got = redeem(t, s, refresh)
	if status != http.StatusOK {
		t.Fatalf("%d %+v", status, got)
	}
	opened(got.IDToken)
	s.Codes(t)

	published = false
	withKeys()
	status, failed := redeem(t, s, redemption("web", codeFor(t, s, "ann", request), "redirect_uri", "https://web.example/back"))
	if status != http.StatusInternalServerError || failed.Error != "server_error" || failed.AccessToken != "" || failed.IDToken != "" {
		t.Errorf("%d %+v", status, failed)
	}
	if got := reasons(t, s); got != because(audit.AuthorizationFailedUnableToGenerateIDToken, "jwks unreachable") {
		t.Errorf("audit %s", got)
	}
	refresh.Form.Set("refresh_token", got.RefreshToken)
	if status, failed := redeem(t, s, refresh); status != http.StatusInternalServerError || strings.Contains(failed.IDToken, ".") {
		t.Errorf("refresh: %d %+v", status, failed)
	}
	wantCodes(t, s, audit.AuthorizationFailedUnableToGenerateIDToken)
}
