package token

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/store"
)

// longest is how many bytes of a presented access token are looked at.
const longest = 8 << 10

// Verify returns what an access token, opaque or JWT, stands for. One round trip to Redis. The record comes with
// store.ErrExpired and store.ErrRevoked as well. Whether the app version is still allowed is the caller's business.
// Errors: store.ErrNotFound, store.ErrExpired, store.ErrRevoked, store.ErrUnavailable.
func (s *Service) Verify(ctx context.Context, bearer string) (store.AccessToken, error) {
	id, err := s.idOf(ctx, bearer)
	if err != nil {
		return store.AccessToken{}, err
	}
	t, err := s.Access.AccessToken(ctx, id)
	if err != nil && !errors.Is(err, store.ErrExpired) {
		return t, fmt.Errorf("verify access token: %w", err)
	}
	if s.Revocations.Cover(&t) {
		return t, fmt.Errorf("verify access token: %w", store.ErrRevoked)
	}
	return t, err
}

// idOf returns the ID under which the token is kept. A JWT must carry our signature.
func (s *Service) idOf(ctx context.Context, bearer string) (string, error) {
	if bearer == "" || len(bearer) > longest {
		return "", fmt.Errorf("verify access token: %w", store.ErrNotFound)
	}
	if strings.Count(bearer, ".") != 2 {
		return s.accessID(bearer), nil
	}
	var claims jwt.RegisteredClaims
	if err := s.Ring.Verify(ctx, typeAccessToken, bearer, &claims); err != nil {
		if errors.Is(err, store.ErrUnavailable) {
			return "", err
		}
		return "", fmt.Errorf("verify access token: %w: %w", store.ErrNotFound, err)
	}
	if claims.Issuer != s.Issuer || claims.ID == "" {
		return "", fmt.Errorf("verify access token: %w", store.ErrNotFound)
	}
	return claims.ID, nil
}

// Use counts one use of a limited token and returns how many there were before. A token without a limit costs nothing.
// Errors: store.ErrRevoked when it was used up; it is buried then.
func (s *Service) Use(ctx context.Context, t store.AccessToken) (int, error) {
	if t.UsageLimit <= 0 {
		return 0, nil
	}
	before, err := s.Access.CountAccessTokenUse(ctx, t)
	if err != nil {
		return 0, fmt.Errorf("use access token: %w", err)
	}
	if before < t.UsageLimit {
		return before, nil
	}
	if err := s.Access.BuryAccessToken(ctx, t); err != nil {
		return before, fmt.Errorf("use access token: %w", err)
	}
	return before, fmt.Errorf("use access token: %w", store.ErrRevoked)
}
