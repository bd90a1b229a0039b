package token_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/outbound"
	"tokenserver/internal/remotejwks"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// relyingParty publishes keys, or does what a test makes it do.
func relyingParty(t *testing.T, does http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(does)
	t.Cleanup(server.Close)
	return server.URL
}

func publishing(t *testing.T, keys ...jose.JSONWebKey) http.HandlerFunc {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: append([]jose.JSONWebKey{}, keys...)})
	if err != nil {
		t.Fatal(err)
	}
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) }
}

func (p *process) encrypts(private []netip.Prefix, timeout time.Duration) {
	p.Encrypter = &token.Encrypter{Keys: &remotejwks.Sets{
		Client: outbound.New(outbound.Config{AllowPrivate: private, Timeout: timeout}), Private: outbound.Loopback(), Now: p.Now,
	}}
}

// encrypted issues an ID token of ann for a web client.
func (p *process) encrypted(t *testing.T, how *token.Encryption) (token.Issued, error) {
	t.Helper()
	p.Ready(t.Context(), how)
	var issued token.Issued
	err := p.sql.InTx(t.Context(), func(ctx context.Context) (err error) {
		issued, err = p.Issue(ctx, token.Grant{
			ClientID: "portal", ProfileID: token.StaticProfile, UserID: "ann", Kind: store.DefaultToken, AccessLife: time.Minute,
			IDTokenLife: time.Hour, IDToken: true, Nonce: "n-1", Encryption: how,
		})
		return err
	})
	return issued, err
}

func TestIDTokensAreEncryptedToTheRelyingParty(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	p.encrypts(outbound.Loopback(), 0)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	type recipient struct {
		name    string
		private any
		public  any
		asks    string // alg of the key
		want    string // alg of the token
	}
	all := []recipient{
		{"RSA", rsaKey, rsaKey.Public(), "", "RSA-OAEP-256"},
		{"RSA that says so", rsaKey, rsaKey.Public(), "RSA-OAEP-256", "RSA-OAEP-256"},
	}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, recipient{curve.Params().Name, key, key.Public(), "", "ECDH-ES"})
		for _, alg := range []string{"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"} {
			all = append(all, recipient{curve.Params().Name + " " + alg, key, key.Public(), alg, alg})
		}
	}
	for _, r := range all {
		uri := relyingParty(t, publishing(t,
			jose.JSONWebKey{Key: rsaKey.Public(), KeyID: "for signatures", Use: "sig"},
			jose.JSONWebKey{Key: rsaKey.Public(), KeyID: "for anything", Algorithm: "RS256"},
			jose.JSONWebKey{Key: r.public, KeyID: "k-1", Use: "enc", Algorithm: r.asks}))
		for _, enc := range settings.ContentEncryptions() {
			issued, err := p.encrypted(t, &token.Encryption{JWKSURI: uri, Method: enc})
			if err != nil {
				t.Errorf("%s, %s: %v", r.name, enc, err)
				continue
			}
			box, err := jose.ParseEncryptedCompact(issued.IDToken, []jose.KeyAlgorithm{jose.KeyAlgorithm(r.want)}, []jose.ContentEncryption{jose.ContentEncryption(enc)})
			if err != nil {
				t.Errorf("%s, %s: %v", r.name, enc, err)
				continue
			}
			if box.Header.KeyID != "k-1" || box.Header.ExtraHeaders["cty"] != "JWT" {
				t.Errorf("%s, %s: header %+v", r.name, enc, box.Header)
			}
			signed, err := box.Decrypt(r.private)
			if err != nil {
				t.Errorf("%s, %s: %v", r.name, enc, err)
				continue
			}
			var claims jwt.MapClaims
			if err := p.Ring.Verify(t.Context(), "JWT", string(signed), &claims); err != nil || claims["sub"] != "ann" || claims["nonce"] != "n-1" {
				t.Errorf("%s, %s: %v, %v", r.name, enc, claims, err)
			}
		}
	}
}

func TestAnIDTokenThatCannotBeEncryptedIsNotMade(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := jose.JSONWebKey{Key: rsaKey.Public(), KeyID: "k-1", Use: "enc"}
	inside := relyingParty(t, publishing(t, good))
	with := func(use, alg string) jose.JSONWebKey {
		return jose.JSONWebKey{Key: rsaKey.Public(), KeyID: "k-1", Use: use, Algorithm: alg}
	}
	release := make(chan struct{})
	t.Cleanup(func() { close(release) })
	for _, tc := range []struct {
		name    string
		does    http.HandlerFunc
		method  string
		private []netip.Prefix
		reason  string
	}{
		{name: "another enc", does: publishing(t, good), method: "A128CTR", reason: "enc unsupported"},
		{name: "no enc", does: publishing(t, good), method: "", reason: "enc unsupported"},
		{name: "no keys", does: publishing(t), reason: "no usable key type"},
		{name: "keys for signatures alone", does: publishing(t, with("sig", "")), reason: "no usable key type"},
		{name: "RSA with SHA-1", does: publishing(t, with("enc", "RSA-OAEP")), reason: "alg unsupported"},
		{name: "RSA of PKCS 1", does: publishing(t, with("enc", "RSA1_5")), reason: "alg unsupported"},
		{name: "RSA with an algorithm of curves", does: publishing(t, with("", "ECDH-ES")), reason: "alg unsupported"},
		{name: "down", does: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, reason: "jwks unreachable"},
		{name: "lying", does: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, reason: "jwks unreachable"},
		{
			name: "too large", reason: "jwks unreachable",
			does: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(`{"keys":[],"pad":"` + strings.Repeat("x", 256<<10) + `"}`))
			},
		},
		{
			name: "elsewhere", reason: "jwks unreachable",
			does: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside, http.StatusFound) },
		},
		{name: "on a private address", does: publishing(t, good), private: []netip.Prefix{}, reason: "jwks unreachable"},
		{
			name: "slow", reason: "jwks unreachable",
			does: func(_ http.ResponseWriter, r *http.Request) {
				select {
				case <-release:
				case <-r.Context().Done():
				}
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newProcess(t, sqlite(t), newRedis(t))
			private, timeout := tc.private, time.Duration(0)
			if private == nil {
				private = outbound.Loopback()
			}
			if tc.name == "slow" {
				timeout = 20 * time.Millisecond
			}
			p.encrypts(private, timeout)
			how := &token.Encryption{JWKSURI: relyingParty(t, tc.does), Method: tc.method}
			if tc.method == "" && tc.name != "no enc" {
				how.Method = "A256GCM"
			}
			issued, err := p.encrypted(t, how)
			if !errors.Is(err, token.ErrIDToken) || token.IDTokenReason(err) != tc.reason {
				t.Errorf("%q: %v, want %q", token.IDTokenReason(err), err, tc.reason)
			}
			if issued.AccessToken != "" || issued.IDToken != "" {
				t.Error("something was issued")
			}
		})
	}
	if reason := token.IDTokenReason(errors.New("another")); reason != "" {
		t.Errorf("another error: %q", reason)
	}
}

// TestWhatIsReadyIsNotFetchedAgain: the transaction that issues tokens does not wait for a relying party.
func TestWhatIsReadyIsNotFetchedAgain(t *testing.T) {
	for name, does := range map[string]http.HandlerFunc{
		"no suitable key": publishing(t),
		"down":            func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) },
	} {
		p := newProcess(t, sqlite(t), newRedis(t))
		p.encrypts(outbound.Loopback(), 0)
		calls := 0
		how := &token.Encryption{Method: "A256GCM", JWKSURI: relyingParty(t, func(w http.ResponseWriter, r *http.Request) {
			calls++
			does(w, r)
		})}
		p.Ready(t.Context(), how)
		before := calls
		if _, err := p.encrypted(t, how); !errors.Is(err, token.ErrIDToken) {
			t.Errorf("%s: %v", name, err)
		}
		if before != 1 || calls != 1 {
			t.Errorf("%s: fetched %d times, and %d times more", name, before, calls-before)
		}
	}
}
