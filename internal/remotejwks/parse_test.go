package remotejwks_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"tokenserver/internal/remotejwks"
)

func jwk(t testing.TB, key any, change func(map[string]any)) string {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKey{Key: key, KeyID: "k"})
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(members)
	}
	if text, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestParseKeepsWhatCanBeUsed(t *testing.T) {
	elliptical := func(curve elliptic.Curve) *ecdsa.PrivateKey {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	rsaKey := func(bits int) any {
		key, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		return key.Public()
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p256 := elliptical(elliptic.P256())
	set := func(name string, value any) func(map[string]any) {
		return func(m map[string]any) { m[name] = value }
	}
	for _, tc := range []struct {
		name, key, use string
		kept           bool
	}{
		{"P-256", jwk(t, p256.Public(), nil), "", true},
		{"P-384", jwk(t, elliptical(elliptic.P384()).Public(), nil), "", true},
		{"P-521", jwk(t, elliptical(elliptic.P521()).Public(), nil), "", true},
		{"Ed25519", jwk(t, public, nil), "", true},
		{"RSA 2048", jwk(t, rsaKey(2048), nil), "", true},
		{"RSA 1024", jwk(t, rsaKey(1024), nil), "", false},
		{"RSA with exponent 1", jwk(t, rsaKey(2048), set("e", "AQ")), "", false},
		{"symmetric", jwk(t, []byte("0123456789abcdef0123456789abcdef"), nil), "", false},
		{"private half of P-256", jwk(t, p256, nil), "", false},
		{"private half of Ed25519", jwk(t, private, nil), "", false},
		{"public half with k", jwk(t, p256.Public(), set("k", "AQ")), "", false},
		{"not on the curve", jwk(t, p256.Public(), set("x", strings.Repeat("A", 43))), "", false},
		{"secp256k1", jwk(t, p256.Public(), set("crv", "secp256k1")), "", false},
		{"X25519", jwk(t, public, set("crv", "X25519")), "", false},
		{"short Ed25519", jwk(t, public, set("x", "AQ")), "", false},
		{"no type", jwk(t, p256.Public(), set("kty", "")), "", false},
		{"no object", `"k"`, "", false},
		{"for signatures", jwk(t, p256.Public(), set("use", "sig")), "sig", true},
		{"for something else", jwk(t, p256.Public(), set("use", "tls")), "", false},
		{"verifies", jwk(t, p256.Public(), set("key_ops", []string{"verify"})), "sig", true},
		{"derives", jwk(t, p256.Public(), set("key_ops", []string{"deriveBits"})), "enc", true},
		{"does both", jwk(t, p256.Public(), set("key_ops", []string{"verify", "wrapKey"})), "", true},
		{"signs", jwk(t, p256.Public(), set("key_ops", []string{"sign"})), "", false},
		{"with a certificate that cannot be read", jwk(t, p256.Public(), set("x5c", []string{"AAAA"})), "", true},
		{"long id", jwk(t, p256.Public(), set("kid", strings.Repeat("k", 256))), "", false},
	} {
		found, err := remotejwks.Parse([]byte(`{"keys":[` + tc.key + `]}`))
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		if (len(found.Keys) == 1) != tc.kept || (tc.kept && found.Keys[0].Use != tc.use) {
			t.Errorf("%s: %+v", tc.name, found.Keys)
		}
	}
}

func TestCandidatesAndKeysForEncryption(t *testing.T) {
	k := newKit(t)
	var set jose.JSONWebKeySet
	addKey := func(id, use, alg string, key any) {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: id, Use: use, Algorithm: alg})
	}
	curve := func(c elliptic.Curve) any {
		key, err := ecdsa.GenerateKey(c, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return key.Public()
	}
	for i := range 12 {
		addKey("sig-"+strconv.Itoa(i), "sig", "ES256", curve(elliptic.P256()))
	}
	addKey("any-384", "", "", curve(elliptic.P384()))
	addKey("enc-256", "enc", "", curve(elliptic.P256()))
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	k.does(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(text) })
	for _, tc := range []struct {
		kid, alg string
		n        int
	}{
		{"", "ES256", 10},
		{"sig-3", "ES256", 1},
		{"sig-3", "ES384", 0},
		{"sig-3", "RS256", 0},
		{"any-384", "ES384", 1},
		{"enc-256", "ES256", 0},
		{"none", "ES256", 0},
		{"", "none", 0},
		{"", "HS256", 0},
	} {
		found, err := k.sets.Candidates(t.Context(), k.URL, tc.kid, tc.alg)
		if err != nil || len(found) != tc.n {
			t.Errorf("%s %s: %d keys, %v", tc.kid, tc.alg, len(found), err)
		}
	}
	found, err := k.sets.ForEncryption(t.Context(), k.URL, func(jose.JSONWebKey) bool { return true })
	ids := make([]string, len(found))
	for i := range found {
		ids[i] = found[i].KeyID
	}
	if err != nil || !slices.Equal(ids, []string{"enc-256", "any-384"}) {
		t.Errorf("for encryption: %v, %v", ids, err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(setOf(f, "a", "b")))
	f.Add(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`)
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"OKP","crv":"Ed25519","x":"AA"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		set, err := remotejwks.Parse([]byte(text))
		if err != nil {
			return
		}
		for _, key := range set.Keys {
			if len(remotejwks.Algorithms(key.Key)) == 0 || !key.IsPublic() {
				t.Fatalf("kept a key that is of no use: %+v", key)
			}
		}
		again, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		same, err := remotejwks.Parse(again)
		if err != nil || len(same.Keys) != len(set.Keys) {
			t.Fatalf("printed and read again: %d of %d keys, %v", len(same.Keys), len(set.Keys), err)
		}
	})
}
