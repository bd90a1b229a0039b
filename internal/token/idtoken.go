package token

import (
	"context"
	"crypto"
	_ "crypto/sha256" // of the algorithms that end in 256
	_ "crypto/sha512" // of those that end in 384 and 512
	"encoding/base64"
	"fmt"
	"maps"
	"strings"
	"time"

	"tokenserver/store"
)

// idToken makes the ID token of a grant (OpenID Connect Core §2). Claims of the protocol win over those of the grant.
func (s *Service) idToken(ctx context.Context, g Grant, bearer string, now time.Time) (string, error) {
	claims := make(map[string]any, len(g.Claims)+12)
	maps.Copy(claims, g.Claims)
	claims["iss"] = s.Issuer
	claims["sub"] = g.UserID
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(g.IDTokenLife).Unix()
	if len(g.IDAudience) == 0 {
		claims["aud"] = g.ClientID
	} else {
		claims["aud"] = append([]string{g.ClientID}, g.IDAudience...)
		claims["azp"] = g.ClientID
	}
	if !g.AuthTime.IsZero() {
		claims["auth_time"] = g.AuthTime.Unix()
	}
	if g.Nonce != "" {
		claims["nonce"] = g.Nonce
	}
	if g.SessionID != "" {
		claims["sid"] = g.SessionID
	}
	if g.ACR != "" {
		claims["acr"] = g.ACR
	}
	if methods := methodsOf(g); len(methods) > 0 {
		claims["amr"] = methods
	}
	text, err := s.Ring.SignWith(ctx, typeIDToken, func(algorithm string) any {
		if bearer != "" {
			claims["at_hash"] = leftHalf(algorithm, bearer)
		}
		return claims
	})
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIDToken, err)
	}
	if g.Encryption == nil {
		return text, nil
	}
	return s.Encrypter.encrypt(ctx, g.Encryption, text)
}

// IDTokenAlone makes the ID token of a grant that has no access token (OpenID Connect Core §3.2). Errors: ErrIDToken.
func (s *Service) IDTokenAlone(ctx context.Context, g Grant) (string, error) {
	return s.idToken(ctx, g, "", s.Now())
}

// methodsOf are the methods of the sign-in, else what the kind of the token tells (RFC 8176 §2).
func methodsOf(g Grant) []string {
	switch {
	case len(g.AMR) > 0:
		return g.AMR
	case g.Kind == store.FingerprintToken:
		return []string{"fpt"}
	}
	return nil
}

// leftHalf is the left half of the hash of a text, with the hash of the signature's algorithm: at_hash of an access token
// (OpenID Connect Core §3.1.3.6).
func leftHalf(algorithm, text string) string {
	h := crypto.SHA256
	switch {
	case strings.HasSuffix(algorithm, "384"):
		h = crypto.SHA384
	case strings.HasSuffix(algorithm, "512"):
		h = crypto.SHA512
	}
	digest := h.New()
	digest.Write([]byte(text))
	sum := digest.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
