package oauth_test

import (
	"fmt"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/internal/token"
)

const validateGrant = "urn:innovation-district.com:oauth2:grant_type:validate_bearer"

func TestValidateBearer(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, func(g *token.Grant) { g.AMR = []string{"pwd"} })
	shop := []string{"shop", webSecret}
	bad(t, k.post(t, "/v1/token", shop, "grant_type", validateGrant, "token", "x"), 400,
		`{"error":"unsupported_grant_type","error_description":"the grant type is not supported"}`)
	k.want(t, audit.TokenRequestUnsupportedGrantType)
	k.document.OAuth.ValidateBearer = true
	k.document.WebClients[0].ValidatesTokens = true
	k.Settings.Set(k.document)
	own := good(t, k.post(t, "/v1/token", shop, "grant_type", "client_credentials")).AccessToken
	limited := good(t, k.post(t, "/v1/token", shop, "grant_type", "client_credentials", "scope", "read twice")).AccessToken
	revoked := good(t, k.post(t, "/v1/token", shop, "grant_type", "client_credentials")).AccessToken
	if got := k.post(t, "/v1/revoke", shop, "token", revoked); got.Status != 200 {
		t.Fatal(got)
	}
	k.Clock.Advance(10 * time.Second)
	const invalid = `{"error":"invalid_grant","error_description":"the access token is not valid"}`
	for _, tc := range []struct {
		name   string
		basic  []string
		form   []string
		status int
		want   string
		audit  audit.Code
	}{
		{"no token", shop, nil, 400, `{"error":"invalid_request","error_description":"token is missing"}`, audit.TokenRequestInvalid},
		{
			"function off",
			[]string{"bare", webSecret},
			[]string{"token", own},
			400,
			`{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`, audit.TokenRequestDisabledGrantType,
		},
		{
			"installation",
			[]string{p.id, p.secret},
			[]string{"token", own},
			400,
			`{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`, audit.TokenRequestDisabledGrantType,
		},
		{"unknown", shop, []string{"token", secret.NewToken()}, 400, invalid, audit.TokenRequestInvalidBearerToken},
		{"revoked", shop, []string{"token", revoked}, 400, invalid, audit.TokenRequestInvalidAccessToken},
		{
			"of a user", shop,
			[]string{"token", p.first.AccessToken},
			200,
			fmt.Sprintf(`{"reference_id":"ann","scope":"read openid","token_type":"bearer","client_id":"%s","expires_in":890,"usage_limit":0,"amr":["DEFAULT","pwd"]}`, p.id),
			audit.TokenRequestAccessTokenValidated,
		},
		{
			"of a client", shop,
			[]string{"token", own},
			200,
			`{"reference_id":"shop","scope":"read","token_type":"bearer","client_id":"shop","expires_in":890,"usage_limit":0}`, audit.TokenRequestAccessTokenValidated,
		},
		{
			"first use", shop,
			[]string{"token", limited},
			200,
			`{"reference_id":"shop","scope":"read twice","token_type":"bearer","client_id":"shop","expires_in":890,"usage_limit":2}`, audit.TokenRequestAccessTokenValidated,
		},
		{
			"second use", shop,
			[]string{"token", limited},
			200,
			`{"reference_id":"shop","scope":"read twice","token_type":"bearer","client_id":"shop","expires_in":890,"usage_limit":2}`, audit.TokenRequestAccessTokenValidated,
		},
		{"used up", shop, []string{"token", limited}, 400, invalid, audit.TokenRequestInvalidAccessToken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k.Codes(t)
			bad(t, k.post(t, "/v1/token", tc.basic, append([]string{"grant_type", validateGrant}, tc.form...)...), tc.status, tc.want)
			k.want(t, tc.audit)
		})
	}
	k.Clock.Advance(900 * time.Second)
	k.Codes(t)
	bad(t, k.post(t, "/v1/token", shop, "grant_type", validateGrant, "token", own), 400, invalid)
	k.want(t, audit.TokenRequestInvalidAccessToken)
}
