package remotejwks

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// maxCandidates is how many keys are tried when a signature does not name one.
const maxCandidates = 10

// Candidates returns the keys that may have made a signature: those with that key id, or without one ("") at most ten,
// which suit the algorithm (RFC 7518 §3.1, RFC 8037). When none does, the set is fetched once more, at most once a
// minute. None at all is no error.
// Errors: as Keys.
func (s *Sets) Candidates(ctx context.Context, uri, kid, alg string) ([]jose.JSONWebKey, error) {
	set, err := s.seek(ctx, uri, func(set *jose.JSONWebKeySet) bool { return len(candidates(set, kid, alg)) > 0 })
	if err != nil {
		return nil, err
	}
	return candidates(set, kid, alg), nil
}

// ForEncryption returns the keys to which something may be encrypted and which suit: those made for it first. When none
// suits, the set is fetched once more, at most once a minute. None at all is no error.
// Errors: as Keys.
func (s *Sets) ForEncryption(ctx context.Context, uri string, suits func(jose.JSONWebKey) bool) ([]jose.JSONWebKey, error) {
	choose := func(set *jose.JSONWebKeySet) []jose.JSONWebKey {
		var made, others []jose.JSONWebKey
		for _, key := range set.Keys {
			switch {
			case !suits(key):
			case key.Use == forEncryption:
				made = append(made, key)
			case key.Use == "":
				others = append(others, key)
			}
		}
		return slices.Concat(made, others)
	}
	set, err := s.seek(ctx, uri, func(set *jose.JSONWebKeySet) bool { return len(choose(set)) > 0 })
	if err != nil {
		return nil, err
	}
	return choose(set), nil
}

func candidates(set *jose.JSONWebKeySet, kid, alg string) []jose.JSONWebKey {
	var found []jose.JSONWebKey
	for _, key := range set.Keys {
		if (kid != "" && key.KeyID != kid) || key.Use == forEncryption || (key.Algorithm != "" && key.Algorithm != alg) {
			continue
		}
		if slices.Contains(Algorithms(key.Key), alg) && len(found) < maxCandidates {
			found = append(found, key)
		}
	}
	return found
}

// Algorithms are the signature algorithms that suit a public key; none when the key must not be used.
func Algorithms(key any) []string {
	if !strong(key) {
		return nil
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	case *ecdsa.PublicKey:
		switch k.Curve.Params().Name {
		case "P-256":
			return []string{"ES256"}
		case "P-384":
			return []string{"ES384"}
		case "P-521":
			return []string{"ES512"}
		}
	case ed25519.PublicKey:
		return []string{"EdDSA"}
	}
	return nil
}
