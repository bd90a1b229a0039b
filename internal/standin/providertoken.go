package standin

import (
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	// providerTokenLife is how old a provider token may be.
	providerTokenLife = time.Hour
	// providerTokenPause is how long a provider must keep a token before it sends another one.
	providerTokenPause = 20 * time.Minute
	// providerClockSkew is how far ahead the clock of the provider may be.
	providerClockSkew = time.Minute
)

// connectionKey finds the providerTokens of a connection in its context.
type connectionKey struct{}

// providerTokens remembers, for one connection, the token in use of each key and since when.
type providerTokens struct {
	mu   sync.Mutex
	used map[string]usedToken
}

type usedToken struct {
	text  string
	since time.Time
}

// renewed says whether a token replaces another one of the same key too early.
func (t *providerTokens) renewed(keyID, text string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.used == nil {
		t.used = make(map[string]usedToken)
	}
	last, known := t.used[keyID]
	if known && last.text == text {
		return false
	}
	if known && now.Sub(last.since) < providerTokenPause {
		return true
	}
	t.used[keyID] = usedToken{text: text, since: now}
	return false
}

// authenticate verifies the provider token: ES256, a known key, its team, at most an hour old, and not renewed too often.
func (a *APNs) authenticate(r *http.Request) *apnsRefusal {
	scheme, text, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") || text == "" {
		return refuse(http.StatusForbidden, "MissingProviderToken")
	}
	var keyID string
	claims := jwt.RegisteredClaims{}
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithoutClaimsValidation()).ParseWithClaims(text, &claims,
		func(t *jwt.Token) (any, error) {
			keyID, _ = t.Header["kid"].(string)
			a.mu.Lock()
			defer a.mu.Unlock()
			key, known := a.keys[keyID]
			if !known || claims.Issuer != key.teamID {
				return nil, errors.New("unknown key or team")
			}
			return key.public, nil
		})
	now := a.now()
	switch {
	case err != nil, claims.IssuedAt == nil, claims.IssuedAt.After(now.Add(providerClockSkew)):
		return refuse(http.StatusForbidden, "InvalidProviderToken")
	case now.Sub(claims.IssuedAt.Time) > providerTokenLife:
		return refuse(http.StatusForbidden, "ExpiredProviderToken")
	}
	if tokens, ok := r.Context().Value(connectionKey{}).(*providerTokens); ok && tokens.renewed(keyID, text, now) {
		return refuse(http.StatusTooManyRequests, "TooManyProviderTokenUpdates")
	}
	return nil
}
