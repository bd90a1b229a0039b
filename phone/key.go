package phone

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// Claims is the payload of a JWS.
type Claims = map[string]any

// Key is a P-256 key pair of this phone. On a real phone the private half cannot leave the keystore; here it is written to the
// state file as a JWK.
type Key struct{ private *ecdsa.PrivateKey }

// NewKey makes a key pair.
func NewKey() (*Key, error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return &Key{private: private}, nil
}

// KeyOf wraps an existing P-256 key.
func KeyOf(private *ecdsa.PrivateKey) *Key { return &Key{private: private} }

// Private returns the private key, for tests that sign wrong things on purpose.
func (k *Key) Private() *ecdsa.PrivateKey { return k.private }

// JWK returns the public half. use is sig, enc or empty.
func (k *Key) JWK(use string) jose.JSONWebKey {
	return jose.JSONWebKey{Key: &k.private.PublicKey, Use: use}
}

// Thumbprint is the RFC 7638 SHA-256 thumbprint, base64url without padding: 43 characters.
func (k *Key) Thumbprint() (string, error) {
	jwk := k.JWK("")
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		return "", fmt.Errorf("thumbprint: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum), nil
}

// Sign makes a compact ES256 JWS. header is added to alg; a JWS of this protocol always names its typ.
func (k *Key) Sign(header, claims Claims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims(claims))
	for name, value := range header {
		token.Header[name] = value
	}
	signed, err := token.SignedString(k.private)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	return signed, nil
}

// MarshalJSON writes the private JWK.
func (k *Key) MarshalJSON() ([]byte, error) {
	return jose.JSONWebKey{Key: k.private}.MarshalJSON()
}

// UnmarshalJSON reads a private P-256 JWK.
func (k *Key) UnmarshalJSON(data []byte) error {
	var jwk jose.JSONWebKey
	if err := json.Unmarshal(data, &jwk); err != nil {
		return fmt.Errorf("key: %w", err)
	}
	private, ok := jwk.Key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return errors.New("key: not a private P-256 key")
	}
	k.private = private
	return nil
}

// randomText returns n random bytes as base64url without padding.
func randomText(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b)
}
