package standin

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

const openIDRSABits = 2048

// openIDKeys are the signing keys of a provider, one of each kind.
type openIDKeys struct {
	generation int
	byCurve    map[string]*ecdsa.PrivateKey // by algorithm: ES256, ES384, ES512
	rsa        *rsa.PrivateKey              // RS and PS; nil = none, making one takes long
}

func newOpenIDKeys() (*openIDKeys, error) {
	k := &openIDKeys{byCurve: map[string]*ecdsa.PrivateKey{}}
	var err error
	for algorithm, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		if k.byCurve[algorithm], err = ecdsa.GenerateKey(curve, rand.Reader); err != nil {
			return nil, fmt.Errorf("make signing key: %w", err)
		}
	}
	return k, nil
}

// needs makes what an algorithm needs.
func (k *openIDKeys) needs(algorithm string) error {
	if k.rsa != nil || algorithm == "" || k.byCurve[algorithm] != nil {
		return nil
	}
	key, err := rsa.GenerateKey(rand.Reader, openIDRSABits)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	k.rsa = key
	return nil
}

// id is the key id for an algorithm.
func (k *openIDKeys) id(algorithm string) string {
	name := "RSA"
	if k.byCurve[algorithm] != nil {
		name = algorithm
	}
	return fmt.Sprintf("%s-%d", name, k.generation)
}

func (k *openIDKeys) private(algorithm string) crypto.Signer {
	if key := k.byCurve[algorithm]; key != nil {
		return key
	}
	return k.rsa
}

// set is what the provider publishes.
func (k *openIDKeys) set() jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{}
	if k.rsa != nil {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.rsa.Public(), KeyID: k.id("RS256"), Use: "sig"})
	}
	for _, algorithm := range []string{"ES256", "ES384", "ES512"} {
		set.Keys = append(set.Keys, jose.JSONWebKey{
			Key: k.byCurve[algorithm].Public(), KeyID: k.id(algorithm), Algorithm: algorithm, Use: "sig",
		})
	}
	return set
}

// sign makes a JWS. HS256 uses the published RSA key as the secret, none has no signature: both are lies.
func (k *openIDKeys) sign(algorithm string, header, claims map[string]any) (string, error) {
	method := jwt.GetSigningMethod(algorithm)
	if method == nil {
		return "", fmt.Errorf("unknown algorithm %q", algorithm)
	}
	var key any = k.private(algorithm)
	switch algorithm {
	case "none":
		key = jwt.UnsafeAllowNoneSignatureType
	case "HS256":
		der, err := x509.MarshalPKIXPublicKey(k.rsa.Public())
		if err != nil {
			return "", fmt.Errorf("encode public key: %w", err)
		}
		key = pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	}
	token := &jwt.Token{Header: header, Claims: jwt.MapClaims(claims), Method: method}
	signed, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign ID token: %w", err)
	}
	return signed, nil
}
