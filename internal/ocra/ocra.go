package ocra

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // RFC 6287 names HMAC-SHA-1, which is not broken; suites choose
	"crypto/sha256"
	"crypto/sha512"
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

// Registration is the suite of app registration: the whole HMAC-SHA-256 (digits 0), a hexadecimal question of 64
// digits, steps of one minute.
const Registration = "OCRA-1:HOTP-SHA256-0:QH64-T1M"

// questionSize is the length of the question field in bytes (RFC 6287 §5.1).
const questionSize = 128

// ErrSuite is returned for a suite that is malformed or not supported, ErrQuestion for a question that does not fit.
var (
	ErrSuite    = errors.New("ocra: suite not supported")
	ErrQuestion = errors.New("ocra: question does not fit the suite")
)

// Suite is a parsed OCRA suite. The zero value is not usable.
type Suite struct {
	text   string
	hash   func() hash.Hash
	digits int  // 0 = the whole HMAC in hexadecimal
	kind   byte // of the question: A, N or H
	most   int  // characters of the question
	step   time.Duration
}

var form = regexp.MustCompile(`^OCRA-1:HOTP-(SHA1|SHA256|SHA512)-(0|[4-9]|10):Q([ANH])(0[4-9]|[1-5][0-9]|6[0-4])(?:-T([1-9]|[1-5][0-9])([SMH]))?$`)

// Parse reads a suite. Errors: ErrSuite.
func Parse(text string) (Suite, error) {
	part := form.FindStringSubmatch(text)
	if part == nil {
		return Suite{}, ErrSuite
	}
	s := Suite{text: text, kind: part[3][0]}
	switch part[1] {
	case "SHA1":
		s.hash = sha1.New
	case "SHA256":
		s.hash = sha256.New
	case "SHA512":
		s.hash = sha512.New
	}
	var err error
	if s.digits, err = strconv.Atoi(part[2]); err != nil {
		return Suite{}, ErrSuite
	}
	if s.most, err = strconv.Atoi(part[4]); err != nil {
		return Suite{}, ErrSuite
	}
	if part[5] != "" {
		count, err := strconv.Atoi(part[5])
		if err != nil {
			return Suite{}, ErrSuite
		}
		unit := time.Second
		switch part[6] {
		case "M":
			unit = time.Minute
		case "H":
			unit = time.Hour
		}
		s.step = time.Duration(count) * unit
	}
	return s, nil
}

// Step is the time step; 0 when the suite has none.
func (s Suite) Step() time.Duration { return s.step }

// StepAt returns the number of whole steps between 1970 and a moment.
func (s Suite) StepAt(at time.Time) int64 {
	if s.step == 0 {
		return 0
	}
	return at.Unix() / int64(s.step/time.Second)
}

// Response computes the response to a question in a time step: lower-case hexadecimal for the whole HMAC, else
// decimal digits. Errors: ErrQuestion.
func (s Suite) Response(key []byte, question string, step int64) (string, error) {
	field, err := s.question(question)
	if err != nil {
		return "", err
	}
	mac := hmac.New(s.hash, key)
	_, _ = mac.Write([]byte(s.text)) // a hash never fails
	_, _ = mac.Write([]byte{0})
	_, _ = mac.Write(field[:])
	if s.step > 0 {
		_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	}
	sum := mac.Sum(nil)
	if s.digits == 0 {
		return hex.EncodeToString(sum), nil
	}
	return truncate(sum, s.digits), nil
}

// question pads a question on the right to the size of its field (RFC 6287 §5.1).
func (s Suite) question(text string) ([questionSize]byte, error) {
	var field [questionSize]byte
	if len(text) > s.most {
		return field, ErrQuestion
	}
	digits := text
	switch s.kind {
	case 'N':
		number, ok := new(big.Int).SetString(text, 10)
		if !ok || number.Sign() < 0 {
			return field, ErrQuestion
		}
		digits = number.Text(16)
	case 'A':
		digits = hex.EncodeToString([]byte(text))
	}
	if len(digits)%2 == 1 {
		digits += "0"
	}
	if _, err := hex.Decode(field[:], []byte(digits)); err != nil {
		return field, ErrQuestion
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
	text := fmt.Sprint(value % modulus)
	return strings.Repeat("0", digits-len(text)) + text
}
