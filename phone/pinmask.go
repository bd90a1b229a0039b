package phone

import (
	"crypto/hkdf"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// Parameters of the PIN mask. They are part of what is stored, so a change needs a new info text.
const (
	maskIterations = 210000
	maskInfo       = "ma-pin-mask-v1"
	maskSaltBytes  = 16
	tokenBytes     = 32
	hardwareBytes  = 32
)

// Masked is a refresh token at rest. Nothing in it tells a right PIN from a wrong one: no checksum, no padding, no hash.
type Masked struct {
	Salt  string `json:"salt"`  // 16 random bytes, lower-case hex; new at every stored token
	Value string `json:"value"` // token xor mask, lower-case hex
}

// MaskToken hides a refresh token of 64 hex digits under the PIN and the hardware secret, with a fresh salt.
func MaskToken(token, pin string, hardware []byte) (*Masked, error) {
	salt := make([]byte, maskSaltBytes)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	return maskWith(token, pin, hardware, salt)
}

// maskWith is MaskToken with a given salt.
func maskWith(token, pin string, hardware, salt []byte) (*Masked, error) {
	raw, err := hex.DecodeString(token)
	if err != nil || len(raw) != tokenBytes {
		return nil, errors.New("mask token: not 64 hexadecimal digits")
	}
	mask, err := pinMask(pin, hardware, salt)
	if err != nil {
		return nil, err
	}
	subtle.XORBytes(raw, raw, mask)
	return &Masked{Salt: hex.EncodeToString(salt), Value: hex.EncodeToString(raw)}, nil
}

// Unmask returns 64 upper-case hex digits, for a right and for a wrong PIN alike.
func (m *Masked) Unmask(pin string, hardware []byte) (string, error) {
	salt, err := hex.DecodeString(m.Salt)
	if err != nil {
		return "", fmt.Errorf("unmask: salt: %w", err)
	}
	raw, err := hex.DecodeString(m.Value)
	if err != nil || len(raw) != tokenBytes {
		return "", errors.New("unmask: value is not 64 hexadecimal digits")
	}
	mask, err := pinMask(pin, hardware, salt)
	if err != nil {
		return "", err
	}
	subtle.XORBytes(raw, raw, mask)
	return strings.ToUpper(hex.EncodeToString(raw)), nil
}

// pinMask is HKDF-SHA256(ikm = PBKDF2-HMAC-SHA256(PIN, salt, 210000, 32), salt = hardware secret, info, 32).
func pinMask(pin string, hardware, salt []byte) ([]byte, error) {
	stretched, err := pbkdf2.Key(sha256.New, pin, salt, maskIterations, tokenBytes)
	if err != nil {
		return nil, fmt.Errorf("stretch pin: %w", err)
	}
	mask, err := hkdf.Key(sha256.New, stretched, hardware, maskInfo, tokenBytes)
	if err != nil {
		return nil, fmt.Errorf("derive mask: %w", err)
	}
	return mask, nil
}
