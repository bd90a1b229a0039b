package phc

import (
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // what the other server used; HMAC-SHA-1 with many rounds is not broken
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"
)

// The functions.
const (
	pbkdf2SHA1 = "pbkdf2-sha1"
	argon2ID   = "argon2id"
	bcryptID   = "bcrypt"
)

// Bounds of what a hash may cost, and of its parts in bytes.
const (
	maxText          = 512
	minSalt, maxSalt = 8, 64
	minHash, maxHash = 16, 64
	maxRounds        = 2_000_000 // of PBKDF2, for one block of the hash
	maxPasses        = 16        // of Argon2
	maxMemory        = 256 << 10 // KiB
	maxWork          = 1 << 20   // KiB of Argon2, all passes together
	maxLanes         = 16
	minCost, maxCost = 4, 14 // of bcrypt
	bcryptSalt       = 16
	bcryptHash       = 23
)

// Hash is one PHC string that has been read.
type Hash struct {
	function   string
	iterations uint32 // rounds of PBKDF2, passes of Argon2, cost of bcrypt
	memory     uint32 // KiB, of Argon2
	lanes      uint32 // of Argon2
	salt, hash []byte
}

// Parse reads a PHC string of at most 512 bytes. Salt and hash are standard base64, padded or not; those of bcrypt are
// its 16 and 23 bytes, not its own alphabet. Parameters: i = rounds of pbkdf2-sha1; i (or t) = passes, m = KiB and
// p = lanes of argon2id, with or without v=19; c = cost of bcrypt.
// Errors say what is wrong without quoting the string.
func Parse(text string) (Hash, error) {
	if len(text) > maxText {
		return Hash{}, fmt.Errorf("is longer than %d bytes", maxText)
	}
	parts := strings.Split(text, "$")
	if len(parts) == 6 && parts[1] == argon2ID && parts[2] == "v=19" {
		parts = append(parts[:2], parts[3:]...)
	}
	if len(parts) != 5 || parts[0] != "" {
		return Hash{}, errors.New("want $id$parameters$salt$hash")
	}
	h := Hash{function: parts[1]}
	var names []string
	switch h.function {
	case pbkdf2SHA1:
		names = []string{"i"}
	case argon2ID:
		names = []string{"i", "m", "p"}
	case bcryptID:
		names = []string{"c"}
	default:
		return Hash{}, fmt.Errorf("the function is unknown: want %s, %s or %s", pbkdf2SHA1, argon2ID, bcryptID)
	}
	if err := h.parameters(parts[2], names); err != nil {
		return Hash{}, err
	}
	var err error
	if h.salt, err = decode("salt", parts[3], minSalt, maxSalt); err != nil {
		return Hash{}, err
	}
	if h.hash, err = decode("hash", parts[4], minHash, maxHash); err != nil {
		return Hash{}, err
	}
	return h, h.bounded()
}

// parameters reads name=number,… in any order; each name must be there once.
func (h *Hash) parameters(text string, names []string) error {
	values := map[string]uint32{}
	for part := range strings.SplitSeq(text, ",") {
		name, digits, _ := strings.Cut(part, "=")
		if name == "t" && h.function == argon2ID {
			name = "i"
		}
		n, err := strconv.ParseUint(digits, 10, 31)
		if _, again := values[name]; err != nil || again {
			return fmt.Errorf("the parameters are malformed: want %s=number", strings.Join(names, "=number,"))
		}
		values[name] = uint32(n)
	}
	for _, name := range names {
		if _, given := values[name]; !given || len(values) != len(names) {
			return fmt.Errorf("the parameters are malformed: want %s=number", strings.Join(names, "=number,"))
		}
	}
	h.iterations, h.memory, h.lanes = values["i"]+values["c"], values["m"], values["p"]
	return nil
}

func decode(what, text string, least, most int) ([]byte, error) {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	if err != nil || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("the %s is not base64", what)
	}
	if len(raw) < least || len(raw) > most {
		return nil, fmt.Errorf("the %s has %d bytes: want %d to %d", what, len(raw), least, most)
	}
	return raw, nil
}

// bounded refuses what would cost too much, or nothing.
func (h Hash) bounded() error {
	between := func(name string, value, least, most uint32) error {
		if value < least || value > most {
			return fmt.Errorf("parameter %s is %d: want %d to %d", name, value, least, most)
		}
		return nil
	}
	switch h.function {
	case pbkdf2SHA1:
		blocks := uint32((len(h.hash) + sha1.Size - 1) / sha1.Size)
		return between("i", h.iterations, 1, maxRounds/blocks)
	case argon2ID:
		if err := errors.Join(between("p", h.lanes, 1, maxLanes), between("m", h.memory, 8*max(h.lanes, 1), maxMemory)); err != nil {
			return err
		}
		return between("i", h.iterations, 1, min(maxPasses, maxWork/h.memory))
	case bcryptID:
		if len(h.salt) != bcryptSalt || len(h.hash) != bcryptHash {
			return fmt.Errorf("bcrypt has a salt of %d bytes and a hash of %d", bcryptSalt, bcryptHash)
		}
		return between("c", h.iterations, minCost, maxCost)
	}
	return nil
}

// Verify tells whether the hash was made of secret, in constant time. It may take about a second.
func (h Hash) Verify(secret string) bool {
	switch h.function {
	case pbkdf2SHA1:
		made, err := pbkdf2.Key(sha1.New, secret, h.salt, int(h.iterations), len(h.hash))
		return err == nil && subtle.ConstantTimeCompare(made, h.hash) == 1
	case argon2ID:
		made := argon2.IDKey([]byte(secret), h.salt, h.iterations, h.memory, uint8(h.lanes), uint32(len(h.hash)))
		return subtle.ConstantTimeCompare(made, h.hash) == 1
	case bcryptID:
		own := base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)
		text := fmt.Sprintf("$2a$%02d$%s%s", h.iterations, own.EncodeToString(h.salt), own.EncodeToString(h.hash))
		return bcrypt.CompareHashAndPassword([]byte(text), []byte(secret)) == nil
	}
	return false
}

// String writes the hash in its one canonical form.
func (h Hash) String() string {
	parameters := ""
	switch h.function {
	case pbkdf2SHA1:
		parameters = fmt.Sprintf("i=%d", h.iterations)
	case argon2ID:
		parameters = fmt.Sprintf("i=%d,m=%d,p=%d", h.iterations, h.memory, h.lanes)
	case bcryptID:
		parameters = fmt.Sprintf("c=%d", h.iterations)
	}
	encode := base64.RawStdEncoding.EncodeToString
	return "$" + h.function + "$" + parameters + "$" + encode(h.salt) + "$" + encode(h.hash)
}
