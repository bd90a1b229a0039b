package phone_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/phone"
)

// TestSignInChecksTheIDToken signs in with openid against a server whose ID token is spoiled in one way at a time.
func TestSignInChecksTheIDToken(t *testing.T) {
	signer, err := phone.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := phone.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name   string
		key    *phone.Key
		kid    string
		change func(jwt.MapClaims)
		ok     bool
	}{
		{name: "good", key: signer, kid: "k1", ok: true},
		{name: "stranger", key: stranger, kid: "k1"},
		{name: "unknown key", key: signer, kid: "k2"},
		{name: "nonce", key: signer, kid: "k1", change: func(c jwt.MapClaims) { c["nonce"] = "x" }},
		{name: "audience", key: signer, kid: "k1", change: func(c jwt.MapClaims) { c["aud"] = "other" }},
		{name: "issuer", key: signer, kid: "k1", change: func(c jwt.MapClaims) { c["iss"] = "https://evil.example" }},
		{name: "over", key: signer, kid: "k1", change: func(c jwt.MapClaims) { c["exp"] = testNow().Unix() - 3600 }},
		{name: "no end", key: signer, kid: "k1", change: func(c jwt.MapClaims) { delete(c, "exp") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newFakeServer(t)
			var nonce string
			behind, _ := url.Parse(s.url)
			front := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				switch r.URL.Path {
				case "/oauth/v1/keys":
					public := signer.JWK("sig")
					public.KeyID = "k1"
					reply(w, 200, map[string]any{"keys": []any{public}})
				case "/oauth/v1/token":
					claims := jwt.MapClaims{"iss": testIssuer, "aud": testClientID, "sub": "u", "exp": testNow().Unix() + 60, "nonce": nonce}
					if tc.change != nil {
						tc.change(claims)
					}
					token, err := tc.key.Sign(phone.Claims{"kid": tc.kid}, claims)
					if err != nil {
						t.Error(err)
					}
					reply(w, 200, map[string]any{"access_token": "AT", "token_type": "bearer", "expires_in": 900, "refresh_token": vectorToken, "id_token": token})
				default:
					forward(t, w, r, behind)
				}
			})
			server := httptest.NewServer(front)
			t.Cleanup(server.Close)
			app := s.app(phone.APIKey)
			app.BaseURL = server.URL + "/oauth"
			p, err := phone.New(app, phone.Options{Now: testNow})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Register(t.Context(), "Kim's Pixel"); err != nil {
				t.Fatal(err)
			}
			browser := redirecting(func(authorizeURL string) string {
				u, _ := url.Parse(authorizeURL)
				nonce = u.Query().Get("nonce")
				return straightBack(nil)(authorizeURL)
			})
			_, err = p.SignIn(t.Context(), testProfile, testPIN, []string{"openid"}, browser)
			if (err == nil) != tc.ok || (len(p.Profiles()) == 1) != tc.ok {
				t.Errorf("%v, profiles %v", err, p.Profiles())
			}
		})
	}
}

// forward hands a request to the server behind.
func forward(t *testing.T, w http.ResponseWriter, r *http.Request, behind *url.URL) {
	t.Helper()
	out := r.Clone(r.Context())
	out.RequestURI, out.URL.Scheme, out.URL.Host = "", behind.Scheme, behind.Host
	response, err := http.DefaultTransport.RoundTrip(out)
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = response.Body.Close() }()
	var body map[string]any
	_ = json.NewDecoder(response.Body).Decode(&body)
	reply(w, response.StatusCode, body)
}

// TestAttestation hands the platform what the evidence must be bound to, and sends the evidence along.
func TestAttestation(t *testing.T) {
	s := newFakeServer(t)
	var bound phone.Attestation
	p, err := phone.New(s.app(phone.APIKey), phone.Options{Now: testNow, Attest: func(_ context.Context, b phone.Attestation) ([]any, error) {
		bound = b
		return []any{map[string]any{"type": "android-key", "chain": []string{"MII"}}}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Register(t.Context(), "Kim's Pixel"); err != nil {
		t.Fatal(err)
	}
	if bound.Identifier != "id-1" || bound.Challenge != testChallenge || len(bound.Thumbprint) != 43 {
		t.Errorf("bound to %+v", bound)
	}
	evidence, _ := json.Marshal(s.attestations)
	if string(evidence) != `[{"chain":["MII"],"type":"android-key"}]` {
		t.Errorf("evidence %s", evidence)
	}
}

// TestClientTokenIsReplacedOnce: a kept client token that the server has forgotten is fetched anew.
func TestClientTokenIsReplacedOnce(t *testing.T) {
	s, p := enrolled(t, phone.APIKey)
	if _, err := p.Pending(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.generation = "2"
	if _, err := p.Pending(t.Context()); err != nil {
		t.Errorf("after the server forgot the token: %v", err)
	}
	s.generation = "never"
	s.refuseClients = true
	if e := phone.Refused(second(p.Pending(t.Context()))); e == nil || e.Status != http.StatusUnauthorized {
		t.Errorf("refused for good: %v", e)
	}
}

func TestOneTimePassword(t *testing.T) {
	_, p := enrolled(t, phone.APIKey)
	password, life, err := p.OneTimePassword(t.Context(), testProfile)
	if err != nil || password != "one-time" || life != 120 {
		t.Errorf("%s, %d, %v", password, life, err)
	}
	if _, _, err := p.OneTimePassword(t.Context(), "OTHER1"); phone.Refused(err).SDKNumber != phone.NumberNotAuthenticated {
		t.Errorf("nobody signed in: %v", err)
	}
}
