package token

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"tokenserver/internal/settings"
)

// Encryption says how the ID tokens of a client are encrypted (OpenID Connect Core §10.2).
type Encryption struct {
	JWKSURI string // where the client publishes its keys
	Method  string // one of settings.ContentEncryptions
}

// Encrypter encrypts ID tokens to keys that relying parties publish. Every field is required.
type Encrypter struct {
	Keys recipientKeys
}

// recipientKeys fetches the keys of relying parties; see remotejwks.Sets.
type recipientKeys interface {
	// ForEncryption returns the keys to which something may be encrypted and which suit, the best ones first.
	// Errors: remotejwks.ErrUnavailable, those of ctx.
	ForEncryption(ctx context.Context, uri string, suits func(jose.JSONWebKey) bool) ([]jose.JSONWebKey, error)
}

// EncryptionAlgorithms are the algorithms by which the content key of an ID token travels (RFC 7518 §4.1). RSA1_5 and
// RSA-OAEP with SHA-1 are not among them.
func EncryptionAlgorithms() []string {
	return []string{"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"}
}

// Why an ID token is not encrypted; for audit events.
const (
	keysUnreachable    = "jwks unreachable"
	algorithmUnknown   = "alg unsupported"
	methodUnknown      = "enc unsupported"
	noUsableKeyType    = "no usable key type"
	notSigned          = "no key"
	encryptionRejected = "encryption failed"
)

// idTokenError is an ErrIDToken that tells its reason.
type idTokenError struct {
	reason string
	cause  error
}

func (e *idTokenError) Error() string { return ErrIDToken.Error() + ": " + e.reason }

func (e *idTokenError) Unwrap() []error {
	if e.cause == nil {
		return []error{ErrIDToken}
	}
	return []error{ErrIDToken, e.cause}
}

// IDTokenReason tells why there is no ID token, for audit events; "" when err is no ErrIDToken.
func IDTokenReason(err error) string {
	var failed *idTokenError
	switch {
	case errors.As(err, &failed):
		return failed.reason
	case errors.Is(err, ErrIDToken):
		return notSigned
	}
	return ""
}

// Ready fetches what encrypting an ID token will need, if it is not there yet; nil = nothing. Call it before the
// transaction that issues tokens: a slow relying party would hold it open. What is wrong comes to light when the ID token
// is made.
func (s *Service) Ready(ctx context.Context, how *Encryption) {
	if how != nil {
		_, _, _ = s.Encrypter.recipient(ctx, how)
	}
}

// encrypt wraps a signed ID token in a JWE in compact form, to the key of the relying party. Errors: ErrIDToken.
func (e *Encrypter) encrypt(ctx context.Context, how *Encryption, signed string) (string, error) {
	if !slices.Contains(settings.ContentEncryptions(), how.Method) {
		return "", &idTokenError{reason: methodUnknown}
	}
	key, algorithm, err := e.recipient(ctx, how)
	if err != nil {
		return "", err
	}
	encrypter, err := jose.NewEncrypter(jose.ContentEncryption(how.Method),
		jose.Recipient{Algorithm: algorithm, Key: key.Key, KeyID: key.KeyID}, (&jose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		return "", &idTokenError{encryptionRejected, err}
	}
	sealed, err := encrypter.Encrypt([]byte(signed))
	if err != nil {
		return "", &idTokenError{encryptionRejected, err}
	}
	text, err := sealed.CompactSerialize()
	if err != nil {
		return "", &idTokenError{encryptionRejected, err}
	}
	return text, nil
}

// recipient chooses the key of a relying party, and the algorithm for it. Errors: ErrIDToken.
func (e *Encrypter) recipient(ctx context.Context, how *Encryption) (jose.JSONWebKey, jose.KeyAlgorithm, error) {
	reason := noUsableKeyType
	keys, err := e.Keys.ForEncryption(ctx, how.JWKSURI, func(key jose.JSONWebKey) bool {
		if len(algorithmsFor(key)) == 0 {
			return false
		}
		if algorithmOf(key) == "" {
			reason = algorithmUnknown
			return false
		}
		return true
	})
	switch {
	case err != nil:
		return jose.JSONWebKey{}, "", &idTokenError{keysUnreachable, fmt.Errorf("keys of the relying party: %w", err)}
	case len(keys) == 0:
		return jose.JSONWebKey{}, "", &idTokenError{reason: reason}
	}
	return keys[0], algorithmOf(keys[0]), nil
}

// algorithmsFor are the algorithms that suit the type of a key, the usual one first.
func algorithmsFor(key jose.JSONWebKey) []jose.KeyAlgorithm {
	switch key.Key.(type) {
	case *rsa.PublicKey:
		return []jose.KeyAlgorithm{jose.RSA_OAEP_256}
	case *ecdsa.PublicKey:
		return []jose.KeyAlgorithm{jose.ECDH_ES, jose.ECDH_ES_A128KW, jose.ECDH_ES_A192KW, jose.ECDH_ES_A256KW}
	}
	return nil
}

// algorithmOf is the one that a key asks for, else the usual one of its type; "" when it asks for one that we lack.
func algorithmOf(key jose.JSONWebKey) jose.KeyAlgorithm {
	fitting := algorithmsFor(key)
	switch {
	case len(fitting) == 0:
		return ""
	case key.Algorithm == "":
		return fitting[0]
	case slices.Contains(fitting, jose.KeyAlgorithm(key.Algorithm)):
		return jose.KeyAlgorithm(key.Algorithm)
	}
	return ""
}
