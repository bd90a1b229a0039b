package clientauth_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/clientauth"
	"tokenserver/internal/outbound"
	"tokenserver/internal/remotejwks"
	"tokenserver/internal/settings"
)

// publisher serves a JWK set, or what a test makes it do.
type publisher struct {
	*httptest.Server
	does atomic.Pointer[http.HandlerFunc]
}

func (p *publisher) publishes(t *testing.T, keys ...jose.JSONWebKey) {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	h := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
	p.does.Store(&h)
}

// newPublisher is the address of the keys of the web client "signer", which has a PEM key too, and the API client "gateway".
func newPublisher(t *testing.T, k *kit) *publisher {
	t.Helper()
	p := &publisher{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*p.does.Load())(w, r) }))
	t.Cleanup(p.Close)
	k.service.KeySets = &remotejwks.Sets{
		Client: outbound.New(outbound.Config{AllowPrivate: outbound.Loopback()}), Private: outbound.Loopback(), Now: k.Now,
	}
	k.Settings.Set(settings.Document{
		WebClients: []settings.WebClient{{ID: "signer", Authentication: settings.PrivateKeyJWT, PublicKey: k.pem, JWKSURI: p.URL}},
		APIClients: []settings.APIClient{{ID: "gateway", Authentication: settings.PrivateKeyJWT, JWKSURI: p.URL}},
	})
	return p
}

func TestPublishedKeys(t *testing.T) {
	k := newKit(t)
	p := newPublisher(t, k)
	first, second := newKey(t), newKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	edPublic, edPrivate, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.publishes(
		t,
		jose.JSONWebKey{Key: first.Public(), KeyID: "first"}, jose.JSONWebKey{Key: second.Public(), KeyID: "second", Use: "sig"},
		jose.JSONWebKey{Key: rsaKey.Public(), KeyID: "rsa", Algorithm: "PS256"}, jose.JSONWebKey{Key: weak.Public(), KeyID: "weak"},
		jose.JSONWebKey{Key: edPublic, KeyID: "ed"}, jose.JSONWebKey{Key: k.device.Public(), KeyID: "enc", Use: "enc"},
	)
	es256 := jwt.SigningMethodES256
	for _, tc := range []struct {
		name   string
		method jwt.SigningMethod
		key    any
		kid    string
		want   clientauth.Reason
	}{
		{"by id", es256, second, "second", ""},
		{"without id", es256, second, "", ""},
		{"Ed25519", jwt.SigningMethodEdDSA, edPrivate, "ed", ""},
		{"RSA", jwt.SigningMethodPS256, rsaKey, "rsa", ""},
		{"RSA with an algorithm that the key is not for", jwt.SigningMethodRS256, rsaKey, "rsa", clientauth.AssertionInvalid},
		{"id of another key", es256, second, "first", clientauth.AssertionInvalid},
		{"unknown id", es256, second, "third", clientauth.AssertionInvalid},
		{"short RSA key", jwt.SigningMethodRS256, weak, "weak", clientauth.AssertionInvalid},
		{"key for encryption", es256, k.device, "enc", clientauth.AssertionInvalid},
		{"PEM key, which the published ones replace", es256, k.machine, "", clientauth.AssertionInvalid},
		{"HMAC with an id", jwt.SigningMethodHS256, []byte("first"), "first", clientauth.AssertionInvalid},
		{"none", jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "first", clientauth.AssertionInvalid},
	} {
		for _, client := range []string{"signer", "gateway"} {
			header := map[string]any{}
			if tc.kid != "" {
				header["kid"] = tc.kid
			}
			if got := k.reason(t, sign(t, tc.method, tc.key, header, k.claims(client, nil))); got != tc.want {
				t.Errorf("%s, %s: %q, want %q", tc.name, client, got, tc.want)
			}
		}
	}
}

func TestPublishedKeysThatCannotBeHad(t *testing.T) {
	k := newKit(t)
	p := newPublisher(t, k)
	calls := 0
	fails := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		calls++
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	p.does.Store(&fails)
	for range 3 {
		_, err := k.service.Authenticate(t.Context(), k.Settings.Current(), clientauth.Credentials{
			AssertionType: clientauth.AssertionType, Assertion: sign(t, jwt.SigningMethodES256, k.machine, nil, k.claims("signer", nil)),
		})
		refused, is := err.(*clientauth.Refused) //nolint:errorlint // it is one, bare
		if !is || refused.Reason != clientauth.KeysUnavailable || !refused.Known {
			t.Fatalf("%v", err)
		}
	}
	if calls != 1 {
		t.Errorf("a failing address was called %d times in a row", calls)
	}
	if got := k.reason(t, sign(t, jwt.SigningMethodHS256, []byte("x"), nil, k.claims("signer", nil))); got != clientauth.AssertionInvalid {
		t.Errorf("an algorithm that is never good: %q", got)
	}
}
