package oauth

import (
	"encoding/hex"
	"strings"

	"tokenserver/internal/secret"
)

// userCodeLetters are what user codes are made of: no vowels, so no words, and nothing that looks like something else
// (RFC 8628 §6.1). Eight of them are 34.6 bits.
const (
	userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength  = 8
)

// newUserCode makes a user code.
func newUserCode() string {
	code := make([]byte, 0, userCodeLength)
	for len(code) < userCodeLength {
		for _, b := range secret.Bytes(2 * userCodeLength) {
			// Only a multiple of 20 keeps every letter as likely as the others.
			if b < 240 && len(code) < userCodeLength {
				code = append(code, userCodeLetters[int(b)%len(userCodeLetters)])
			}
		}
	}
	return string(code)
}

// readUserCode returns a user code as it was made from what somebody typed: any case, with blanks, dashes or dots in
// between. ok is false when that cannot be one.
func readUserCode(typed string) (code string, ok bool) {
	const most = 64 // bytes that are looked at
	if len(typed) > most {
		return "", false
	}
	var b strings.Builder
	for _, r := range strings.ToUpper(typed) {
		switch {
		case r == ' ', r == '-', r == '.', r == '_', r == '\u00a0', r == '\u2010', r == '\u2011', r == '\u2013', r == '\u2014':
		case strings.ContainsRune(userCodeLetters, r):
			b.WriteRune(r)
		default:
			return "", false
		}
	}
	return b.String(), b.Len() == userCodeLength
}

// shownUserCode is a user code as a page shows it: XXXX-XXXX.
func shownUserCode(code string) string {
	return code[:userCodeLength/2] + "-" + code[userCodeLength/2:]
}

// userCodeHash is under what a user code is kept.
func userCodeHash(keys *secret.Keys, code string) string {
	return hex.EncodeToString(keys.MAC(secret.ForCode, "user code", code))
}

// deviceCodeHash is under what a device code is kept.
func deviceCodeHash(keys *secret.Keys, code string) []byte {
	return keys.MAC(secret.ForCode, "device code", code)
}
