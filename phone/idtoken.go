package phone

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// clockLeeway is how far the clocks of phone and server may differ when a signed message is checked.
const clockLeeway = 300 * time.Second

// checkIDToken verifies signature, issuer, audience, time and nonce of an ID token (OpenID Connect Core §3.1.3.7). nonce
// "" is that of an ID token which no authorization request asked for: it must have none.
func (p *Phone) checkIDToken(ctx context.Context, token, nonce string) error {
	s := p.snapshot()
	response, err := p.send(ctx, s.App, Request{Method: http.MethodGet, Path: "/v1/keys"})
	if err != nil {
		return fmt.Errorf("id token: %w", err)
	}
	var keys jose.JSONWebKeySet
	if err := response.decode(familyToken, &keys); err != nil {
		return fmt.Errorf("id token: keys: %w", err)
	}
	claims := jwt.MapClaims{}
	parser := jwt.NewParser(
		jwt.WithValidMethods([]string{"ES256", "ES384", "ES512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
		jwt.WithIssuer(s.Issuer), jwt.WithAudience(s.ClientID), jwt.WithExpirationRequired(),
		jwt.WithTimeFunc(p.options.Now), jwt.WithLeeway(clockLeeway))
	_, err = parser.ParseWithClaims(token, claims, func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		found := keys.Key(kid)
		if len(found) != 1 {
			return nil, errors.New("unknown key")
		}
		return found[0].Key, nil
	})
	if err != nil {
		return fmt.Errorf("id token: %w", err)
	}
	if got, given := claims["nonce"]; given != (nonce != "") || given && got != nonce {
		return errors.New("id token: another nonce")
	}
	return nil
}
