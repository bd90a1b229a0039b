package keys

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/store"
)

const rsaBits = 2048

// key is an opened signing key.
type key struct {
	id        string
	algorithm string
	method    jwt.SigningMethod
	private   crypto.Signer
}

func place(id string) string { return "signing-key/" + id }

// generate makes a key of the configured algorithm for a slot.
func (r *Ring) generate(slot store.KeySlot) (store.SigningKey, error) {
	k := store.SigningKey{ID: r.NewID(), Slot: slot, Algorithm: r.Algorithm, CreatedAt: r.Now()}
	var private any
	var err error
	switch r.Algorithm {
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	default:
		err = errors.New("the algorithm must be ES256 or RS256")
	}
	if err != nil {
		return k, fmt.Errorf("generate signing key: %w", err)
	}
	encoded, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return k, fmt.Errorf("encode signing key: %w", err)
	}
	k.Sealed = r.Keys.Seal(encoded, place(k.ID))
	return k, nil
}

// open unseals a stored key.
func (r *Ring) open(s store.SigningKey) (*key, error) {
	encoded, err := r.Keys.Open(s.Sealed, place(s.ID))
	if err != nil {
		return nil, fmt.Errorf("open signing key: %w", err)
	}
	private, err := x509.ParsePKCS8PrivateKey(encoded)
	if err != nil {
		return nil, fmt.Errorf("decode signing key: %w", err)
	}
	k := &key{id: s.ID, algorithm: s.Algorithm}
	switch p := private.(type) {
	case *ecdsa.PrivateKey:
		k.private, k.method = p, jwt.SigningMethodES256
	case *rsa.PrivateKey:
		k.private, k.method = p, jwt.SigningMethodRS256
	default:
		return nil, errors.New("decode signing key: unknown kind")
	}
	if k.method.Alg() != k.algorithm {
		return nil, errors.New("decode signing key: kind and algorithm differ")
	}
	return k, nil
}

// jwk is a public key (RFC 7518 §6).
type jwk struct {
	Type      string `json:"kty"`
	Use       string `json:"use"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Curve     string `json:"crv,omitempty"`
	X         string `json:"x,omitempty"`
	Y         string `json:"y,omitempty"`
	N         string `json:"n,omitempty"`
	E         string `json:"e,omitempty"`
}

func keySet(published []*key) ([]byte, error) {
	set := struct {
		Keys []jwk `json:"keys"`
	}{make([]jwk, 0, len(published))}
	for _, k := range published {
		entry := jwk{Use: "sig", ID: k.id, Algorithm: k.algorithm}
		switch p := k.private.Public().(type) {
		case *ecdsa.PublicKey:
			point, err := p.Bytes() // 4, x, y
			if err != nil {
				return nil, fmt.Errorf("encode public key: %w", err)
			}
			half := (len(point) - 1) / 2
			entry.Type, entry.Curve = "EC", "P-256"
			entry.X = base64.RawURLEncoding.EncodeToString(point[1 : 1+half])
			entry.Y = base64.RawURLEncoding.EncodeToString(point[1+half:])
		case *rsa.PublicKey:
			entry.Type = "RSA"
			entry.N = base64.RawURLEncoding.EncodeToString(p.N.Bytes())
			entry.E = base64.RawURLEncoding.EncodeToString(big.NewInt(int64(p.E)).Bytes())
		}
		set.Keys = append(set.Keys, entry)
	}
	text, err := json.Marshal(set)
	if err != nil {
		return nil, fmt.Errorf("encode key set: %w", err)
	}
	return text, nil
}
