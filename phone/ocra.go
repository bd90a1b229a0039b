package phone

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6287 names HMAC-SHA1; only its published vectors use it here.
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// RegistrationSuite is the OCRA suite of registration and upgrade: the whole HMAC, a hexadecimal question, minutes.
const RegistrationSuite = "OCRA-1:HOTP-SHA256-0:QH64-T1M"

// questionBytes is the fixed length of the question field (RFC 6287 §5.1).
const questionBytes = 128

var (
	ocraSuite = regexp.MustCompile(`^OCRA-1:HOTP-(SHA1|SHA256|SHA512)-(0|4|5|6|7|8|9|10):Q([ANH])(\d{2})(?:-T(\d{1,2})([SMH]))?$`)
	hexDigits = regexp.MustCompile(`^[0-9a-fA-F]+$`)
)

// SignatureKey is the key K that both sides derive from one part of an application signature: SHA-256 over the trimmed text,
// or, when it is hexadecimal with or without colons, over its digits in lower case.
func SignatureKey(part string) []byte {
	text := strings.TrimSpace(part)
	if bare := strings.ReplaceAll(text, ":", ""); hexDigits.MatchString(bare) {
		text = strings.ToLower(bare)
	}
	sum := sha256.Sum256([]byte(text))
	return sum[:]
}

// BoundSecret is what an installation with tampering protection sends instead of its secret: a modified binary computes
// another key and another value. base64url without padding, 43 characters.
func BoundSecret(key []byte, clientSecret string) string {
	return base64.RawURLEncoding.EncodeToString(mac(sha256.New, key, []byte(clientSecret)))
}

// UpgradeKey proves possession of the old secret and of the new binary together: the OCRA key of an upgrade.
func UpgradeKey(newSignature, clientSecret string) []byte {
	old := sha256.Sum256([]byte("ts-upgrade-v1" + clientSecret))
	return mac(sha256.New, SignatureKey(newSignature), old[:])
}

// OCRA computes a response of RFC 6287 for suites with a question and, optionally, a time step.
// The result has as many decimal digits as the suite says; 0 digits means the whole HMAC as lower-case hex.
func OCRA(suite string, key []byte, question string, at time.Time) (string, error) {
	part := ocraSuite.FindStringSubmatch(suite)
	if part == nil {
		return "", errors.New("ocra: suite not supported")
	}
	q, err := questionField(part[3], question)
	if err != nil {
		return "", err
	}
	input := append([]byte(suite), 0)
	input = append(input, q...)
	if part[5] != "" {
		count, _ := strconv.Atoi(part[5])
		unit := map[string]time.Duration{"S": time.Second, "M": time.Minute, "H": time.Hour}[part[6]]
		if count == 0 {
			return "", errors.New("ocra: time step is zero")
		}
		steps := at.Unix() / int64((time.Duration(count) * unit).Seconds())
		input = binary.BigEndian.AppendUint64(input, uint64(steps))
	}
	hashes := map[string]func() hash.Hash{"SHA1": sha1.New, "SHA256": sha256.New, "SHA512": sha512.New}
	sum := mac(hashes[part[1]], key, input)
	digits, _ := strconv.Atoi(part[2])
	if digits == 0 {
		return hex.EncodeToString(sum), nil
	}
	return truncate(sum, digits), nil
}

// questionField pads a question on the right to 128 bytes (RFC 6287 §5.1 and its reference implementation).
func questionField(kind, question string) ([]byte, error) {
	digits := question
	switch kind {
	case "N":
		n, ok := new(big.Int).SetString(question, 10)
		if !ok || n.Sign() < 0 {
			return nil, errors.New("ocra: question is not decimal")
		}
		digits = n.Text(16)
	case "A":
		digits = hex.EncodeToString([]byte(question))
	}
	if len(digits) > 2*questionBytes {
		return nil, errors.New("ocra: question is too long")
	}
	field, err := hex.DecodeString(digits + strings.Repeat("0", 2*questionBytes-len(digits)))
	if err != nil {
		return nil, fmt.Errorf("ocra: question: %w", err)
	}
	return field, nil
}

// truncate is the dynamic truncation of RFC 4226 §5.3.
func truncate(sum []byte, digits int) string {
	offset := sum[len(sum)-1] & 0x0f
	value := uint64(binary.BigEndian.Uint32(sum[offset:]) & 0x7fffffff)
	modulus := uint64(1)
	for range digits {
		modulus *= 10
	}
	return fmt.Sprintf("%0*d", digits, value%modulus)
}

func mac(h func() hash.Hash, key, data []byte) []byte {
	m := hmac.New(h, key)
	m.Write(data)
	return m.Sum(nil)
}
