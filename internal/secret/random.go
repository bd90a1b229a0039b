package secret

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"strings"
)

const tokenBytes = 32

// NewToken returns 32 random bytes as 64 upper-case hex digits: client ids and secrets, access and refresh tokens.
// It has no prefix and no checksum, so that a PIN cannot be tested offline against a stolen, masked refresh token.
func NewToken() string { return strings.ToUpper(hex.EncodeToString(Bytes(tokenBytes))) }

// NewChallenge returns 32 random bytes in base64url without padding: 43 characters.
func NewChallenge() string { return base64.RawURLEncoding.EncodeToString(Bytes(tokenBytes)) }

// Bytes returns n random bytes.
func Bytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
