package clientauth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/remotejwks"
	"tokenserver/store"
)

const (
	longestAssertion = 8 << 10
	farthestEnd      = time.Hour // exp may lie at most that far ahead
	leewayDevice     = time.Minute
	leewayMachine    = 10 * time.Second
	longestID        = 255 // bytes of a jti
)

// assertionClaims are the claims of a client assertion (RFC 7523 §3). aud is exactly one string: the issuer.
type assertionClaims struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	ID        string   `json:"jti"`
	ExpiresAt *float64 `json:"exp"`
	IssuedAt  *float64 `json:"iat"`
	NotBefore *float64 `json:"nbf"`
}

// The methods of jwt.Claims. Time is checked here, not by the library: the rules differ.

func (c *assertionClaims) GetExpirationTime() (*jwt.NumericDate, error) { return nil, nil } //nolint:nilnil // see above
func (c *assertionClaims) GetIssuedAt() (*jwt.NumericDate, error)       { return nil, nil } //nolint:nilnil // see above
func (c *assertionClaims) GetNotBefore() (*jwt.NumericDate, error)      { return nil, nil } //nolint:nilnil // see above
func (c *assertionClaims) GetIssuer() (string, error)                   { return c.Issuer, nil }
func (c *assertionClaims) GetSubject() (string, error)                  { return c.Subject, nil }
func (c *assertionClaims) GetAudience() (jwt.ClaimStrings, error) {
	return jwt.ClaimStrings{c.Audience}, nil
}

// claimedClient reads which client an assertion speaks for, before anything about it is believed; "" when it cannot be
// read.
func claimedClient(assertion string) string {
	if len(assertion) > longestAssertion {
		return ""
	}
	_, rest, _ := strings.Cut(assertion, ".")
	payload, _, _ := strings.Cut(rest, ".")
	body, err := base64.RawURLEncoding.Strict().DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		return ""
	}
	return claims.Subject
}

// checkAssertion checks the assertion of a web or API client against the keys that it publishes, or else against its PEM
// public key. The algorithm must suit the key.
func (s *Service) checkAssertion(ctx context.Context, client machine, assertion string) (Reason, error) {
	if client.jwksURI == "" {
		key, err := s.publicKey(client.publicKey)
		if err != nil {
			return AssertionInvalid, nil //nolint:nilerr // no usable key: nothing can be proved
		}
		methods := remotejwks.Algorithms(key)
		if len(methods) == 0 {
			return AssertionInvalid, nil
		}
		return s.check(ctx, client.id, assertion, methods, func(*jwt.Token) (any, error) { return key, nil }, leewayMachine)
	}
	alg, kid := signedWith(assertion)
	if alg == "" {
		return AssertionInvalid, nil
	}
	found, err := s.KeySets.Candidates(ctx, client.jwksURI, kid, alg)
	switch {
	case errors.Is(err, remotejwks.ErrUnavailable):
		return KeysUnavailable, nil
	case err != nil:
		return "", fmt.Errorf("authenticate client: %w: %w", store.ErrUnavailable, err)
	case len(found) == 0:
		return AssertionInvalid, nil
	}
	var keys jwt.VerificationKeySet
	for i := range found {
		keys.Keys = append(keys.Keys, found[i].Key)
	}
	return s.check(ctx, client.id, assertion, []string{alg}, func(*jwt.Token) (any, error) { return keys, nil }, leewayMachine)
}

// signedWith reads how an assertion says that it is signed, before anything about it is believed; "" when it names no
// algorithm that could be good.
func signedWith(assertion string) (alg, kid string) {
	if len(assertion) > longestAssertion {
		return "", ""
	}
	encoded, _, _ := strings.Cut(assertion, ".")
	text, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return "", ""
	}
	var header struct {
		Algorithm string `json:"alg"`
		KeyID     string `json:"kid"`
	}
	if err := json.Unmarshal(text, &header); err != nil || !slices.Contains(Algorithms(), header.Algorithm) {
		return "", ""
	}
	return header.Algorithm, header.KeyID
}

// Algorithms are the signature algorithms of the assertions of web and API clients.
func Algorithms() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}
}

// checkDeviceAssertion checks the assertion of an app installation against its registered key: ES256, kid required.
func (s *Service) checkDeviceAssertion(ctx context.Context, i *store.Installation, assertion string) (Reason, error) {
	key, err := deviceKey(i.PublicJWK)
	if err != nil {
		return "", fmt.Errorf("key of installation: %w", err)
	}
	return s.check(ctx, i.ClientID, assertion, []string{"ES256"}, func(t *jwt.Token) (any, error) {
		if id, _ := t.Header["kid"].(string); id != i.KeyID {
			return nil, errors.New("kid is not the registered key")
		}
		return key, nil
	}, leewayDevice)
}

// check verifies signature and claims and claims the jti. Keys inside the assertion (jwk, jku, x5u, x5c) are never used.
func (s *Service) check(ctx context.Context, clientID, assertion string, methods []string, key jwt.Keyfunc, leeway time.Duration) (Reason, error) {
	if len(assertion) > longestAssertion || strings.ContainsAny(assertion, "\r\n") { // the decoder would skip line ends
		return AssertionInvalid, nil
	}
	var claims assertionClaims
	parser := jwt.NewParser(jwt.WithValidMethods(methods), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding())
	parsed, err := parser.ParseWithClaims(assertion, &claims, key)
	if err != nil {
		return AssertionInvalid, nil //nolint:nilerr // the reason for the caller; nothing of it is ours
	}
	if _, critical := parsed.Header["crit"]; critical {
		return AssertionInvalid, nil
	}
	if claims.Issuer != clientID || claims.Subject != clientID || claims.Audience != s.Issuer ||
		claims.ID == "" || len(claims.ID) > longestID || claims.ExpiresAt == nil {
		return AssertionInvalid, nil
	}
	now := s.Now()
	ends := seconds(*claims.ExpiresAt)
	switch {
	case !now.Before(ends.Add(leeway)):
		return AssertionExpired, nil
	case ends.Sub(now) > farthestEnd+leeway, ahead(claims.IssuedAt, now, leeway), ahead(claims.NotBefore, now, leeway):
		return AssertionInvalid, nil
	}
	sum := sha256.Sum256([]byte(claims.ID))
	_, err = s.Once.ClaimOnce(ctx, "jti:"+clientID, hex.EncodeToString(sum[:]), "", ends.Add(leeway))
	switch {
	case errors.Is(err, store.ErrConflict):
		return AssertionReplayed, nil
	case err != nil:
		return "", fmt.Errorf("authenticate client: %w", err)
	}
	return "", nil
}

// seconds is a NumericDate (RFC 7519 §2); what cannot be a time is long ago.
func seconds(at float64) time.Time {
	if !(at > 0 && at < 1<<40) {
		return time.Time{}
	}
	return time.UnixMilli(int64(at * 1000))
}

func ahead(at *float64, now time.Time, leeway time.Duration) bool {
	return at != nil && (*at >= 1<<40 || seconds(*at).After(now.Add(leeway)))
}

// publicKey parses the PEM of a public key or certificate; what was parsed once is remembered.
func (s *Service) publicKey(text string) (crypto.PublicKey, error) {
	if key, ok := s.pems.Load(text); ok {
		return key, nil
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("public key is not PEM")
	}
	var key crypto.PublicKey
	var err error
	if block.Type == "CERTIFICATE" {
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	} else {
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	}
	if err != nil {
		return nil, fmt.Errorf("parse public key: %w", err)
	}
	s.pems.Store(text, key)
	return key, nil
}

// deviceKey decodes the P-256 public JWK of an installation.
func deviceKey(text []byte) (*ecdsa.PublicKey, error) {
	var key struct {
		Type  string `json:"kty"`
		Curve string `json:"crv"`
		X     string `json:"x"`
		Y     string `json:"y"`
	}
	if err := json.Unmarshal(text, &key); err != nil {
		return nil, fmt.Errorf("decode JWK: %w", err)
	}
	x, errX := base64.RawURLEncoding.DecodeString(key.X)
	y, errY := base64.RawURLEncoding.DecodeString(key.Y)
	if key.Type != "EC" || key.Curve != "P-256" || errX != nil || errY != nil || len(x) != 32 || len(y) != 32 {
		return nil, errors.New("JWK is not a P-256 public key")
	}
	return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), slices.Concat([]byte{4}, x, y))
}
