package device

import (
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"tokenserver/internal/strictjson"
)

const maxJWE = 48 << 10

// Encrypted is a JWE whose header has been checked.
type Encrypted struct {
	KID  string // the server key that it is for
	text string
}

// LooksEncrypted tells a compact JWE (five parts) from a compact JWS (three).
func LooksEncrypted(text string) bool { return strings.Count(text, ".") == 4 }

// ParseEncrypted checks the shape of a compact JWE: ECDH-ES, A256GCM, cty JWT, a kid, and no other header members, so
// neither compression nor party info. Errors: BadShape.
func ParseEncrypted(text string) (Encrypted, error) {
	if len(text) > maxJWE {
		return Encrypted{}, fmt.Errorf("%w: too long", BadShape)
	}
	encoded, _, _ := strings.Cut(text, ".")
	raw, err := strict().DecodeString(encoded)
	if err != nil || !LooksEncrypted(text) {
		return Encrypted{}, fmt.Errorf("%w: not a compact JWE", BadShape)
	}
	header, err := strictjson.Object(raw)
	if err != nil {
		return Encrypted{}, fmt.Errorf("%w: header: %w", BadShape, err)
	}
	e := Encrypted{text: text}
	var alg, enc, cty string
	if err := texts(header, map[string]*string{"alg": &alg, "enc": &enc, "cty": &cty, "kid": &e.KID}, "epk"); err != nil {
		return Encrypted{}, fmt.Errorf("%w: header: %w", BadShape, err)
	}
	if alg != string(jose.ECDH_ES) || enc != string(jose.A256GCM) || cty != "JWT" || !identifier(e.KID) {
		return Encrypted{}, fmt.Errorf("%w: header", BadShape)
	}
	if _, err := ParsePublicKey(header["epk"]); err != nil {
		return Encrypted{}, fmt.Errorf("%w: epk: %w", BadShape, err)
	}
	return e, nil
}

// open decrypts with a private key of ours. Errors: Undecryptable.
func (e Encrypted) open(private any) (string, error) {
	parsed, err := jose.ParseEncryptedCompact(e.text, []jose.KeyAlgorithm{jose.ECDH_ES}, []jose.ContentEncryption{jose.A256GCM})
	if err != nil {
		return "", fmt.Errorf("%w: %w", Undecryptable, err)
	}
	plain, err := parsed.Decrypt(private)
	if err != nil {
		return "", fmt.Errorf("%w: %w", Undecryptable, err)
	}
	return string(plain), nil
}

// Encrypt wraps a JWS for the holder of a key.
func Encrypt(to PublicKey, signed string) (string, error) {
	encrypter, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.ECDH_ES, Key: to.key, KeyID: to.KID},
		(&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		return "", fmt.Errorf("encrypt message: %w", err)
	}
	sealed, err := encrypter.Encrypt([]byte(signed))
	if err != nil {
		return "", fmt.Errorf("encrypt message: %w", err)
	}
	text, err := sealed.CompactSerialize()
	if err != nil {
		return "", fmt.Errorf("encrypt message: %w", err)
	}
	return text, nil
}
