package oidc

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/settings"
)

const assertionLife = time.Minute

// assertion proves this server by the signing key that the provider's settings have (RFC 7523 §3). It is not the key of our own
// ID tokens, so that what we sign as somebody's client can never be taken for what we say as a provider. The audience is the
// provider's issuer; a plain OAuth server has no other name than its token URL. Errors: *Refusal.
func (c *Client) assertion(p Provider, m Metadata) (string, error) {
	audience := m.Issuer
	if audience == "" {
		audience = m.Token
	}
	now := c.Now()
	claims := jwt.MapClaims{
		"iss": p.ClientID, "sub": p.ClientID, "aud": audience, "jti": c.NewID(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	}
	key, method, id, err := signingKey(p.SigningKey)
	if err != nil {
		return "", refuseBecause("signing key unusable", err)
	}
	if p.SigningKeyID != "" {
		id = p.SigningKeyID
	}
	token := jwt.NewWithClaims(method, claims)
	token.Header["kid"] = id
	assertion, err := token.SignedString(key)
	if err != nil {
		return "", fmt.Errorf("sign client assertion: %w", err)
	}
	return assertion, nil
}

// signingKey reads a private key in PEM, RSA or elliptic. Its id is the thumbprint of the public half (RFC 7638).
func signingKey(text string) (key crypto.Signer, method jwt.SigningMethod, id string, err error) {
	if key, err = settings.ParsePrivateKey(text); err != nil {
		return nil, nil, "", fmt.Errorf("read signing key: %w", err)
	}
	switch key := key.(type) {
	case *rsa.PrivateKey:
		method = jwt.SigningMethodRS256
	case *ecdsa.PrivateKey:
		switch key.Curve {
		case elliptic.P256():
			method = jwt.SigningMethodES256
		case elliptic.P384():
			method = jwt.SigningMethodES384
		case elliptic.P521():
			method = jwt.SigningMethodES512
		}
	}
	if method == nil {
		return nil, nil, "", errors.New("neither RSA nor elliptic")
	}
	thumbprint, err := (&jose.JSONWebKey{Key: key.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, nil, "", fmt.Errorf("thumbprint: %w", err)
	}
	return key, method, base64.RawURLEncoding.EncodeToString(thumbprint), nil
}
