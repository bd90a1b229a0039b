package standin

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	jwtBearerGrant     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	assertionMaxLife   = time.Hour + time.Minute // Google asks for at most an hour and allows some skew
	accessTokenSeconds = 3599
	rsaBits            = 2048
)

// messagingScopes are the scopes that allow sending.
func messagingScopes() []string {
	return []string{"https://www.googleapis.com/auth/firebase.messaging", "https://www.googleapis.com/auth/cloud-platform"}
}

// serviceAccount is an account that may send for one project.
type serviceAccount struct {
	project string
	keyID   string
	public  *rsa.PublicKey
}

// NewServiceAccount makes an account with a fresh RSA key for a project and returns its JSON file. Its token_uri is this
// stand-in.
func (f *FCM) NewServiceAccount(project string) ([]byte, error) {
	key, err := rsa.GenerateKey(rand.Reader, rsaBits)
	if err != nil {
		return nil, fmt.Errorf("make service account: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("make service account: %w", err)
	}
	email, keyID := "firebase-adminsdk-"+randomHex(3)+"@"+project+".iam.gserviceaccount.com", randomHex(20)
	f.mu.Lock()
	f.accounts[email] = serviceAccount{project: project, keyID: keyID, public: &key.PublicKey}
	f.mu.Unlock()
	file, err := json.MarshalIndent(map[string]string{
		"type": "service_account", "project_id": project, "private_key_id": keyID,
		"private_key":  string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})),
		"client_email": email, "client_id": "100000000000000000000",
		"auth_uri": f.URL() + "/auth", "token_uri": f.TokenURL(), "universe_domain": "googleapis.com",
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("make service account: %w", err)
	}
	return file, nil
}

// TokenURL is the OAuth token endpoint, in place of https://oauth2.googleapis.com/token.
func (f *FCM) TokenURL() string { return f.URL() + "/token" }

// Exchanges counts the assertions exchanged so far, so that a test can see tokens being reused.
func (f *FCM) Exchanges() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.exchange
}

// RevokeTokens makes all access tokens handed out so far invalid.
func (f *FCM) RevokeTokens() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.bearers)
}

// token answers the JWT bearer grant (RFC 7523) of a service account.
func (f *FCM) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, fcmMaxBody)
	if err := r.ParseForm(); err != nil || r.PostForm.Get("grant_type") != jwtBearerGrant {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": "unsupported_grant_type", "error_description": "Invalid grant_type: " + r.PostForm.Get("grant_type")})
		return
	}
	account, word, description := f.assertion(r.PostForm.Get("assertion"))
	if word != "" {
		writeJSON(w, http.StatusBadRequest, map[string]any{"error": word, "error_description": description})
		return
	}
	text := "ya29." + randomHex(32)
	f.mu.Lock()
	f.bearers[text] = bearer{project: account.project, expires: f.now().Add(accessTokenSeconds * time.Second)}
	f.exchange++
	f.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"access_token": text, "expires_in": accessTokenSeconds, "token_type": "Bearer"})
}

// assertion verifies RS256 signature, issuer, audience, scope and times, and answers with Google's words when one is wrong.
func (f *FCM) assertion(text string) (account serviceAccount, word, description string) {
	var claims struct {
		jwt.RegisteredClaims
		Scope string `json:"scope"`
	}
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"}), jwt.WithoutClaimsValidation()).ParseWithClaims(text, &claims,
		func(t *jwt.Token) (any, error) {
			f.mu.Lock()
			defer f.mu.Unlock()
			found, known := f.accounts[claims.Issuer]
			if kid, named := t.Header["kid"]; !known || (named && kid != found.keyID) {
				return nil, errUnknownAccount
			}
			account = found
			return found.public, nil
		})
	now := f.now()
	switch {
	case errors.Is(err, errUnknownAccount):
		return account, "invalid_grant", "Invalid grant: account not found"
	case err != nil:
		return account, "invalid_grant", "Invalid JWT Signature."
	case !slices.Equal(claims.Audience, jwt.ClaimStrings{f.TokenURL()}):
		return account, "invalid_grant", "Invalid JWT: Failed audience check."
	case claims.IssuedAt == nil || claims.ExpiresAt == nil || claims.IssuedAt.After(now.Add(time.Minute)) || !now.Before(claims.ExpiresAt.Time) ||
		claims.ExpiresAt.Sub(claims.IssuedAt.Time) > assertionMaxLife:
		return account, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."
	case !slices.ContainsFunc(strings.Fields(claims.Scope), func(s string) bool { return slices.Contains(messagingScopes(), s) }):
		return account, "invalid_scope", "Invalid OAuth scope or ID token audience provided."
	}
	return account, "", ""
}

var errUnknownAccount = errors.New("unknown account")
