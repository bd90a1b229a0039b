package oauth_test

import (
	"bytes"
	"compress/flate"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
)

// trick is a JWT that must not pass for anything.
type trick struct{ name, text string }

// tricks makes JWTs with good claims that nobody has signed who may, and texts that only look like JWTs. good is one that
// would pass, in its form; jwks are the published keys of whoever could have signed it.
func tricks(t *testing.T, good string, claims jwt.MapClaims, jwks []byte) []trick {
	t.Helper()
	stranger, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := stranger.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	var header map[string]any
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	if err != nil || json.Unmarshal(raw, &header) != nil {
		t.Fatalf("header %s", parts[0])
	}
	sign := func(method jwt.SigningMethod, key any, change ...any) string {
		token := jwt.NewWithClaims(method, claims)
		for name, value := range header {
			if name != "alg" {
				token.Header[name] = value
			}
		}
		for i := 0; i < len(change); i += 2 {
			token.Header[change[i].(string)] = change[i+1]
		}
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	jwk := map[string]any{
		"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
	}
	es256 := jwt.SigningMethodES256
	return []trick{
		{"none", sign(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType)},
		{"none, other spelling", encode(`{"alg":"nOnE","typ":"JWT"}`) + "." + parts[1] + "."},
		{"HS256 with the published keys", sign(jwt.SigningMethodHS256, jwks)},
		{"HS256 with nothing", sign(jwt.SigningMethodHS256, []byte{})},
		{"stranger's key", sign(es256, stranger)},
		{"embedded jwk", sign(es256, stranger, "jwk", jwk, "kid", "evil")},
		{"embedded jwk under our kid", sign(es256, stranger, "jwk", jwk)},
		{"jku", sign(es256, stranger, "jku", "https://evil.example/keys", "kid", "evil")},
		{"x5u", sign(es256, stranger, "x5u", "https://evil.example/key", "kid", "evil")},
		{"kid a path", sign(es256, stranger, "kid", "../../../../dev/null")},
		{"kid a file", sign(es256, stranger, "kid", "/proc/self/environ")},
		{"kid SQL", sign(es256, stranger, "kid", "' OR 1=1 --")},
		{"kid a list", sign(es256, stranger, "kid", []string{"a"})},
		{"kid long", sign(es256, stranger, "kid", strings.Repeat("k", 4000))},
		{"crit", sign(es256, stranger, "crit", []string{"b64"}, "b64", false)},
		{"no signature", parts[0] + "." + parts[1] + "."},
		{"zero signature", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86)},
		{"signature of another form", parts[0] + "." + parts[1] + "." + encode("\x30\x06\x02\x01\x00\x02\x01\x00")},
		{"header twice", encode(`{"alg":"ES256","alg":"none"}`) + "." + parts[1] + "." + parts[2]},
		{"other payload", parts[0] + "." + encode(`{"sub":"bob"}`) + "." + parts[2]},
		{"payload null", parts[0] + "." + encode("null") + "." + parts[2]},
		{"two parts", parts[0] + "." + parts[1]},
		{"four parts", good + "." + parts[2]},
		{"dots", strings.Repeat(".", 3000)},
		{"not base64", "!." + parts[1] + "." + parts[2]},
		{"JWE bomb", bomb(t)},
		{"JWE with PBES2 iterations", encode(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,"p2s":"AAAAAAAAAAA"}`) + ".AAAA.AAAA.AAAA.AAAA"},
		{"nested", encode(strings.Repeat(`{"a":`, 600)+"1"+strings.Repeat("}", 600)) + "." + parts[1] + "." + parts[2]},
	}
}

// bomb is a JWE whose content, were it inflated, is a thousand times larger.
func bomb(t *testing.T) string {
	t.Helper()
	var packed bytes.Buffer
	w, err := flate.NewWriter(&packed, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`)) + ".." + encode(make([]byte, 12)) + "." + encode(packed.Bytes()) + "." + encode(make([]byte, 16))
}

// TestJWTTricks: an ID token as a hint, a client assertion and an access token are what this server, or the client, has
// signed with a key that is known beforehand. Nothing in them chooses the key.
func TestJWTTricks(t *testing.T) {
	s := newBrowserServer(t)
	s.changeWeb(func(c *settings.WebClient) { c.AccessTokenFormat = settings.JWT })
	code := codeFor(t, s, "ann", parameters("web", "scope", "openid", "redirect_uri", "https://web.example/back"))
	_, got := redeem(t, s, redemption("web", code, "redirect_uri", "https://web.example/back"))
	s.Codes(t)
	claims := jwt.MapClaims{
		"iss": audittest.Issuer, "sub": "ann", "aud": "web", "exp": s.Now().Add(time.Hour).Unix(), "iat": s.Now().Unix(), "jti": "AT.x", "client_id": "web", "scope": "openid",
	}
	jwks := s.ring.JWKS()

	t.Run("id_token_hint", func(t *testing.T) {
		hint := func(text string) (audittest.Answer, url.Values) {
			a := s.visitor(t).get("/oauth/authorize?" + parameters("web", "prompt", "none", "id_token_hint", text).Encode())
			return a, answerOf(t, a).Query()
		}
		if _, q := hint(got.IDToken); q.Get("error") != "login_required" {
			t.Fatalf("the true one: %v", q)
		}
		wantCodes(t, s, audit.AuthnRequestLoginRequired)
		for _, trick := range append(tricks(t, got.IDToken, claims, jwks), trick{"access token", got.AccessToken}) {
			a, q := hint(trick.text)
			if a.Status != http.StatusFound || q.Get("error") != "invalid_request" {
				t.Errorf("%s: %d %v", trick.name, a.Status, q)
			}
			if codes := s.Codes(t); len(codes) != 1 || codes[0] != audit.AuthzRequestInvalid {
				t.Errorf("%s: audit %v", trick.name, codes)
			}
		}
		million := s.visitor(t).do(http.MethodPost, "/oauth/authorize", parameters("web", "id_token_hint", strings.Repeat(".", 60_000)))
		if q := answerOf(t, million).Query(); q.Get("error") != "invalid_request" {
			t.Errorf("many dots: %v", q)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	})
	t.Run("access token", func(t *testing.T) {
		ask := func(text string) audittest.Answer {
			return audittest.Do(t, s.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/v1/userinfo", Bearer: text})
		}
		if a := ask(got.AccessToken); a.Status != http.StatusOK {
			t.Fatalf("the true one: %d %s", a.Status, a.Body)
		}
		wantCodes(t, s)
		for _, trick := range append(tricks(t, got.AccessToken, claims, jwks), trick{"ID token", got.IDToken}, trick{"a million dots", strings.Repeat(".", 1_000_000)}) {
			if a := ask(trick.text); a.Status != http.StatusUnauthorized || !strings.Contains(a.Body, `"invalid_token"`) {
				t.Errorf("%s: %d %s", trick.name, a.Status, a.Body)
			}
			if codes := s.Codes(t); len(codes) != 1 || codes[0] != audit.TokenRequestInvalidBearerToken {
				t.Errorf("%s: audit %v", trick.name, codes)
			}
		}
	})
	t.Run("client assertion", func(t *testing.T) {
		k := newKit(t)
		claims := jwt.MapClaims{
			"iss": "signer", "sub": "signer", "aud": k.Issuer, "exp": k.Now().Add(time.Minute).Unix(), "jti": "j-1",
		}
		good, err := jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(k.key)
		if err != nil {
			t.Fatal(err)
		}
		present := func(text string) audittest.Answer {
			return k.post(t, "/v1/token", nil, "grant_type", "client_credentials", "client_id", "signer",
				"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "client_assertion", text)
		}
		list := tricks(t, good, claims, jwks)
		for i, trick := range list {
			if i%8 == 0 { // below the limit of wrong credentials
				k.Clock.Advance(time.Minute)
				claims["exp"] = k.Now().Add(time.Minute).Unix()
			}
			if a := present(trick.text); a.Status != http.StatusUnauthorized || !strings.Contains(a.Body, `"invalid_client"`) {
				t.Errorf("%s: %d %s", trick.name, a.Status, a.Body)
			}
			if codes := k.Codes(t); len(codes) != 1 || codes[0] != audit.TokenRequestInvalidClientCredentials {
				t.Errorf("%s: audit %v", trick.name, codes)
			}
		}
		k.Clock.Advance(time.Minute)
		claims["exp"], claims["jti"] = k.Now().Add(time.Minute).Unix(), "j-2"
		if good, err = jwt.NewWithClaims(jwt.SigningMethodES256, claims).SignedString(k.key); err != nil {
			t.Fatal(err)
		}
		if a := present(good); a.Status != http.StatusOK {
			t.Errorf("the true one: %d %s", a.Status, a.Body)
		}
		k.want(t, audit.TokenRequestAccessTokenCreated)
	})
}
