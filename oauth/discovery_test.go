package oauth_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/audittest"
	"tokenserver/internal/keys"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
)

var update = flag.Bool("update", false, "write the golden files anew")

// discovered reads the discovery document of a server with these settings.
func discovered(t *testing.T, k *kit) map[string]any {
	t.Helper()
	got := audittest.Do(t, k.h, audittest.Request{Method: http.MethodGet, Path: "/oauth/.well-known/openid-configuration"})
	var document map[string]any
	if err := json.Unmarshal([]byte(got.Body), &document); err != nil || got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	return document
}

// TestDiscovery compares the whole document of a server on which nothing special is switched on.
func TestDiscovery(t *testing.T) {
	k := newKit(t)
	k.Settings.Set(settings.Document{
		Scopes:            []settings.Scope{{ID: "read"}, {ID: "openid"}},
		IdentityProviders: []settings.IdentityProvider{{ID: "accounts", Type: settings.BuiltInAccounts}, {ID: "off", Type: settings.SAMLProvider, Disabled: true}},
		WebClients: []settings.WebClient{
			{ID: "web", Grants: []settings.Grant{settings.AuthorizationCode}},
			{ID: "off", Disabled: true, Grants: []settings.Grant{settings.DeviceCode, settings.Implicit, settings.Password}},
		},
	})
	shell := k.Shell.New()
	k.oauth.Routes(shell.Group("/oauth"))
	k.oauth.WellKnownRoutes(shell.Group(""))
	var bodies []string
	for _, r := range []audittest.Request{
		{Method: http.MethodGet, Path: "/oauth/.well-known/openid-configuration"},
		{Method: http.MethodPost, Path: "/oauth/.well-known/openid-configuration"},
		{Method: http.MethodGet, Path: "/.well-known/oauth-authorization-server/oauth"},
	} {
		got := audittest.Do(t, shell, r)
		if got.Status != 200 || got.Header.Get("Cache-Control") != "public, max-age=300" || got.Header.Get("Access-Control-Allow-Origin") != "*" ||
			got.Header.Get("Content-Type") != "application/json;charset=UTF-8" {
			t.Fatalf("%s: %d %v", r.Path, got.Status, got.Header)
		}
		bodies = append(bodies, got.Body)
	}
	if bodies[0] != bodies[1] || bodies[0] != bodies[2] {
		t.Error("several documents")
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, []byte(bodies[0]), "", "  "); err != nil {
		t.Fatal(err)
	}
	indented.WriteByte('\n')
	const golden = "testdata/discovery.json"
	if *update {
		if err := os.WriteFile(golden, indented.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got := indented.String(); got != string(want) {
		t.Errorf("the document is\n%s\nwant\n%s", got, want)
	}
	k.want(t)
}

// TestDiscoveryFollowsTheSettings: what is switched on stands in the next answer, and what is not has no member.
func TestDiscoveryFollowsTheSettings(t *testing.T) {
	k := newKit(t)
	levels := []string{}
	for level := 1; level <= 4; level++ {
		acr := fmt.Sprint("urn:onegini.com:oidc:authentication_level:", level)
		levels = append(levels, acr)
		for identification := 1; identification <= 4; identification++ {
			levels = append(levels, fmt.Sprint(acr, ":identification_level:", identification))
		}
	}
	usual := []string{"authorization_code", "client_credentials", "refresh_token"}
	client := func(grants ...settings.Grant) settings.Document {
		return settings.Document{WebClients: []settings.WebClient{{ID: "c", Grants: grants}}}
	}
	for _, tc := range []struct {
		name     string
		document settings.Document
		want     map[string]any // nil = no such member
	}{
		{"nothing", settings.Document{}, map[string]any{
			"device_authorization_endpoint": nil, "acr_values_supported": nil, "grant_types_supported": usual,
			"response_types_supported": []string{"code"}, "response_modes_supported": []string{"query", "form_post"},
			"code_challenge_methods_supported": []string{"S256"}, "scopes_supported": []string{"openid"},
		}},
		{"device", client(settings.DeviceCode), map[string]any{
			"device_authorization_endpoint": "https://ts.example/oauth/device_authorization",
			"grant_types_supported":         append(slices.Clip(usual), "urn:ietf:params:oauth:grant-type:device_code"),
		}},
		{"password", client(settings.Password), map[string]any{"grant_types_supported": append(slices.Clip(usual), "password")}},
		{"implicit", client(settings.Implicit), map[string]any{
			"grant_types_supported":    append(slices.Clip(usual), "implicit"),
			"response_types_supported": []string{"code", "token", "id_token", "id_token token"},
			"response_modes_supported": []string{"query", "form_post", "fragment"},
		}},
		{"plain", settings.Document{OAuth: settings.OAuth{PKCEPlainAllowed: true}}, map[string]any{"code_challenge_methods_supported": []string{"S256", "plain"}}},
		{"levels", settings.Document{IdentityProviders: []settings.IdentityProvider{{ID: "x", Type: settings.SAMLProvider}}}, map[string]any{"acr_values_supported": levels}},
		{"levels by SMS", settings.Document{OAuth: settings.OAuth{SMSLevel: 2}}, map[string]any{"acr_values_supported": levels}},
		{"scopes", settings.Document{Scopes: []settings.Scope{{ID: "a"}, {ID: "openid"}, {ID: "b"}}}, map[string]any{"scopes_supported": []string{"openid", "a", "b"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k.Settings.Set(tc.document)
			document := discovered(t, k)
			for name, want := range tc.want {
				if got, there := document[name]; there != (want != nil) || there && fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s = %v, want %v", name, got, want)
				}
			}
		})
	}
	if err := k.oauth.Signing.ChangeAlgorithm(t.Context(), "PS384", 0); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(discovered(t, k)["id_token_signing_alg_values_supported"]); got != "[PS384]" {
		t.Errorf("after a change of the algorithm: %s", got)
	}
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
