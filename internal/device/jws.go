package device

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"tokenserver/internal/strictjson"
	"tokenserver/store"
)

// Type is the typ of a JWS. Each place accepts only its own.
type Type string

// The types.
const (
	EnrollType  Type = "ma-enroll+jwt"
	FetchType   Type = "ma-fetch+jwt"
	OTPType     Type = "ma-otp+jwt"
	AnswerType  Type = "ma-answer+jwt"
	MessageType Type = "ma-message+jwt" // server to device
)

const (
	// Skew is how far the clock of a device may be off, either way.
	Skew = 300 * time.Second

	maxJWS         = 32 << 10
	signatureBytes = 64
	memory         = 2*Skew + time.Second // a JWS is dead by its iat before its jti is forgotten
)

// Signed is a JWS whose shape has been checked. Nothing it says is to be believed before Verify.
type Signed struct {
	Type Type
	KID  string    // the enrollment; "" when the key itself is in the header
	Key  PublicKey // from the header; only when KID is ""

	text      string
	payload   []byte
	signature []byte
}

// ParseSigned checks the shape of a compact JWS. Errors: BadShape, BadKey.
func ParseSigned(text string) (Signed, error) {
	if len(text) > maxJWS {
		return Signed{}, fmt.Errorf("%w: too long", BadShape)
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return Signed{}, fmt.Errorf("%w: not three parts", BadShape)
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = strict().DecodeString(part); err != nil {
			return Signed{}, fmt.Errorf("%w: not base64url", BadShape)
		}
	}
	if len(raw[2]) != signatureBytes {
		return Signed{}, fmt.Errorf("%w: the signature is not 64 bytes", BadShape)
	}
	s := Signed{text: text, payload: raw[1], signature: raw[2]}
	header, err := strictjson.Object(raw[0])
	if err != nil {
		return Signed{}, fmt.Errorf("%w: header: %w", BadShape, err)
	}
	var alg, typ string
	if err := texts(header, map[string]*string{"alg": &alg, "typ": &typ, "kid": &s.KID}, "jwk"); err != nil {
		return Signed{}, fmt.Errorf("%w: header: %w", BadShape, err)
	}
	s.Type = Type(typ)
	jwk, embedded := header["jwk"]
	if alg != jwt.SigningMethodES256.Alg() || typ == "" || embedded == (s.KID != "") || !embedded && !identifier(s.KID) {
		return Signed{}, fmt.Errorf("%w: header", BadShape)
	}
	if embedded {
		if s.Key, err = ParsePublicKey(jwk); err != nil {
			return Signed{}, err
		}
	}
	return s, nil
}

// Hash is the SHA-256 of the JWS: what makes a repeat byte-identical.
func (s Signed) Hash() []byte {
	sum := sha256.Sum256([]byte(s.text))
	return sum[:]
}

// Verifier checks what devices sign. Every field is required.
type Verifier struct {
	Once   once
	Issuer string // the audience of every JWS of a device
	Now    func() time.Time
}

// once remembers a jti. Errors: store.ErrConflict for all but the first, together with the value of the first.
type once interface {
	ClaimOnce(ctx context.Context, scope, id, value string, until time.Time) (first string, err error)
}

// common is what every JWS of a device claims.
type common struct {
	Audience jwt.ClaimStrings `json:"aud"`
	IssuedAt *float64         `json:"iat"`
	ID       string           `json:"jti"`
}

// Verify checks signature, type, audience, time and single use, in this order, then reads the claims into claims.
// A byte-identical repeat passes: the caller decides what it means. Errors: a Refusal, or store.ErrUnavailable.
func (v *Verifier) Verify(ctx context.Context, s Signed, key PublicKey, typ Type, claims any) error {
	signed := s.text[:strings.LastIndexByte(s.text, '.')]
	if key.key == nil || jwt.SigningMethodES256.Verify(signed, s.signature, key.key) != nil {
		return BadSignature
	}
	if s.Type != typ {
		return BadType
	}
	if _, err := strictjson.Object(s.payload); err != nil {
		return fmt.Errorf("%w: %w", BadClaims, err)
	}
	var c common
	if err := json.Unmarshal(s.payload, &c); err != nil {
		return fmt.Errorf("%w: %w", BadClaims, err)
	}
	if len(c.Audience) != 1 || c.Audience[0] != v.Issuer {
		return BadAudience
	}
	now := v.Now()
	if c.IssuedAt == nil {
		return BadTime
	}
	if off := float64(now.UnixMilli())/1000 - *c.IssuedAt; off > Skew.Seconds() || off < -Skew.Seconds() {
		return BadTime
	}
	if err := uuid.Validate(c.ID); err != nil || len(c.ID) != 36 {
		return BadID
	}
	if err := v.firstUse(ctx, s, key, c.ID, now); err != nil {
		return err
	}
	if err := json.Unmarshal(s.payload, claims); err != nil {
		return fmt.Errorf("%w: %w", BadClaims, err)
	}
	return nil
}

func (v *Verifier) firstUse(ctx context.Context, s Signed, key PublicKey, id string, now time.Time) error {
	kid := s.KID
	if kid == "" {
		kid = key.Thumbprint()
	}
	hash := hex.EncodeToString(s.Hash())
	first, err := v.Once.ClaimOnce(ctx, "jti:"+kid, strings.ToLower(id), hash, now.Add(memory))
	switch {
	case err == nil, errors.Is(err, store.ErrConflict) && first == hash:
		return nil
	case errors.Is(err, store.ErrConflict):
		return Replayed
	}
	return fmt.Errorf("remember jti: %w", err)
}
