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
	"slices"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/store"
)

// RSABits is the size of new RSA keys unless the ring says otherwise.
const RSABits = 2048

// key is an opened signing key.
type key struct {
	id        string
	algorithm string
	method    jwt.SigningMethod
	private   crypto.Signer
}

func place(id string) string { return "signing-key/" + id }

// generate makes a key for a slot.
func (r *Ring) generate(slot store.KeySlot, algorithm string) (store.SigningKey, error) {
	k := store.SigningKey{ID: r.NewID(), Slot: slot, Algorithm: algorithm, CreatedAt: r.Now()}
	private, err := r.newPrivate(algorithm)
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

func (r *Ring) newPrivate(algorithm string) (any, error) {
	switch m := method(algorithm).(type) {
	case *jwt.SigningMethodECDSA:
		return ecdsa.GenerateKey(curve(m), rand.Reader)
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		bits := r.RSABits
		if bits == 0 {
			bits = RSABits
		}
		return rsa.GenerateKey(rand.Reader, bits)
	}
	return nil, fmt.Errorf("%w: %q", ErrAlgorithm, algorithm)
}

// method returns the signing method of an algorithm of ours, nil for any other.
func method(algorithm string) jwt.SigningMethod {
	if !slices.Contains(Algorithms(), algorithm) {
		return nil
	}
	return jwt.GetSigningMethod(algorithm)
}

// curve is the curve of an algorithm (RFC 7518 §3.4).
func curve(m *jwt.SigningMethodECDSA) elliptic.Curve {
	switch m.CurveBits {
	case 384:
		return elliptic.P384()
	case 521:
		return elliptic.P521()
	}
	return elliptic.P256()
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
	k := &key{id: s.ID, algorithm: s.Algorithm, method: method(s.Algorithm)}
	fits := false
	switch p := private.(type) {
	case *ecdsa.PrivateKey:
		m, is := k.method.(*jwt.SigningMethodECDSA)
		k.private, fits = p, is && curve(m) == p.Curve
	case *rsa.PrivateKey:
		_, pkcs := k.method.(*jwt.SigningMethodRSA)
		_, pss := k.method.(*jwt.SigningMethodRSAPSS)
		k.private, fits = p, pkcs || pss
	}
	if !fits {
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
			entry.Type, entry.Curve = "EC", p.Params().Name
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
