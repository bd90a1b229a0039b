package oauth

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// The lengths of a code verifier (RFC 7636 §4.1).
const (
	shortestVerifier = 43
	longestVerifier  = 128
)

// goodChallenge tells whether s is an S256 challenge: 43 characters of base64url (RFC 7636 §4.2).
func goodChallenge(s string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	return err == nil && len(raw) == sha256.Size
}

// goodVerifier tells whether s has the form of a code verifier.
func goodVerifier(s string) bool {
	if len(s) < shortestVerifier || len(s) > longestVerifier {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '.' && c != '_' && c != '~' {
			return false
		}
	}
	return true
}

// plainChallenge is the method of a challenge that is the verifier itself; the other one is S256.
const plainChallenge = "plain"

// verifies compares a verifier with a challenge in constant time.
func verifies(verifier, challenge, method string) bool {
	if method == plainChallenge {
		return subtle.ConstantTimeCompare([]byte(verifier), []byte(challenge)) == 1
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}
