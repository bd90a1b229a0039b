package appgate

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"regexp"
	"strings"
)

// SignatureKey is the key that one part of a configured application signature stands for.
type SignatureKey struct {
	Entry int // index of the entry in the configuration that the part belongs to
	Key   []byte
}

var hexDigits = regexp.MustCompile(`^[0-9A-Fa-f]+$`)

// KeyOfSignature is K: SHA-256 over the trimmed part, or, when it is hexadecimal with or without colons, over its
// digits in lower case.
func KeyOfSignature(part string) []byte {
	text := strings.TrimSpace(part)
	if bare := strings.ReplaceAll(text, ":", ""); hexDigits.MatchString(bare) {
		text = strings.ToLower(bare)
	}
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// SignatureKeys returns the key of each part of each entry; parts are separated by "|".
func SignatureKeys(signatures []string) []SignatureKey {
	var keys []SignatureKey
	for entry, signature := range signatures {
		for part := range strings.SplitSeq(signature, "|") {
			if strings.TrimSpace(part) != "" {
				keys = append(keys, SignatureKey{entry, KeyOfSignature(part)})
			}
		}
	}
	return keys
}

// SignatureMatches tells whether what an app computed about itself equals any part of any configured entry, and which
// entry that is.
func SignatureMatches(signatures []string, presented string) (entry int, ok bool) {
	k := KeyOfSignature(presented)
	for _, key := range SignatureKeys(signatures) {
		if subtle.ConstantTimeCompare(k, key.Key) == 1 && !ok {
			entry, ok = key.Entry, true
		}
	}
	return entry, ok
}

// BoundSecret is what an installation with tampering protection sends instead of its secret: a modified binary computes
// another key and thereby another value. 43 characters of base64url.
func BoundSecret(key []byte, clientSecret string) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write([]byte(clientSecret)) // a hash never fails
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}
