package oauth_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/audittest"
	"tokenserver/internal/keys"
	"tokenserver/internal/token"
)

func TestDiscovery(t *testing.T) {
	k := newKit(t)
	shell := k.Shell.New()
	k.oauth.Routes(shell.Group("/oauth"))
	k.oauth.WellKnownRoutes(shell.Group(""))
	var bodies []string
	for _, path := range []string{"/oauth/.well-known/openid-configuration", "/.well-known/oauth-authorization-server/oauth"} {
		got := audittest.Do(t, shell, audittest.Request{Method: http.MethodGet, Path: path})
		if got.Status != 200 || got.Header.Get("Cache-Control") != "public, max-age=300" || got.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Fatalf("%s: %d %v", path, got.Status, got.Header)
		}
		bodies = append(bodies, got.Body)
	}
	if bodies[0] != bodies[1] {
		t.Error("two documents")
	}
	var document map[string]any
	if err := json.Unmarshal([]byte(bodies[0]), &document); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"issuer": "https://ts.example/oauth", "token_endpoint": "https://ts.example/oauth/v1/token",
		"authorization_endpoint": "https://ts.example/oauth/v1/authorize", "jwks_uri": "https://ts.example/oauth/v1/keys",
		"introspection_endpoint": "https://ts.example/oauth/api/v2/token/introspect",
		"revocation_endpoint":    "https://ts.example/oauth/v1/revoke", "userinfo_endpoint": "https://ts.example/oauth/v1/userinfo",
	} {
		if document[name] != want {
			t.Errorf("%s = %v, want %s", name, document[name], want)
		}
	}
	for name, want := range map[string][]string{
		"id_token_encryption_alg_values_supported":         {"RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"},
		"id_token_encryption_enc_values_supported":         {"A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"},
		"token_endpoint_auth_signing_alg_values_supported": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"},
	} {
		if got := fmt.Sprint(document[name]); got != fmt.Sprint(want) {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
	if document["authorization_response_iss_parameter_supported"] != true {
		t.Error("iss in the authorization response is not announced")
	}
	k.want(t)
}

func TestIDTokenVerifiesWithPublishedKeys(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, func(g *token.Grant) { g.AMR = []string{"pwd"} })
	a := p.good(t, p.first.RefreshToken)
	got := audittest.Do(t, k.h, audittest.Request{Method: http.MethodGet, Path: "/oauth/v1/keys"})
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal([]byte(got.Body), &set); err != nil || len(set.Keys) != 2 {
		t.Fatalf("%s: %v", got.Body, err)
	}
	for _, key := range set.Keys {
		if key["kty"] != "EC" || key["crv"] != "P-256" || key["use"] != "sig" || key["alg"] != "ES256" || len(key["x"]) != 43 || len(key["y"]) != 43 || key["d"] != "" {
			t.Errorf("key %v", key)
		}
	}
	var claims jwt.MapClaims
	ring := k.oauth.Signing
	claims = jwt.MapClaims{}
	if err := ring.Verify(t.Context(), "JWT", a.IDToken, claims); err != nil {
		t.Fatal(err)
	}
	if claims["iss"] != k.Issuer || claims["sub"] != "ann" || claims["aud"] != p.id || claims["nonce"] != nil || claims["auth_time"] == nil || claims["at_hash"] == nil {
		t.Errorf("claims %v", claims)
	}
	if exp, iat := claims["exp"].(float64), claims["iat"].(float64); exp-iat != 3600 {
		t.Errorf("life %v", exp-iat)
	}
	if err := ring.Verify(t.Context(), "at+jwt", a.IDToken, jwt.MapClaims{}); err == nil {
		t.Error("an ID token passes as access token")
	}
	if body := k.introspect(t, a.IDToken); body != inactive {
		t.Errorf("an ID token introspects: %s", body)
	}
}

func TestJWTAccessTokenOutlivesARotation(t *testing.T) {
	k := newKit(t)
	ask := func() string {
		t.Helper()
		return good(t, k.post(t, "/token", []string{"jwt", webSecret}, "grant_type", "client_credentials")).AccessToken
	}
	before := ask()
	if err := k.oauth.Signing.Rotate(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	after := ask()
	if strings.Split(before, ".")[0] == strings.Split(after, ".")[0] {
		t.Error("the same key signs after a rotation")
	}
	if !k.active(t, before) || !k.active(t, after) {
		t.Error("both tokens are good")
	}
	parsed, _, err := jwt.NewParser().ParseUnverified(after, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	claims := parsed.Claims.(jwt.MapClaims)
	if parsed.Header["typ"] != "at+jwt" || parsed.Header["alg"] != keys.ES256 || claims["iss"] != k.Issuer || claims["aud"] != k.Issuer ||
		claims["sub"] != "jwt" || claims["cid"] != "jwt" || claims["client_id"] != "jwt" || claims["scope"] != "read" || claims["ver"] != 1.0 ||
		!strings.HasPrefix(claims["jti"].(string), "AT.") {
		t.Errorf("header %v claims %v", parsed.Header, claims)
	}
}
