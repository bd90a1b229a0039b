package oauth_test

import (
	"net/http"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/secret"
	"tokenserver/internal/token"
	"tokenserver/store"
)

func TestRevoke(t *testing.T) {
	k := newKit(t)
	own := func() string {
		t.Helper()
		return good(t, k.post(t, "/token", []string{"shop", webSecret}, "grant_type", "client_credentials")).AccessToken
	}
	user := func(client string) token.Issued {
		t.Helper()
		return k.issue(t, token.Grant{ClientID: client, ProfileID: "static", UserID: "ann", Scopes: []string{"read"}, Refresh: true})
	}
	signed := good(t, k.post(t, "/token", []string{"jwt", webSecret}, "grant_type", "client_credentials")).AccessToken
	shop := []string{"shop", webSecret}
	const foreign = `{"error":"unauthorized_client","error_description":"the token belongs to another client"}`
	for _, tc := range []struct {
		name   string
		basic  []string
		form   []string
		status int
		want   string
		audit  audit.Code
	}{
		{"access token", shop, []string{"token", own()}, 200, "", audit.TokenRevokeAccessTokenSuccess},
		{"access token, wrong hint", shop, []string{"token", own(), "token_type_hint", "refresh_token"}, 200, "", audit.TokenRevokeAccessTokenSuccess},
		{"JWT", []string{"jwt", webSecret}, []string{"token", signed, "token_type_hint", "access_token"}, 200, "", audit.TokenRevokeAccessTokenSuccess},
		{"JWT again", []string{"jwt", webSecret}, []string{"token", signed, "token_type_hint", "access_token"}, 200, "", audit.TokenRevokeAccessTokenInvalid},
		{"refresh token", shop, []string{"token", user("shop").RefreshToken, "token_type_hint", "refresh_token"}, 200, "", audit.TokenRevokeRefreshTokenSuccess},
		{"refresh token, wrong hint", shop, []string{"token", user("shop").RefreshToken, "token_type_hint", "access_token"}, 200, "", audit.TokenRevokeRefreshTokenSuccess},
		{"public client", nil, []string{"client_id", "spa", "token", user("spa").RefreshToken}, 200, "", audit.TokenRevokeRefreshTokenSuccess},
		{"unknown", shop, []string{"token", secret.NewToken()}, 200, "", audit.TokenRevokeTokenInvalid},
		{"unknown, other hint", shop, []string{"token", "x", "token_type_hint", "saml"}, 200, "", audit.TokenRevokeTokenInvalid},
		{"unknown access token", shop, []string{"token", "x", "token_type_hint", "access_token"}, 200, "", audit.TokenRevokeAccessTokenInvalid},
		{"unknown refresh token", shop, []string{"token", "x", "token_type_hint", "refresh_token"}, 200, "", audit.TokenRevokeRefreshTokenInvalid},
		{"foreign access token", []string{"bare", webSecret}, []string{"token", own()}, 400, foreign, audit.TokenRevokeAccessTokenInvalid},
		{"foreign refresh token", []string{"bare", webSecret}, []string{"token", user("shop").RefreshToken}, 400, foreign, audit.TokenRevokeRefreshTokenInvalid},
		{
			"no token", shop,
			[]string{"token_type_hint", "access_token"},
			400,
			`{"error":"invalid_request","error_description":"token is missing"}`, audit.TokenRevokeTokenInvalid,
		},
		{"repeated token", shop, []string{"token", "a", "token", "b"}, 400, badForm, audit.TokenRevokeTokenInvalid},
		{"unknown client", []string{"nobody", "x"}, []string{"token", "x"}, 401, badClient, audit.TokenRevokeClientInvalid},
		{"wrong secret", []string{"shop", "x"}, []string{"token", "x"}, 401, badClient, audit.TokenRevokeClientInvalid},
		{"two methods", shop, []string{"token", "x", "client_id", "shop", "client_secret", webSecret}, 400, twoMethods, audit.TokenRevokeClientInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k.Codes(t)
			path := "/v1/revoke"
			if strings.Contains(tc.name, "hint") {
				path = "/revoke"
			}
			bad(t, k.post(t, path, tc.basic, tc.form...), tc.status, tc.want)
			k.want(t, tc.audit)
		})
	}
}

func TestRevokeEndsTheRightThings(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	second := p.good(t, p.first.RefreshToken)
	revoke := func(token, hint string) {
		t.Helper()
		if got := k.post(t, "/v1/revoke", []string{p.id, p.secret}, "token", token, "token_type_hint", hint); got.Status != 200 {
			t.Fatalf("%d %s", got.Status, got.Body)
		}
	}
	revoke(second.AccessToken, "access_token")
	if k.active(t, second.AccessToken) || !k.active(t, p.first.AccessToken) {
		t.Error("exactly the one access token ends")
	}
	third := p.good(t, second.RefreshToken)
	revoke(third.RefreshToken, "refresh_token")
	if k.active(t, third.AccessToken) {
		t.Error("the access token outlives its family")
	}
	bad(t, p.refresh(t, third.RefreshToken), 400, invalidRefresh)
	k.Codes(t)
	// A tombstone and not nothing: revoked is another code than unknown.
	k.introspect(t, third.AccessToken)
	k.want(t, audit.APIAccessGranted, audit.TokenRequestInvalidAccessToken)
}

func TestRevokeBulk(t *testing.T) {
	for _, tc := range []struct {
		name, path          string
		form                []string
		status              int
		want                string
		audit               []audit.Code
		def, finger, client bool // which access tokens live on
		profile             bool // the profile is still there
	}{
		{"client", "/v1/revoke/client", nil, 200, "", []audit.Code{audit.TokenRevokeClientTokensSuccess}, false, false, false, true},
		{
			"client, fingerprint", "/v1/revoke/client",
			[]string{"token_type", "FINGER_PRINT"},
			200, "",
			[]audit.Code{audit.TokenRevokeClientFingerPrintTokensSuccess},
			true, false, true, true,
		},
		{"profile", "/v1/revoke/profile", []string{"profile_id", "AB12cd"}, 200, "", []audit.Code{audit.TokenRevokeProfileSuccess}, false, false, true, false},
		{
			"profile tokens", "/v1/revoke/profile/tokens",
			[]string{"profile_id", "AB12cd"},
			200, "",
			[]audit.Code{audit.TokenRevokeProfileTokensSuccess},
			false, false, true, true,
		},
		{
			"profile tokens, fingerprint", "/v1/revoke/profile/tokens",
			[]string{"profile_id", "AB12cd", "token_type", "FINGER_PRINT"},
			200, "",
			[]audit.Code{audit.TokenRevokeProfileFingerPrintTokensSuccess},
			true, false, true, true,
		},
		{"unknown profile", "/v1/revoke/profile", []string{"profile_id", "nobody"}, 200, "", nil, true, true, true, true},
		{"tokens of an unknown profile", "/v1/revoke/profile/tokens", []string{"profile_id", "nobody"}, 200, "", nil, true, true, true, true},
		{
			"no profile", "/v1/revoke/profile", nil, 400, `{"error":"invalid_request","error_description":"profile_id is missing or malformed"}`,
			[]audit.Code{audit.TokenRevokeTokenInvalid},
			true, true, true, true,
		},
		{
			"unknown token type", "/v1/revoke/client",
			[]string{"token_type", "FACE"},
			400,
			`{"error":"invalid_request","error_description":"token_type must be FINGER_PRINT or absent"}`,
			[]audit.Code{audit.TokenRevokeTokenInvalid},
			true, true, true, true,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			p := newPhone(t, k, nil, nil)
			basic := []string{p.id, p.secret}
			finger := k.issue(t, token.Grant{
				ClientID: p.id, ProfileID: p.profileID, UserID: "ann", Scopes: []string{"read"}, Refresh: true,
				Kind: store.FingerprintToken, Application: "bank", Platform: "ios", Version: "1.0",
			})
			own := good(t, k.post(t, "/token", basic, "grant_type", "client_credentials"))
			k.Codes(t)
			bad(t, k.post(t, tc.path, basic, tc.form...), tc.status, tc.want)
			k.want(t, tc.audit...)
			if a, b, c := k.active(t, p.first.AccessToken), k.active(t, finger.AccessToken), k.active(t, own.AccessToken); a != tc.def || b != tc.finger || c != tc.client {
				t.Errorf("alive: default %v, fingerprint %v, client %v", a, b, c)
			}
			if _, err := k.Store.Profile(t.Context(), p.id, p.profileID); (err == nil) != tc.profile {
				t.Errorf("profile: %v", err)
			}
			if tc.status != 200 || tc.audit == nil || tc.name == "profile" {
				return
			}
			// A repeat writes the success again, with nothing counted.
			k.Codes(t)
			bad(t, k.post(t, tc.path, basic, tc.form...), tc.status, tc.want)
			if events := k.Events(t); len(events) != 1 || events[0].Code != tc.audit[0] || !strings.Contains(events[0].Details, `"count":0`) {
				t.Errorf("repeat: %+v", events)
			}
			// What is issued afterwards is good, even in the same microsecond.
			fresh := good(t, k.post(t, "/token", basic, "grant_type", "client_credentials"))
			if !k.active(t, fresh.AccessToken) {
				t.Error("a token that was issued after the revocation is not active")
			}
		})
	}
}

func TestRevokeBulkIsForInstallations(t *testing.T) {
	k := newKit(t)
	for _, path := range []string{"/v1/revoke/client", "/v1/revoke/profile", "/v1/revoke/profile/tokens"} {
		for _, basic := range [][]string{{"shop", webSecret}, {"nobody", "x"}} {
			got := k.post(t, path, basic, "profile_id", "AB12cd")
			bad(t, got, http.StatusUnauthorized, badClient)
			k.want(t, audit.TokenRevokeClientInvalid)
		}
	}
}

func TestRevokeWithDisabledVersion(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, func(i *store.Installation) { i.Version = "0.9" }, nil)
	bad(t, k.post(t, "/v1/revoke/client", []string{p.id, p.secret}, "x", "y"), 200, "")
	k.want(t, audit.TokenRevokeClientTokensSuccess)
	got := audittest.Do(t, k.h, audittest.Request{
		Path: "/oauth/v1/revoke", Basic: []string{p.id, p.secret}, Form: pairs("token", "x"),
		Header: http.Header{"X-Api-Version": {"2"}},
	})
	bad(t, got, 400, `{"error":"unauthorized_client","error_description":"the installation is registered with another API version"}`)
	k.want(t, audit.APIVersionNotAllowed)
}
