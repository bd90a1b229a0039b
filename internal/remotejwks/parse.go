package remotejwks

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxKeys    = 64  // of one set; what follows is passed over
	maxKeyID   = 255 // bytes
	minRSABits = 2048
	maxRSABits = 4096
	minECBits  = 256
)

var errNoSet = errors.New("not a JWK set")

// member is what is read of one key. Certificates and private members are left out.
type member struct {
	Type      string   `json:"kty"`
	Use       string   `json:"use,omitempty"`
	Ops       []string `json:"key_ops,omitempty"`
	Algorithm string   `json:"alg,omitempty"`
	ID        string   `json:"kid,omitempty"`
	Curve     string   `json:"crv,omitempty"`
	N         string   `json:"n,omitempty"`
	E         string   `json:"e,omitempty"`
	X         string   `json:"x,omitempty"`
	Y         string   `json:"y,omitempty"`
}

// Parse reads a JWK set. Keys that this server cannot or should not use are passed over (RFC 7517 §5): symmetric ones,
// unknown types, RSA outside 2048 to 4096 bits, curves below P-256, and keys published with their private half.
func Parse(text []byte) (*jose.JSONWebKeySet, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil || set.Keys == nil {
		return nil, errNoSet
	}
	found := &jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, raw := range set.Keys {
		if len(found.Keys) == maxKeys {
			break
		}
		if key, ok := parseKey(raw); ok {
			found.Keys = append(found.Keys, key)
		}
	}
	return found, nil
}

func parseKey(raw json.RawMessage) (jose.JSONWebKey, bool) {
	var m member
	var private struct {
		D json.RawMessage `json:"d"`
		K json.RawMessage `json:"k"`
	}
	if json.Unmarshal(raw, &m) != nil || json.Unmarshal(raw, &private) != nil ||
		private.D != nil || private.K != nil || len(m.ID) > maxKeyID {
		return jose.JSONWebKey{}, false
	}
	use, ok := purpose(m)
	if !ok {
		return jose.JSONWebKey{}, false
	}
	m.Use, m.Ops = use, nil
	plain, err := json.Marshal(m)
	if err != nil {
		return jose.JSONWebKey{}, false
	}
	var key jose.JSONWebKey
	if err := key.UnmarshalJSON(plain); err != nil || !key.Valid() || !strong(key.Key) {
		return jose.JSONWebKey{}, false
	}
	return key, true
}

// The uses of a key (RFC 7517 §4.2).
const (
	forSignature  = "sig"
	forEncryption = "enc"
)

// purpose is what a key is for, "" for anything; key_ops says it where use does not.
func purpose(m member) (use string, ok bool) {
	if m.Use != "" || len(m.Ops) == 0 {
		return m.Use, m.Use == "" || m.Use == forSignature || m.Use == forEncryption
	}
	verifies := slices.Contains(m.Ops, "verify")
	encrypts := slices.ContainsFunc(m.Ops, func(op string) bool {
		return op == "encrypt" || op == "wrapKey" || op == "deriveKey" || op == "deriveBits"
	})
	switch {
	case verifies && encrypts:
		return "", true
	case verifies:
		return forSignature, true
	case encrypts:
		return forEncryption, true
	}
	return "", false
}

func strong(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		bits := k.N.BitLen()
		return bits >= minRSABits && bits <= maxRSABits && k.E > 2 && k.E%2 == 1
	case *ecdsa.PublicKey:
		return k.Curve.Params().BitSize >= minECBits
	case ed25519.PublicKey:
		return true
	}
	return false
}
