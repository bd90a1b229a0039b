package device

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"tokenserver/internal/strictjson"
	"tokenserver/store"
)

const (
	coordinateBytes = 32
	maxJWK          = 1 << 10
)

// PublicKey is a P-256 public key whose point is on the curve.
type PublicKey struct {
	Use store.KeyPurpose // "" when the JWK does not say
	KID string           // as the JWK names it; "" when it does not
	key *ecdsa.PublicKey
}

// ParsePublicKey reads a public JWK (RFC 7517, RFC 7518 §6.2.1): P-256, a point on the curve, no private part.
// Errors: BadKey.
func ParsePublicKey(jwk []byte) (PublicKey, error) {
	if len(jwk) > maxJWK {
		return PublicKey{}, fmt.Errorf("%w: too long", BadKey)
	}
	members, err := strictjson.Object(jwk)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", BadKey, err)
	}
	var kty, crv, x, y, use, alg, kid string
	names := map[string]*string{"kty": &kty, "crv": &crv, "x": &x, "y": &y, "use": &use, "alg": &alg, "kid": &kid}
	if err := texts(members, names, "key_ops"); err != nil {
		return PublicKey{}, fmt.Errorf("%w: %w", BadKey, err)
	}
	if kty != "EC" || crv != "P-256" {
		return PublicKey{}, fmt.Errorf("%w: not EC P-256", BadKey)
	}
	point := []byte{4}
	for _, coordinate := range []string{x, y} {
		raw, err := strict().DecodeString(coordinate)
		if err != nil || len(raw) != coordinateBytes {
			return PublicKey{}, fmt.Errorf("%w: a coordinate is not 32 bytes", BadKey)
		}
		point = append(point, raw...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return PublicKey{}, fmt.Errorf("%w: the point is not on the curve", BadKey)
	}
	return PublicKey{Use: store.KeyPurpose(use), KID: kid, key: key}, nil
}

// StoredKey reads a public JWK that was checked when it was stored: one that does not read is a fault, no Refusal.
func StoredKey(jwk []byte) (PublicKey, error) {
	key, err := ParsePublicKey(jwk)
	if err != nil {
		return PublicKey{}, errors.New("a stored device key does not read: " + err.Error())
	}
	return key, nil
}

// publicKeyOf wraps a key of ours.
func publicKeyOf(key *ecdsa.PublicKey, use store.KeyPurpose) PublicKey {
	k := PublicKey{Use: use, key: key}
	k.KID = k.Thumbprint()
	return k
}

// coordinates returns x and y in base64url.
func (k PublicKey) coordinates() (x, y string) {
	point, err := k.key.Bytes()
	if err != nil {
		panic(err) // cannot happen: the curve is P-256 and the point was checked
	}
	return strict().EncodeToString(point[1 : 1+coordinateBytes]), strict().EncodeToString(point[1+coordinateBytes:])
}

// Thumbprint is the SHA-256 thumbprint of RFC 7638 in base64url: 43 characters.
func (k PublicKey) Thumbprint() string {
	x, y := k.coordinates()
	sum := sha256.Sum256([]byte(`{"crv":"P-256","kty":"EC","x":"` + x + `","y":"` + y + `"}`))
	return strict().EncodeToString(sum[:])
}

// JWK returns the key as a public JWK with use and kid, as far as they are known.
func (k PublicKey) JWK() []byte {
	x, y := k.coordinates()
	text, err := json.Marshal(struct {
		KID string           `json:"kid,omitempty"`
		KTY string           `json:"kty"`
		CRV string           `json:"crv"`
		Use store.KeyPurpose `json:"use,omitempty"`
		X   string           `json:"x"`
		Y   string           `json:"y"`
	}{k.KID, "EC", "P-256", k.Use, x, y})
	if err != nil {
		panic(err) // cannot happen: texts always encode
	}
	return text
}

// PEM returns the key as a SubjectPublicKeyInfo in PEM, as openssl reads it.
func (k PublicKey) PEM() (string, error) {
	der, err := x509.MarshalPKIXPublicKey(k.key)
	if err != nil {
		return "", fmt.Errorf("encode public key: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

// Equal tells whether two keys are the same point.
func (k PublicKey) Equal(other PublicKey) bool {
	return k.key != nil && other.key != nil && k.key.Equal(other.key)
}

// VerifyData checks an ECDSA signature (ASN.1 DER) over the SHA-256 digest of data.
func (k PublicKey) VerifyData(data, signature []byte) bool {
	digest := sha256.Sum256(data)
	return ecdsa.VerifyASN1(k.key, digest[:], signature)
}

// SignedData is what a device signs for transaction signing: "ts-transaction-v1" 0x00 transaction id 0x00 signing data.
func SignedData(transactionID, signingData string) []byte {
	return bytes.Join([][]byte{[]byte("ts-transaction-v1"), []byte(strings.ToLower(transactionID)), []byte(signingData)}, []byte{0})
}

// KeysHash is what the first enrollment step signs: base64url SHA-256 of both thumbprints joined by a dot.
func KeysHash(sign, encrypt PublicKey) string {
	sum := sha256.Sum256([]byte(sign.Thumbprint() + "." + encrypt.Thumbprint()))
	return strict().EncodeToString(sum[:])
}
