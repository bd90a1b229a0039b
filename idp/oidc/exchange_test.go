package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"tokenserver/idp/oidc"
	"tokenserver/internal/standin"
)

// replaced answers one endpoint of the provider with something else.
func replaced(path string, handler func(http.ResponseWriter, *http.Request)) standin.OpenIDLies {
	return standin.OpenIDLies{Endpoints: map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		path: func(w http.ResponseWriter, r *http.Request, _ http.Handler) { handler(w, r) },
	}}
}

func body(status int, text string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	connection, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = connection.Close()
	}
}

func cutShort(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(`{"access_token":`))
	w.(http.Flusher).Flush()
	hangUp(w, r)
}

func toPrivate(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "http://169.254.169.254/latest/meta-data", http.StatusTemporaryRedirect)
}

// TestAnswers: what a provider can answer instead of what it should, at each endpoint.
func TestAnswers(t *testing.T) {
	w := newWorld(t)
	large := `{"access_token":"` + strings.Repeat("x", 1<<20) + `"}`
	for _, tc := range []struct {
		name   string
		lies   standin.OpenIDLies
		reason string
		code   string
		status int
	}{
		{"an error", replaced("/token", body(400, `{"error":"invalid_grant"}`)), "code refused", "invalid_grant", 400},
		{"an unreadable error", replaced("/token", body(400, `{"error":"<script>"}`)), "code refused", "unreadable", 400},
		{"200 with an error", replaced("/token", body(200, `{"error":"invalid_client","access_token":"x"}`)), "code refused", "invalid_client", 200},
		{"HTML", replaced("/token", body(200, "<html>sorry</html>")), "not a JSON object", "", 200},
		{"a list", replaced("/token", body(200, `["access_token"]`)), "not a JSON object", "", 200},
		{"null", replaced("/token", body(200, `null`)), "not a JSON object", "", 200},
		{"two objects", replaced("/token", body(200, `{"access_token":"x"}{}`)), "not a JSON object", "", 200},
		{"nothing", replaced("/token", body(200, "")), "not a JSON object", "", 200},
		{"503 in HTML", replaced("/token", body(503, "<html>down</html>")), "not a JSON object", "", 503},
		{"oversized", replaced("/token", body(200, large)), "answer too large", "", 0},
		{"hung up", replaced("/token", hangUp), "no answer", "", 0},
		{"cut short", replaced("/token", cutShort), "no answer", "", 0},
		{"redirect to a private address", replaced("/token", toPrivate), "redirected", "", 307},
		{"no access token", standin.OpenIDLies{Tokens: func(a map[string]any) { delete(a, "access_token") }}, "no access token", "", 200},
		{"access token is a number", standin.OpenIDLies{Tokens: func(a map[string]any) { a["access_token"] = 1 }}, "no access token", "", 200},
		{"access token breaks the header", standin.OpenIDLies{Tokens: func(a map[string]any) { a["access_token"] = "a\r\nb" }}, "access token malformed", "", 200},
		{"token of another type", standin.OpenIDLies{Tokens: func(a map[string]any) { a["token_type"] = "DPoP" }}, "access token is no bearer token", "", 200},
		{"type in lower case", standin.OpenIDLies{Tokens: func(a map[string]any) { a["token_type"] = "bearer" }}, "", "", 0},
		{"no type", standin.OpenIDLies{Tokens: func(a map[string]any) { delete(a, "token_type") }}, "", "", 0},
		{"no ID token", standin.OpenIDLies{Tokens: func(a map[string]any) { delete(a, "id_token") }}, "no ID token", "", 200},
		{"ID token is no JWT", standin.OpenIDLies{Tokens: func(a map[string]any) { a["id_token"] = "a.b" }}, "ID token malformed", "", 0},
		{"ID token with line ends", standin.OpenIDLies{Tokens: func(a map[string]any) { a["id_token"] = a["id_token"].(string) + "\n" }}, "ID token malformed", "", 0},
		{"profile refused", replaced("/userinfo", body(401, `{"error":"invalid_token"}`)), "profile refused", "invalid_token", 401},
		{"profile in HTML", replaced("/userinfo", body(200, "<html>")), "not a JSON object", "", 200},
		{"profile as a JWT", replaced("/userinfo", body(200, "a.b.c")), "not a JSON object", "", 200},
		{"profile oversized", replaced("/userinfo", body(200, large)), "answer too large", "", 0},
		{"profile redirects", replaced("/userinfo", toPrivate), "redirected", "", 307},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.provider.Lie(tc.lies)
			_, _, err := w.signIn(t, -1)
			wantReason(t, err, tc.reason)
			if tc.reason == "" {
				return
			}
			var r *oidc.Refusal
			if errors.As(err, &r) && (r.Code != tc.code || r.Status != tc.status) {
				t.Errorf("code %q, status %d", r.Code, r.Status)
			}
			if strings.Contains(err.Error(), verifier) || strings.Contains(err.Error(), secret) {
				t.Errorf("the error holds a secret: %v", err)
			}
		})
	}
}

func TestClientAuthentication(t *testing.T) {
	w := newWorld(t)
	client := standin.OpenIDClient{ID: clientID, Secret: secret, RedirectURI: callback}
	for _, method := range []oidc.Authentication{oidc.SecretBasic, oidc.SecretPost} {
		client.Authentication = string(method)
		w.provider.Register(client)
		w.config.Authentication = method
		if _, _, err := w.signIn(t, -1); err != nil {
			t.Errorf("%s: %v", method, err)
		}
	}
	client.Authentication, w.config.Authentication, w.config.Secret = "client_secret_basic", oidc.SecretBasic, "wrong"
	w.provider.Register(client)
	_, _, err := w.signIn(t, -1)
	wantReason(t, err, "code refused")
	w.config.Authentication = "tls_client_auth"
	_, _, err = w.signIn(t, -1)
	wantReason(t, err, "client authentication not configured")
}

// TestSigningKeys: keys of the settings, in every form and kind; none of them ever shows in an error.
func TestSigningKeys(t *testing.T) {
	w := newWorld(t)
	w.config.Authentication = oidc.PrivateKeyJWT
	elliptical := func(curve elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	sec1 := elliptical(elliptic.P256())
	encoded, err := x509.MarshalECPrivateKey(sec1)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, p521 := elliptical(elliptic.P384()), elliptical(elliptic.P521())
	for _, tc := range []struct {
		name, text, id, reason string
		key                    crypto.Signer
	}{
		{name: "RSA", text: pkcs8(t, rsaKey), key: rsaKey},
		{name: "RSA PKCS1", text: pemOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey)), key: rsaKey},
		{name: "P-256 SEC1", text: pemOf("EC PRIVATE KEY", encoded), key: sec1},
		{name: "P-384", text: pkcs8(t, p384), key: p384},
		{name: "P-521 with an id", text: pkcs8(t, p521), id: "registered", key: p521},
		{name: "not the registered one", text: pkcs8(t, p384), key: p521, reason: "code refused"},
		{name: "none", reason: "signing key unusable"},
		{name: "Ed25519", text: pkcs8(t, edwards), reason: "signing key unusable"},
		{name: "a public key", text: pemOf("PUBLIC KEY", []byte("x")), reason: "signing key unusable"},
		{name: "no PEM", text: "a secret text", reason: "signing key unusable"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.config.SigningKey, w.config.SigningKeyID = tc.text, tc.id
			if tc.key != nil {
				public := jose.JSONWebKey{Key: tc.key.Public(), KeyID: tc.id}
				if tc.id == "" {
					sum, err := public.Thumbprint(crypto.SHA256)
					if err != nil {
						t.Fatal(err)
					}
					public.KeyID = base64.RawURLEncoding.EncodeToString(sum)
				}
				set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{public}})
				if err != nil {
					t.Fatal(err)
				}
				w.provider.Register(standin.OpenIDClient{
					ID: clientID, RedirectURI: callback, Authentication: "private_key_jwt", KeySet: func() []byte { return set },
				})
			}
			_, _, err := w.signIn(t, -1)
			wantReason(t, err, tc.reason)
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%v", err)
			}
		})
	}
}

func pemOf(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pkcs8(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PRIVATE KEY", der)
}

func TestPlainOAuth(t *testing.T) {
	w := newWorld(t)
	base := w.provider.Issuer()
	w.config = oidc.Provider{
		Authorization: base + "/authorize", Token: base + "/token", Profile: base + "/profile", ClientID: clientID, Secret: secret,
		Authentication: oidc.SecretBasic,
	}
	_, profile, err := w.signIn(t, -1)
	if err != nil || profile["userId"] != "ann" {
		t.Fatalf("%v, %v", profile, err)
	}
	if asked := w.provider.Asked()[0]; asked.Has("nonce") || asked.Has("scope") || !asked.Has("code_challenge") {
		t.Errorf("asked %v", asked)
	}
	w.provider.Lie(replaced("/profile", body(200, `{"error":"expired"}`)))
	_, _, err = w.signIn(t, -1)
	wantReason(t, err, "profile refused")
}
