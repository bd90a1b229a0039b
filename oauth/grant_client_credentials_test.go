package oauth_test

import (
	"encoding/json"
	"net/http"
	"testing"

	"tokenserver/audit"
	"tokenserver/store"
)

func TestClientCredentials(t *testing.T) {
	k := newKit(t)
	app, appSecret := k.installation(t, nil)
	plain, plainSecret := k.installation(t, func(i *store.Installation) { i.Application = "plain" })
	created := []audit.Code{audit.TokenRequestAccessTokenCreated}
	for _, tc := range []struct {
		name   string
		basic  []string
		form   []string
		status int
		scope  string // of the answer
		error  string // whole body otherwise
		audit  []audit.Code
	}{
		{name: "default scopes", basic: []string{"shop", webSecret}, status: 200, scope: "read", audit: created},
		{name: "asked scopes", basic: []string{"shop", webSecret}, form: []string{"scope", "write read"}, status: 200, scope: "write read", audit: created},
		{name: "secret in the form", form: []string{"client_id", "shop", "client_secret", webSecret}, status: 200, scope: "read", audit: created},
		{name: "JWT", basic: []string{"jwt", webSecret}, status: 200, scope: "read", audit: created},
		{name: "installation", basic: []string{app, appSecret}, status: 200, scope: "read", audit: created},
		{
			name: "unknown scope", basic: []string{"shop", webSecret}, form: []string{"scope", "admin"}, status: 400,
			error: `{"error":"invalid_scope","error_description":"a requested scope is malformed, unknown or not allowed for the client"}`,
			audit: []audit.Code{audit.TokenRequestScopeInvalid},
		},
		{
			name: "malformed scope", basic: []string{"shop", webSecret}, form: []string{"scope", "read  write"}, status: 400,
			error: `{"error":"invalid_scope","error_description":"a requested scope is malformed, unknown or not allowed for the client"}`,
			audit: []audit.Code{audit.TokenRequestScopeInvalid},
		},
		{
			name: "no scope at all", basic: []string{"bare", webSecret}, status: 400,
			error: `{"error":"invalid_scope","error_description":"a requested scope is malformed, unknown or not allowed for the client"}`,
			audit: []audit.Code{audit.TokenRequestScopeInvalid},
		},
		{
			name: "grant not enabled", basic: []string{"codes", webSecret}, status: 400,
			error: `{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`,
			audit: []audit.Code{audit.TokenRequestDisabledGrantType},
		},
		{
			name: "public client", form: []string{"client_id", "spa"}, status: 400,
			error: `{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`,
			audit: []audit.Code{audit.TokenRequestDisabledGrantType},
		},
		{
			name: "API client", basic: []string{"gateway", apiSecret}, status: 400,
			error: `{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`,
			audit: []audit.Code{audit.TokenRequestDisabledGrantType},
		},
		{
			name: "application without anonymous calls", basic: []string{plain, plainSecret}, status: 400,
			error: `{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`,
			audit: []audit.Code{audit.TokenRequestDisabledGrantType},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := k.post(t, "/v1/token", tc.basic, append([]string{"grant_type", "client_credentials"}, tc.form...)...)
			if got.Status != tc.status {
				t.Fatalf("status %d, want %d: %s", got.Status, tc.status, got.Body)
			}
			if tc.error != "" && got.Body != tc.error {
				t.Errorf("body %s, want %s", got.Body, tc.error)
			}
			k.want(t, tc.audit...)
			if tc.status != http.StatusOK {
				return
			}
			var answer map[string]any
			if err := json.Unmarshal([]byte(got.Body), &answer); err != nil {
				t.Fatal(err)
			}
			bearer, _ := answer["access_token"].(string)
			delete(answer, "access_token")
			want := map[string]any{"token_type": "bearer", "expires_in": 900.0, "scope": tc.scope, "profile_id": "static"}
			if tc.name == "installation" {
				delete(want, "profile_id")
			}
			if len(answer) != len(want) || answer["scope"] != want["scope"] || answer["expires_in"] != want["expires_in"] ||
				answer["token_type"] != want["token_type"] || answer["profile_id"] != want["profile_id"] {
				t.Errorf("answer %v, want %v", answer, want)
			}
			if !k.active(t, bearer) {
				t.Error("the token is not active")
			}
			k.want(t, audit.APIAccessGranted, audit.TokenRequestAccessTokenValidated)
		})
	}
}
