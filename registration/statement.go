package registration

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/appgate"
	"tokenserver/internal/web"
	"tokenserver/store"
)

const (
	statementType     = "client-statement+jwt"
	maxStatement      = 16 << 10
	maxStatementLife  = 10 * time.Minute
	coordinateBytes   = 32
	minJTI, maxJTI    = 22, 128 // 16 random bytes in base64url are 22 characters
	uncompressedPoint = 4
)

// statement is a client statement whose signature has been verified with the key inside it.
type statement struct {
	claims statementClaims
	key    clientKey
}

// statementClaims is the payload. Members that are not named here are refused.
type statementClaims struct {
	Issuer       string          `json:"iss"`
	Subject      string          `json:"sub"`
	Audience     string          `json:"aud"`
	IssuedAt     int64           `json:"iat"`
	ExpiresAt    int64           `json:"exp"`
	ID           string          `json:"jti"`
	Identifier   string          `json:"identifier"`
	Challenge    string          `json:"challenge"`
	App          statementApp    `json:"app"`
	Device       statementDevice `json:"device"`
	AppSignature string          `json:"app_signature"`
	Security     []string        `json:"security_state"`
}

type statementApp struct {
	Identifier string `json:"identifier"`
	Platform   string `json:"platform"`
	Version    string `json:"version"`
}

type statementDevice struct {
	OSVersion  string `json:"os_version"`
	Model      string `json:"model"`
	SDKVersion string `json:"sdk_version"`
}

type statementHeader struct {
	Algorithm string          `json:"alg"`
	Type      string          `json:"typ"`
	JWK       json.RawMessage `json:"jwk"`
}

// clientKey is the public key of an installation.
type clientKey struct {
	public     *ecdsa.PublicKey
	jwk        []byte // canonical JSON, as RFC 7638 hashes it
	thumbprint string // RFC 7638, SHA-256, base64url
}

// statementError says which part of a statement does not do.
type statementError struct {
	part string // header member, claim, or "format", "signature"
	time bool   // only the time is wrong
}

// Error prints the part for the server log.
func (e *statementError) Error() string { return "client statement: " + e.part }

// parseStatement verifies the signature under the key in the header: ES256 alone, a public P-256 point on the curve.
// Errors: *statementError.
func parseStatement(text string) (statement, error) {
	var s statement
	if len(text) > maxStatement {
		return s, &statementError{part: "format"}
	}
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return s, &statementError{part: "format"}
	}
	var header statementHeader
	if decodeSegment(parts[0], &header) != nil {
		return s, &statementError{part: "header"}
	}
	switch {
	case header.Algorithm != jwt.SigningMethodES256.Alg():
		return s, &statementError{part: "alg"}
	case header.Type != statementType:
		return s, &statementError{part: "typ"}
	}
	var err error
	if s.key, err = parseClientKey(header.JWK); err != nil {
		return s, &statementError{part: "jwk"}
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodES256.Alg()}), jwt.WithStrictDecoding(), jwt.WithoutClaimsValidation())
	if _, err := parser.Parse(text, func(*jwt.Token) (any, error) { return s.key.public, nil }); err != nil {
		if errors.Is(err, jwt.ErrTokenMalformed) {
			return s, &statementError{part: "format"}
		}
		return s, &statementError{part: "signature"}
	}
	if decodeSegment(parts[1], &s.claims) != nil {
		return s, &statementError{part: "claims"}
	}
	return s, nil
}

// decodeSegment reads one part of a compact JWS: one JSON object without repeated or unknown members.
func decodeSegment(segment string, target any) error {
	text, err := base64.RawURLEncoding.Strict().DecodeString(segment)
	if err != nil {
		return err
	}
	return web.DecodeJSON(text, target)
}

// parseClientKey reads a public P-256 JWK. A private member is refused like any other that does not belong there.
func parseClientKey(text []byte) (clientKey, error) {
	var jwk struct {
		Type      string `json:"kty"`
		Curve     string `json:"crv"`
		X         string `json:"x"`
		Y         string `json:"y"`
		Use       string `json:"use"`
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	if err := web.DecodeJSON(text, &jwk); err != nil {
		return clientKey{}, err
	}
	if jwk.Type != "EC" || jwk.Curve != "P-256" || jwk.Use != "" && jwk.Use != "sig" || jwk.Algorithm != "" && jwk.Algorithm != "ES256" {
		return clientKey{}, errors.New("not a P-256 key for signatures")
	}
	point := []byte{uncompressedPoint}
	for _, coordinate := range []string{jwk.X, jwk.Y} {
		b, err := base64.RawURLEncoding.Strict().DecodeString(coordinate)
		if err != nil || len(b) != coordinateBytes {
			return clientKey{}, errors.New("malformed coordinate")
		}
		point = append(point, b...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point) // on the curve, not at infinity
	if err != nil {
		return clientKey{}, err
	}
	canonical := []byte(`{"crv":"P-256","kty":"EC","x":"` + jwk.X + `","y":"` + jwk.Y + `"}`)
	sum := sha256.Sum256(canonical)
	return clientKey{public, canonical, base64.RawURLEncoding.EncodeToString(sum[:])}, nil
}

// check compares the claims with what the server knows. The time comes last: "only the time is wrong" is an answer of
// its own. Errors: *statementError; parts app, device and security_state contradict the headers.
func (s statement) check(app appgate.App, challenge store.RegistrationChallenge, audience string, now time.Time) error {
	c := s.claims
	security := appgate.ParseSecurityState(c.Security)
	for _, claim := range []struct {
		part string
		ok   bool
	}{
		{"app", c.App == statementApp{app.Application, app.Platform, app.Version}},
		{"device", c.Device.OSVersion == app.OSVersion && appgate.CleanText(c.Device.Model) == app.Model && c.Device.SDKVersion == app.SDKVersion},
		{"security_state", security == app.Security},
		{"iss", c.Issuer == app.Application},
		{"sub", c.Subject == s.key.thumbprint},
		{"aud", c.Audience == audience},
		{"identifier", c.Identifier == challenge.Identifier},
		{"challenge", c.Challenge == challenge.Challenge},
		{"jti", len(c.ID) >= minJTI && len(c.ID) <= maxJTI},
		{"exp", c.ExpiresAt > c.IssuedAt && c.ExpiresAt-c.IssuedAt <= int64(maxStatementLife/time.Second)},
	} {
		if !claim.ok {
			return &statementError{part: claim.part}
		}
	}
	tolerance := int64(clockTolerance / time.Second)
	switch {
	case c.IssuedAt > now.Unix()+tolerance:
		return &statementError{part: "iat", time: true}
	case c.ExpiresAt < now.Unix()-tolerance:
		return &statementError{part: "exp", time: true}
	}
	return nil
}

// usableUntil is when the statement would no longer be accepted: so long its jti is remembered.
func (s statement) usableUntil() time.Time {
	return time.Unix(s.claims.ExpiresAt, 0).Add(clockTolerance + time.Second)
}
