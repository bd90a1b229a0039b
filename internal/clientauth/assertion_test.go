package clientauth_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/clientauth"
	"tokenserver/internal/settings"
)

func TestAssertionClaims(t *testing.T) {
	k := newKit(t)
	at := func(d time.Duration) int64 { return k.Now().Add(d).Unix() }
	set := func(name string, value any) func(jwt.MapClaims) { return func(c jwt.MapClaims) { c[name] = value } }
	drop := func(name string) func(jwt.MapClaims) { return func(c jwt.MapClaims) { delete(c, name) } }
	for _, tc := range []struct {
		name    string
		change  func(jwt.MapClaims)
		machine clientauth.Reason
		device  clientauth.Reason
	}{
		{"good", nil, "", ""},
		{"without iat", drop("iat"), "", ""},
		{"fraction of a second", set("exp", float64(at(time.Minute))+0.5), "", ""},
		{"exp an hour ahead", set("exp", at(time.Hour)), "", ""},
		{"exp two hours ahead", set("exp", at(2*time.Hour)), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"expired a moment ago", set("exp", at(-9*time.Second)), "", ""},
		{"expired 10 s ago", set("exp", at(-10*time.Second)), clientauth.AssertionExpired, ""},
		{"expired 60 s ago", set("exp", at(-60*time.Second)), clientauth.AssertionExpired, clientauth.AssertionExpired},
		{"iat 10 s ahead", set("iat", at(10*time.Second)), "", ""},
		{"iat 11 s ahead", set("iat", at(11*time.Second)), clientauth.AssertionInvalid, ""},
		{"iat 61 s ahead", set("iat", at(61*time.Second)), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"nbf ahead", set("nbf", at(5*time.Minute)), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"iat absurd", set("iat", 1e300), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"exp absurd", set("exp", 1e300), clientauth.AssertionExpired, clientauth.AssertionExpired},
		{"exp negative", set("exp", -1), clientauth.AssertionExpired, clientauth.AssertionExpired},
		{"exp as text", set("exp", "soon"), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"no exp", drop("exp"), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"no jti", drop("jti"), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"long jti", set("jti", strings.Repeat("x", 256)), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"no aud", drop("aud"), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"aud a list", set("aud", []string{"https://ts.example/oauth"}), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"aud the token endpoint", set("aud", "https://ts.example/oauth/v1/token"), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"aud with a slash", set("aud", "https://ts.example/oauth/"), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"other iss", set("iss", "shop"), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
		{"no iss", drop("iss"), clientauth.AssertionInvalid, clientauth.AssertionInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if got := k.reason(t, sign(t, jwt.SigningMethodES256, k.machine, nil, k.claims("signer", tc.change))); got != tc.machine {
				t.Errorf("web client: %q, want %q", got, tc.machine)
			}
			got := k.reason(t, sign(t, jwt.SigningMethodES256, k.device, map[string]any{"kid": "device-key"}, k.claims(k.deviceID, tc.change)))
			if got != tc.device {
				t.Errorf("installation: %q, want %q", got, tc.device)
			}
		})
	}
}

func TestAssertionAttacks(t *testing.T) {
	k := newKit(t)
	stranger := newKey(t)
	good := sign(t, jwt.SigningMethodES256, k.machine, nil, k.claims("signer", nil))
	parts := strings.Split(good, ".")
	header := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, assertion string }{
		{"none", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, k.claims("signer", nil))},
		{"none in capitals", header(`{"alg":"NONE"}`) + "." + parts[1] + "."},
		{"no algorithm", header(`{"typ":"JWT"}`) + "." + parts[1] + "." + parts[2]},
		{"HS256 with the public key", sign(t, jwt.SigningMethodHS256, []byte(k.pem), nil, k.claims("signer", nil))},
		{"stranger's key", sign(t, jwt.SigningMethodES256, stranger, nil, k.claims("signer", nil))},
		{"embedded jwk", sign(t, jwt.SigningMethodES256, stranger, map[string]any{"jwk": publicJWK(t, stranger)}, k.claims("signer", nil))},
		{"jku", sign(t, jwt.SigningMethodES256, stranger, map[string]any{"jku": "https://evil.example/keys"}, k.claims("signer", nil))},
		{"x5u", sign(t, jwt.SigningMethodES256, stranger, map[string]any{"x5u": "https://evil.example/key"}, k.claims("signer", nil))},
		{"kid a path", sign(t, jwt.SigningMethodES256, stranger, map[string]any{"kid": "../../../../dev/null"}, k.claims("signer", nil))},
		{"other curve", sign(t, jwt.SigningMethodES384, p384, nil, k.claims("signer", nil))},
		{"crit", sign(t, jwt.SigningMethodES256, k.machine, map[string]any{"crit": []string{"b64"}}, k.claims("signer", nil))},
		{"stripped signature", parts[0] + "." + parts[1] + "."},
		{"zero signature", parts[0] + "." + parts[1] + "." + strings.Repeat("A", 86)},
		{"other payload", parts[0] + "." + header(`{"iss":"signer","sub":"signer","aud":"https://ts.example/oauth","jti":"1","exp":1795183260}`) + "." + parts[2]},
		{"two parts", parts[0] + "." + parts[1]},
		{"four parts", good + "." + parts[2]},
		{"padding", good + "="},
		{"newline", good + "\n"},
		{"empty parts", ".."},
		{"a million dots", strings.Repeat(".", 1_000_000)},
		{"oversize", sign(t, jwt.SigningMethodES256, k.machine, nil, k.claims("signer", func(c jwt.MapClaims) { c["x"] = strings.Repeat("x", 9000) }))},
		{"not base64", "!!." + parts[1] + "." + parts[2]},
		{"payload a list", parts[0] + "." + header(`["signer"]`) + "." + parts[2]},
		{"payload null", parts[0] + "." + header(`null`) + "." + parts[2]},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := k.service.Authenticate(t.Context(), k.Settings.Current(),
				clientauth.Credentials{ID: "signer", AssertionType: clientauth.AssertionType, Assertion: tc.assertion})
			if got := reasonOf(t, err); got != clientauth.AssertionInvalid {
				t.Errorf("%q, want %q", got, clientauth.AssertionInvalid)
			}
		})
	}
	t.Run("kid of an installation", func(t *testing.T) {
		for _, kid := range []any{nil, "other", 7, "../device-key"} {
			h := map[string]any{}
			if kid != nil {
				h["kid"] = kid
			}
			if got := k.reason(t, sign(t, jwt.SigningMethodES256, k.device, h, k.claims(k.deviceID, nil))); got != clientauth.AssertionInvalid {
				t.Errorf("kid %v: %q", kid, got)
			}
		}
	})
	t.Run("client_id of another client", func(t *testing.T) {
		_, err := k.service.Authenticate(t.Context(), k.Settings.Current(), clientauth.Credentials{
			ID:            "gateway",
			AssertionType: clientauth.AssertionType, Assertion: sign(t, jwt.SigningMethodES256, k.machine, nil, k.claims("signer", nil)),
		})
		if got := reasonOf(t, err); got != clientauth.AssertionInvalid {
			t.Errorf("%q", got)
		}
	})
}

func TestAssertionAlgorithms(t *testing.T) {
	k := newKit(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	curves := map[jwt.SigningMethod]elliptic.Curve{
		jwt.SigningMethodES256: elliptic.P256(), jwt.SigningMethodES384: elliptic.P384(), jwt.SigningMethodES512: elliptic.P521(),
	}
	for _, method := range []jwt.SigningMethod{
		jwt.SigningMethodRS256, jwt.SigningMethodRS384, jwt.SigningMethodRS512, jwt.SigningMethodPS256, jwt.SigningMethodPS384,
		jwt.SigningMethodPS512, jwt.SigningMethodES256, jwt.SigningMethodES384, jwt.SigningMethodES512, jwt.SigningMethodEdDSA,
	} {
		t.Run(method.Alg(), func(t *testing.T) {
			var private, public any = key, key.Public()
			if curve := curves[method]; curve != nil {
				ec, err := ecdsa.GenerateKey(curve, rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				private, public = ec, ec.Public()
			}
			if method == jwt.SigningMethodEdDSA {
				if public, private, err = ed25519.GenerateKey(rand.Reader); err != nil {
					t.Fatal(err)
				}
			}
			der, err := x509.MarshalPKIXPublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			k.Settings.Set(settings.Document{WebClients: []settings.WebClient{{
				ID: "signer", Authentication: settings.PrivateKeyJWT,
				PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
			}}})
			if got := k.reason(t, sign(t, method, private, nil, k.claims("signer", nil))); got != "" {
				t.Errorf("refused: %s", got)
			}
		})
	}
}

func TestAssertionIsUsedOnce(t *testing.T) {
	k := newKit(t)
	assertion := sign(t, jwt.SigningMethodES256, k.device, map[string]any{"kid": "device-key"}, k.claims(k.deviceID, nil))
	var good, replayed atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if reason := k.reason(t, assertion); reason == "" {
				good.Add(1)
			} else if reason == clientauth.AssertionReplayed {
				replayed.Add(1)
			}
		})
	}
	all.Wait()
	if good.Load() != 1 || replayed.Load() != 49 {
		t.Errorf("%d good, %d replayed", good.Load(), replayed.Load())
	}
	// The same jti of another client is another assertion.
	id := k.NewID()
	same := func(c jwt.MapClaims) { c["jti"] = id }
	for _, assertion := range []string{
		sign(t, jwt.SigningMethodES256, k.machine, nil, k.claims("signer", same)),
		sign(t, jwt.SigningMethodES256, k.machine, nil, k.claims("gateway", same)),
	} {
		if got := k.reason(t, assertion); got != "" {
			t.Errorf("refused: %s", got)
		}
	}
}

func FuzzAssertion(f *testing.F) {
	k := newKit(f)
	good := sign(f, jwt.SigningMethodES256, k.machine, nil, k.claims("signer", nil))
	for _, seed := range []string{good, "", ".", "..", "...", "a.b.c", good[:len(good)-1], "eyJhbGciOiJub25lIn0." + strings.Split(good, ".")[1] + "."} {
		f.Add(seed)
	}
	forgery := sign(f, jwt.SigningMethodES256, newKey(f), nil, k.claims("signer", nil))
	f.Add(forgery)
	f.Fuzz(func(t *testing.T, assertion string) {
		if assertion == good {
			return
		}
		for _, id := range []string{"", "signer", k.deviceID} {
			_, err := k.service.Authenticate(t.Context(), k.Settings.Current(),
				clientauth.Credentials{ID: id, AssertionType: clientauth.AssertionType, Assertion: assertion})
			if reasonOf(t, err) == "" {
				t.Errorf("accepted %q", assertion)
			}
		}
	})
}
