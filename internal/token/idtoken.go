package token

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"time"
)

// idToken makes the ID token of a grant (OpenID Connect Core §2). Claims of the protocol win over those of the grant.
func (s *Service) idToken(ctx context.Context, g Grant, bearer string, now time.Time) (string, error) {
	claims := make(map[string]any, len(g.Claims)+12)
	maps.Copy(claims, g.Claims)
	claims["iss"] = s.Issuer
	claims["sub"] = g.UserID
	claims["iat"] = now.Unix()
	claims["exp"] = now.Add(g.IDTokenLife).Unix()
	claims["at_hash"] = atHash(bearer)
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
	if len(g.AMR) > 0 {
		claims["amr"] = g.AMR
	}
	text, err := s.Ring.Sign(ctx, typeIDToken, claims)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIDToken, err)
	}
	return text, nil
}

// atHash is the left half of SHA-256 of the access token: both algorithms of the ring hash with it.
func atHash(bearer string) string {
	sum := sha256.Sum256([]byte(bearer))
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}
