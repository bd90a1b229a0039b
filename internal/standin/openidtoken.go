package standin

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

const openIDTokenLife = 5 * time.Minute

// token redeems a code once (RFC 6749 §4.1.3, RFC 7636 §4.6).
func (p *OpenID) token(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.ParseForm() != nil || r.URL.RawQuery != "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	client, err := p.authenticate(r)
	if err != nil {
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_client", "error_description": err.Error()})
		return
	}
	code := r.PostForm.Get("code")
	p.mu.Lock()
	grant, found := p.grants[code]
	delete(p.grants, code)
	lies := p.lies
	p.mu.Unlock()
	challenge := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
	switch {
	case r.PostForm.Get("grant_type") != "authorization_code":
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type"})
		return
	case !found, grant.client != client.ID, grant.redirectURI != r.PostForm.Get("redirect_uri"),
		grant.challenge != base64.RawURLEncoding.EncodeToString(challenge[:]):
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_grant"})
		return
	}
	access := rand.Text()
	answer := map[string]any{"access_token": access, "token_type": "Bearer", "expires_in": int(openIDTokenLife / time.Second)}
	p.mu.Lock()
	p.tokens[access] = grant.person
	p.mu.Unlock()
	if grant.openID {
		if answer["id_token"], err = p.idToken(grant, access, lies); err != nil {
			writeJSON(w, http.StatusInternalServerError, map[string]any{"error": "server_error", "error_description": err.Error()})
			return
		}
	}
	if lies.Tokens != nil {
		lies.Tokens(answer)
	}
	writeJSON(w, http.StatusOK, answer)
}

// idToken signs who the user is (OpenID Connect Core §2).
func (p *OpenID) idToken(grant openIDGrant, access string, lies OpenIDLies) (string, error) {
	now := p.now()
	algorithm := lies.Algorithm
	if algorithm == "" {
		algorithm = "ES256"
	}
	claims := map[string]any{
		"iss": p.Issuer(), "aud": grant.client, "iat": now.Unix(), "exp": now.Add(openIDTokenLife).Unix(), "auth_time": now.Unix(),
		"at_hash": leftHalf(algorithm, access), "sid": "session of " + fmt.Sprint(grant.person["sub"]),
	}
	for name, value := range map[string]string{"nonce": grant.nonce, "acr": grant.acr} {
		if value != "" {
			claims[name] = value
		}
	}
	for name, value := range grant.person {
		claims[name] = value
	}
	p.mu.Lock()
	keys := p.keys
	err := keys.needs(algorithm)
	p.mu.Unlock()
	if err != nil {
		return "", err
	}
	header := map[string]any{"alg": algorithm, "typ": "JWT", "kid": keys.id(algorithm)}
	if lies.IDToken != nil {
		lies.IDToken(header, claims)
	}
	return keys.sign(algorithm, header, claims)
}

// leftHalf is at_hash (OpenID Connect Core §3.1.3.6).
func leftHalf(algorithm, token string) string {
	h := sha256.New()
	switch {
	case strings.HasSuffix(algorithm, "384"):
		h = sha512.New384()
	case strings.HasSuffix(algorithm, "512"):
		h = sha512.New()
	}
	_, _ = h.Write([]byte(token)) // a hash never fails
	sum := h.Sum(nil)
	return base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
}

// authenticate finds the client and its proof; exactly the registered method counts.
func (p *OpenID) authenticate(r *http.Request) (OpenIDClient, error) {
	id, secret, basic := r.BasicAuth()
	method := "client_secret_basic"
	if basic {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	} else {
		id, secret, method = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret"), "client_secret_post"
	}
	if r.PostForm.Has("client_assertion") {
		method = "private_key_jwt"
	}
	p.mu.Lock()
	client, known := p.clients[id]
	p.mu.Unlock()
	switch {
	case !known:
		return client, errors.New("unknown client")
	case client.Authentication != method:
		return client, errors.New("not the registered method")
	case method == "private_key_jwt":
		return client, p.checkAssertion(client, r.PostForm)
	case subtle.ConstantTimeCompare([]byte(secret), []byte(client.Secret)) != 1:
		return client, errors.New("wrong secret")
	}
	return client, nil
}

// checkAssertion verifies a client assertion against the client's published keys (RFC 7523 §3).
func (p *OpenID) checkAssertion(client OpenIDClient, form url.Values) error {
	if form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
		return errors.New("wrong client_assertion_type")
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(client.KeySet(), &set); err != nil {
		return fmt.Errorf("read keys of the client: %w", err)
	}
	claims := jwt.RegisteredClaims{}
	_, err := jwt.ParseWithClaims(form.Get("client_assertion"), &claims, func(t *jwt.Token) (any, error) {
		id, _ := t.Header["kid"].(string)
		for _, key := range set.Key(id) {
			return key.Key, nil
		}
		return nil, errors.New("unknown kid")
	}, jwt.WithValidMethods([]string{"ES256", "ES384", "ES512", "RS256"}), jwt.WithIssuer(client.ID), jwt.WithSubject(client.ID), jwt.WithAudience(p.Issuer()),
		jwt.WithExpirationRequired(), jwt.WithTimeFunc(p.now))
	if err != nil {
		return fmt.Errorf("client assertion: %w", err)
	}
	if claims.ID == "" || len(claims.Audience) != 1 {
		return errors.New("client assertion: no jti, or several audiences")
	}
	return nil
}
