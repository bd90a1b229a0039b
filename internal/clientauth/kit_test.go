package clientauth_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

type kit struct {
	*audittest.Env
	service  *clientauth.Service
	machine  *ecdsa.PrivateKey // of the web client "signer" and the API client "gateway"
	pem      string
	device   *ecdsa.PrivateKey
	deviceID string
}

func newKit(t testing.TB) *kit {
	t.Helper()
	k := &kit{Env: audittest.New(t), machine: newKey(t), device: newKey(t), deviceID: secret.NewToken()}
	der, err := x509.MarshalPKIXPublicKey(k.machine.Public())
	if err != nil {
		t.Fatal(err)
	}
	k.pem = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	k.Settings.Set(settings.Document{
		WebClients: []settings.WebClient{
			{ID: "signer", Authentication: settings.PrivateKeyJWT, PublicKey: k.pem},
			{ID: "shop", Authentication: settings.SecretBasic, Secret: settings.ClientSecret{Digest: k.Keys.MAC(secret.ForClientSecret, "s3cret")}},
			{ID: "empty", Authentication: settings.SecretBasic},
			{ID: "broken", Authentication: settings.PrivateKeyJWT, PublicKey: "no PEM"},
			{ID: "spa", Authentication: settings.PublicClient},
		},
		APIClients:   []settings.APIClient{{ID: "gateway", Authentication: settings.PrivateKeyJWT, PublicKey: k.pem}},
		Applications: []settings.Application{{ID: "bank", Versions: []settings.AppVersion{{Platform: "ios", Version: "1"}}}},
	})
	err = k.Store.AddInstallation(t.Context(), store.Installation{
		ClientID: k.deviceID, RegistrationID: "r", Application: "bank", Platform: "ios", Version: "1", APIVersion: 2,
		KeyID: "device-key", PublicJWK: publicJWK(t, k.device),
	})
	if err != nil {
		t.Fatal(err)
	}
	k.service = &clientauth.Service{
		Installations: k.Store, Once: k.Redis, Keys: k.Keys, Issuer: k.Issuer, Now: k.Now,
		Failures: &ratelimit.Limiter{Counts: k.Redis, Name: "client", Limit: 1000, Window: time.Minute, Now: k.Now},
	}
	return k
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicJWK(t testing.TB, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:]),
	})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// assertion makes claims that are good, changed by change.
func (k *kit) claims(clientID string, change func(jwt.MapClaims)) jwt.MapClaims {
	c := jwt.MapClaims{
		"iss": clientID, "sub": clientID, "aud": k.Issuer, "jti": k.NewID(), "exp": k.Now().Add(time.Minute).Unix(), "iat": k.Now().Unix(),
	}
	if change != nil {
		change(c)
	}
	return c
}

func sign(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, claims jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	for name, value := range header {
		token.Header[name] = value
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// reason authenticates with an assertion; "" = it was good.
func (k *kit) reason(t testing.TB, assertion string) clientauth.Reason {
	t.Helper()
	_, err := k.service.Authenticate(t.Context(), k.Settings.Current(),
		clientauth.Credentials{AssertionType: clientauth.AssertionType, Assertion: assertion})
	return reasonOf(t, err)
}

func reasonOf(t testing.TB, err error) clientauth.Reason {
	t.Helper()
	var refused *clientauth.Refused
	if err != nil && !errors.As(err, &refused) {
		t.Fatalf("no reason: %v", err)
	}
	if refused == nil {
		return ""
	}
	return refused.Reason
}
