package device_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/device"
	"tokenserver/store"
)

// marks remembers values in memory, as Redis does.
type marks struct {
	mu   sync.Mutex
	seen map[string]string
	err  error
}

func (m *marks) ClaimOnce(_ context.Context, scope, id, value string, _ time.Time) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil {
		return "", m.err
	}
	if first, ok := m.seen[scope+id]; ok {
		return first, store.ErrConflict
	}
	if m.seen == nil {
		m.seen = map[string]string{}
	}
	m.seen[scope+id] = value
	return "", nil
}

func newKey(t testing.TB) (*ecdsa.PrivateKey, device.PublicKey) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := jose.JSONWebKey{Key: &private.PublicKey, Use: "sig"}.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	return private, mustKey(t, string(jwk))
}

func sign(t testing.TB, private *ecdsa.PrivateKey, header, claims map[string]any) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims(claims))
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestVerifyRefuses(t *testing.T) {
	private, public := newKey(t)
	_, other := newKey(t)
	now := vectorTime()
	const id = "0b7d6b52-5f51-4d0e-9c57-5a4a8a7f2a10"
	for _, tc := range []struct {
		name   string
		header map[string]any
		claims map[string]any
		key    device.PublicKey
		want   error
	}{
		{"accepted", nil, nil, public, nil},
		{"audience as a list of one", nil, map[string]any{"aud": []string{vectorIssuer}}, public, nil},
		{"iat at the edge", nil, map[string]any{"iat": now.Add(-device.Skew).Unix()}, public, nil},
		{"another key", nil, nil, other, device.BadSignature},
		{"no key", nil, nil, device.PublicKey{}, device.BadSignature},
		{"another type", map[string]any{"typ": "ma-fetch+jwt"}, nil, public, device.BadType},
		{"no audience", nil, map[string]any{"aud": nil}, public, device.BadAudience},
		{"another audience", nil, map[string]any{"aud": "https://elsewhere"}, public, device.BadAudience},
		{"two audiences", nil, map[string]any{"aud": []string{vectorIssuer, "x"}}, public, device.BadAudience},
		{"too old", nil, map[string]any{"iat": now.Add(-device.Skew - time.Second).Unix()}, public, device.BadTime},
		{"from the future", nil, map[string]any{"iat": now.Add(device.Skew + time.Second).Unix()}, public, device.BadTime},
		{"no iat", nil, map[string]any{"iat": nil}, public, device.BadTime},
		{"no jti", nil, map[string]any{"jti": nil}, public, device.BadID},
		{"jti is no UUID", nil, map[string]any{"jti": "7"}, public, device.BadID},
		{"jti in braces", nil, map[string]any{"jti": "{" + id + "}"}, public, device.BadID},
		{"claims of the wrong kind", nil, map[string]any{"iat": "now"}, public, device.BadClaims},
	} {
		t.Run(tc.name, func(t *testing.T) {
			header := map[string]any{"typ": "ma-answer+jwt", "kid": vectorEnrollment}
			claims := map[string]any{"aud": vectorIssuer, "iat": now.Unix(), "jti": id}
			for name, value := range tc.header {
				header[name] = value
			}
			for name, value := range tc.claims {
				claims[name] = value
			}
			signed, err := device.ParseSigned(sign(t, private, header, claims))
			if err != nil {
				t.Fatal(err)
			}
			v := device.Verifier{Once: &marks{}, Issuer: vectorIssuer, Now: vectorTime}
			if err := v.Verify(t.Context(), signed, tc.key, device.AnswerType, &struct{}{}); !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
		})
	}
}

func TestSingleUse(t *testing.T) {
	private, public := newKey(t)
	v := device.Verifier{Once: &marks{}, Issuer: vectorIssuer, Now: vectorTime}
	header := map[string]any{"typ": "ma-answer+jwt", "kid": vectorEnrollment}
	claims := map[string]any{"aud": vectorIssuer, "iat": vectorTime().Unix(), "jti": "0b7d6b52-5f51-4d0e-9c57-5a4a8a7f2a10"}
	verify := func(text string) error {
		signed, err := device.ParseSigned(text)
		if err != nil {
			t.Fatal(err)
		}
		return v.Verify(t.Context(), signed, public, device.AnswerType, &struct{}{})
	}
	first := sign(t, private, header, claims)
	if err := verify(first); err != nil {
		t.Fatal(err)
	}
	if err := verify(first); err != nil {
		t.Errorf("byte-identical repeat: %v", err)
	}
	if err := verify(sign(t, private, header, claims)); !errors.Is(err, device.Replayed) {
		t.Errorf("same jti, other bytes: %v", err)
	}
	claims["jti"] = "0B7D6B52-5F51-4D0E-9C57-5A4A8A7F2A10"
	if err := verify(sign(t, private, header, claims)); !errors.Is(err, device.Replayed) {
		t.Errorf("same jti in capitals: %v", err)
	}
	v.Once = &marks{err: store.ErrUnavailable}
	if err := verify(first); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("without Redis: %v", err)
	}
}

// encoded builds a JWS from raw parts; the signature has the right length.
func encoded(header, payload string) string {
	b := base64.RawURLEncoding
	return b.EncodeToString([]byte(header)) + "." + b.EncodeToString([]byte(payload)) + "." + b.EncodeToString(make([]byte, 64))
}

func TestParseSignedRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"empty":                "",
		"two parts":            "e30.e30",
		"four parts":           "e30.e30.e30.e30",
		"padding":              encoded(`{"alg":"ES256","typ":"t","kid":"k"}`, "{}") + "=",
		"none":                 encoded(`{"alg":"none","typ":"t","kid":"k"}`, "{}"),
		"HS256":                encoded(`{"alg":"HS256","typ":"t","kid":"k"}`, "{}"),
		"RS256":                encoded(`{"alg":"RS256","typ":"t","kid":"k"}`, "{}"),
		"lower case alg":       encoded(`{"alg":"es256","typ":"t","kid":"k"}`, "{}"),
		"crit":                 encoded(`{"alg":"ES256","typ":"t","kid":"k","crit":["exp"]}`, "{}"),
		"jku":                  encoded(`{"alg":"ES256","typ":"t","kid":"k","jku":"https://x"}`, "{}"),
		"x5u":                  encoded(`{"alg":"ES256","typ":"t","kid":"k","x5u":"https://x"}`, "{}"),
		"b64":                  encoded(`{"alg":"ES256","typ":"t","kid":"k","b64":false}`, "{}"),
		"no typ":               encoded(`{"alg":"ES256","kid":"k"}`, "{}"),
		"neither kid nor jwk":  encoded(`{"alg":"ES256","typ":"t"}`, "{}"),
		"both kid and jwk":     encoded(`{"alg":"ES256","typ":"t","kid":"k","jwk":`+vectorDeviceKey+`}`, "{}"),
		"repeated alg":         encoded(`{"alg":"none","alg":"ES256","typ":"t","kid":"k"}`, "{}"),
		"kid is null":          encoded(`{"alg":"ES256","typ":"t","kid":null}`, "{}"),
		"kid of foreign bytes": encoded(`{"alg":"ES256","typ":"t","kid":"k\u0000"}`, "{}"),
		"long kid":             encoded(`{"alg":"ES256","typ":"t","kid":"`+strings.Repeat("k", 65)+`"}`, "{}"),
		"header is a list":     encoded(`[]`, "{}"),
		"too long":             encoded(`{"alg":"ES256","typ":"t","kid":"k"}`, strings.Repeat(" ", 40<<10)),
		"short signature":      "e30.e30.AAAA",
	} {
		if _, err := device.ParseSigned(text); !errors.Is(err, device.BadShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := device.ParseSigned(encoded(`{"alg":"ES256","typ":"t","jwk":{"kty":"EC"}}`, "{}")); !errors.Is(err, device.BadKey) {
		t.Error("a bad embedded key was taken")
	}
}

func TestParsePublicKeyRefuses(t *testing.T) {
	const x, y = "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"
	for name, jwk := range map[string]string{
		"not on the curve":  `{"kty":"EC","crv":"P-256","x":"` + y + `","y":"` + x + `"}`,
		"the zero point":    `{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`,
		"short coordinate":  `{"kty":"EC","crv":"P-256","x":"AAAA","y":"` + y + `"}`,
		"another curve":     `{"kty":"EC","crv":"P-384","x":"` + x + `","y":"` + y + `"}`,
		"another kind":      `{"kty":"RSA","crv":"P-256","x":"` + x + `","y":"` + y + `"}`,
		"private":           `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `","d":"` + x + `"}`,
		"certificate":       `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `","x5c":["AA"]}`,
		"repeated member":   `{"kty":"EC","crv":"P-256","x":"` + y + `","x":"` + x + `","y":"` + y + `"}`,
		"stray bits":        `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D5","y":"` + y + `"}`,
		"nothing":           `null`,
		"something after":   `{"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + y + `"}{}`,
		"longer than a key": `{"kty":"EC","kid":"` + strings.Repeat("k", 2000) + `"}`,
	} {
		if _, err := device.ParsePublicKey([]byte(jwk)); !errors.Is(err, device.BadKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseEncryptedRefuses(t *testing.T) {
	b := base64.RawURLEncoding
	const epk = `"epk":{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`
	good := `{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","kid":"k",` + epk + `}`
	if _, err := device.ParseEncrypted(b.EncodeToString([]byte(good)) + "....."[:4]); err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]string{
		"another algorithm":    strings.Replace(good, "ECDH-ES", "ECDH-ES+A256KW", 1),
		"another encryption":   strings.Replace(good, "A256GCM", "A128GCM", 1),
		"no cty":               strings.Replace(good, `"cty":"JWT",`, "", 1),
		"no kid":               strings.Replace(good, `"kid":"k",`, "", 1),
		"kid of foreign bytes": strings.Replace(good, `"kid":"k"`, `"kid":"k\u0000"`, 1),
		"no epk":               `{"alg":"ECDH-ES","enc":"A256GCM","cty":"JWT","kid":"k"}`,
		"epk off the curve":    strings.Replace(good, `"x":"MK`, `"x":"NK`, 1),
		"compressed":           strings.Replace(good, `"kid"`, `"zip":"DEF","kid"`, 1),
		"party info":           strings.Replace(good, `"kid"`, `"apu":"AA","kid"`, 1),
		"crit":                 strings.Replace(good, `"kid"`, `"crit":[],"kid"`, 1),
	} {
		if _, err := device.ParseEncrypted(b.EncodeToString([]byte(header)) + "...."); !errors.Is(err, device.BadShape) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// memoryKeys is a store of server keys with the rule of the real one: one shared key for each purpose.
type memoryKeys struct {
	mu   sync.Mutex
	keys []store.ServerKey
}

func (m *memoryKeys) AddServerKey(_ context.Context, key store.ServerKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.keys {
		if k.EnrollmentID == "" && key.EnrollmentID == "" && k.Purpose == key.Purpose {
			return store.ErrConflict
		}
	}
	m.keys = append(m.keys, key)
	return nil
}

func (m *memoryKeys) ServerKey(_ context.Context, kid string) (store.ServerKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range m.keys {
		if k.KID == kid {
			return k, nil
		}
	}
	return store.ServerKey{}, store.ErrNotFound
}

func (m *memoryKeys) SharedServerKeys(context.Context) ([]store.ServerKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var shared []store.ServerKey
	for _, purpose := range []store.KeyPurpose{store.KeyForEncryption, store.KeyForSignature} {
		for _, k := range m.keys {
			if k.EnrollmentID == "" && k.Purpose == purpose {
				shared = append(shared, k)
			}
		}
	}
	return shared, nil
}

func TestMessageFromServerToDevice(t *testing.T) {
	private, public := newKey(t)
	keys := testKeys(t)
	server := &device.ServerKeys{Store: &memoryKeys{}, Keys: keys, Now: vectorTime}
	pair, err := server.Shared(t.Context())
	if err != nil || len(pair) != 2 {
		t.Fatal(pair, err)
	}
	again, err := server.Shared(t.Context())
	if err != nil || again[0].KID != pair[0].KID || again[1].KID != pair[1].KID {
		t.Fatalf("the shared pair changed: %v", err)
	}
	public.KID = "device-enc"
	signed, err := server.Sign(t.Context(), pair[1].KID, device.MessageType, map[string]any{"message": "hello"})
	if err != nil {
		t.Fatal(err)
	}
	text, err := device.Encrypt(public, signed)
	if err != nil {
		t.Fatal(err)
	}
	if e, err := device.ParseEncrypted(text); err != nil || e.KID != "device-enc" {
		t.Errorf("what we send is outside of our own profile: %v", err)
	}
	parsed, err := jose.ParseEncryptedCompact(text, []jose.KeyAlgorithm{jose.ECDH_ES}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		t.Fatal(err)
	}
	plain, err := parsed.Decrypt(private)
	if err != nil {
		t.Fatal(err)
	}
	jwks, err := server.Public(pair)
	if err != nil {
		t.Fatal(err)
	}
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(jwks[1].JWK(), &jwk); err != nil || jwk.Use != "sig" || jwk.KeyID != pair[1].KID {
		t.Fatalf("%v %+v", err, jwk)
	}
	token, err := jwt.Parse(string(plain), func(*jwt.Token) (any, error) { return jwk.Key, nil }, jwt.WithValidMethods([]string{"ES256"}))
	if err != nil || token.Header["typ"] != "ma-message+jwt" {
		t.Errorf("%v %v", err, token)
	}
}

func TestSharedPairIsMadeOnce(t *testing.T) {
	shared, keys := &memoryKeys{}, testKeys(t)
	var wg sync.WaitGroup
	kids := make([]string, 20)
	for i := range kids {
		wg.Go(func() {
			server := &device.ServerKeys{Store: shared, Keys: keys, Now: vectorTime}
			if pair, err := server.Shared(t.Context()); err == nil {
				kids[i] = pair[0].KID + pair[1].KID
			}
		})
	}
	wg.Wait()
	for _, kid := range kids {
		if kid == "" || kid != kids[0] {
			t.Fatalf("processes disagree: %q, %q", kid, kids[0])
		}
	}
}

func FuzzParseSigned(f *testing.F) {
	f.Add(vectorJWS)
	f.Add(encoded(`{"alg":"ES256","typ":"t","jwk":`+vectorDeviceKey+`}`, "{}"))
	f.Fuzz(func(t *testing.T, text string) {
		s, err := device.ParseSigned(text)
		if err != nil {
			return
		}
		if s.KID == "" && !mustKey(t, string(s.Key.JWK())).Equal(s.Key) {
			t.Error("the embedded key does not print back")
		}
		v := device.Verifier{Once: &marks{}, Issuer: vectorIssuer, Now: vectorTime}
		_ = v.Verify(t.Context(), s, mustKey(t, vectorDeviceKey), s.Type, &map[string]any{})
	})
}

func FuzzParseEncrypted(f *testing.F) {
	f.Add(vectorJWE)
	server := vectorServer(f, "srv-enc-1")
	f.Fuzz(func(t *testing.T, text string) {
		e, err := device.ParseEncrypted(text)
		if err != nil {
			return
		}
		plain, err := server.Decrypt(t.Context(), e)
		if err == nil && plain != vectorJWS {
			t.Errorf("%q opened to %q", text, plain)
		}
	})
}

func FuzzParsePublicKey(f *testing.F) {
	f.Add(vectorDeviceKey)
	f.Fuzz(func(t *testing.T, text string) {
		key, err := device.ParsePublicKey([]byte(text))
		if err == nil && !mustKey(t, string(key.JWK())).Equal(key) {
			t.Error("the key does not print back")
		}
	})
}
