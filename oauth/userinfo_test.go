package oauth_test

import (
	"net/http"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/secret"
	"tokenserver/internal/token"
	"tokenserver/store"
)

func TestUserinfo(t *testing.T) {
	k := newKit(t)
	for _, a := range []store.Account{
		{ID: "ann", Username: "ann", Attributes: store.Attributes{"name": "Ann Ode", "email": "ann@example.com", "email_verified": "true"}},
		{ID: "off", Username: "off", Disabled: true},
	} {
		if err := k.Store.PutAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	issue := func(user string, life time.Duration, scopes ...string) string {
		t.Helper()
		return k.issue(t, token.Grant{ClientID: "shop", ProfileID: "static", UserID: user, Scopes: scopes, AccessLife: life}).AccessToken
	}
	own := good(t, k.post(t, "/token", []string{"shop", webSecret}, "grant_type", "client_credentials")).AccessToken
	revoked, expired := issue("ann", time.Hour, "openid"), issue("ann", time.Second, "openid")
	if got := k.post(t, "/revoke", []string{"shop", webSecret}, "token", revoked); got.Status != 200 {
		t.Fatal(got)
	}
	k.Clock.Advance(time.Second)
	const ended = `{"error":"invalid_token","error_description":"the access token is missing, expired or revoked"}`
	for _, tc := range []struct {
		name, bearer string
		status       int
		want         string
		audit        []audit.Code
	}{
		{"openid", issue("ann", time.Hour, "openid"), 200, `{"sub":"ann"}`, nil},
		{"claims by scope", issue("ann", time.Hour, "openid", "email"), 200, `{"email":"ann@example.com","email_verified":true,"sub":"ann"}`, nil},
		{"no token", "", 401, `{"error":"invalid_token","error_description":"the access token is missing"}`, []audit.Code{audit.TokenRequestInvalidBearerToken}},
		{"unknown", secret.NewToken(), 401, ended, []audit.Code{audit.TokenRequestInvalidBearerToken}},
		{"expired", expired, 401, ended, []audit.Code{audit.TokenRequestInvalidAccessToken}},
		{"revoked", revoked, 401, ended, []audit.Code{audit.TokenRequestInvalidAccessToken}},
		{
			"without openid", issue("ann", time.Hour, "read"), 403,
			`{"error":"insufficient_scope","error_description":"the access token was not issued for scope openid"}`,
			[]audit.Code{audit.TokenRequestInvalidAccessToken},
		},
		{
			"of a client", own, 403,
			`{"error":"insufficient_scope","error_description":"the access token was not issued for scope openid"}`,
			[]audit.Code{audit.TokenRequestInvalidAccessToken},
		},
		{"account disabled", issue("off", time.Hour, "openid"), 401, ended, []audit.Code{audit.TokenRequestInvalidAccessToken}},
		{"account gone", issue("nobody", time.Hour, "openid"), 401, ended, []audit.Code{audit.TokenRequestInvalidAccessToken}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k.Codes(t)
			got := audittest.Do(t, k.h, audittest.Request{Method: http.MethodGet, Path: "/oauth/v1/userinfo", Bearer: tc.bearer})
			bad(t, got, tc.status, tc.want)
			k.want(t, tc.audit...)
			if tc.bearer != "" {
				got = audittest.Do(t, k.h, audittest.Request{Path: "/oauth/v1/userinfo", Form: pairs("access_token", tc.bearer)})
				bad(t, got, tc.status, tc.want)
			}
		})
	}
	k.Codes(t)
	got := audittest.Do(t, k.h, audittest.Request{Path: "/oauth/v1/userinfo", Bearer: own, Form: pairs("access_token", own)})
	bad(t, got, 400, `{"error":"invalid_request","error_description":"send the access token once, in the header or in the form"}`)
	k.want(t, audit.TokenRequestInvalid)
	got = audittest.Do(t, k.h, audittest.Request{Method: http.MethodGet, Path: "/oauth/v1/userinfo?access_token=" + own})
	if got.Status != 401 {
		t.Errorf("token in the query: %d %s", got.Status, got.Body)
	}
}

func TestUserinfoCountsUses(t *testing.T) {
	k := newKit(t)
	limited := k.issue(t, token.Grant{ClientID: "shop", ProfileID: "static", UserID: "ann", Scopes: []string{"openid", "twice"}, UsageLimit: 2}).AccessToken
	k.Codes(t)
	ask := func() audittest.Answer {
		return audittest.Do(t, k.h, audittest.Request{Method: http.MethodGet, Path: "/oauth/v1/userinfo", Bearer: limited})
	}
	bad(t, ask(), 200, `{"sub":"ann"}`)
	if !k.active(t, limited) { // the second use
		t.Error("used up too early")
	}
	k.Codes(t)
	bad(t, ask(), 401, `{"error":"invalid_token","error_description":"the access token is missing, expired or revoked"}`)
	k.want(t, audit.TokenRequestInvalidAccessToken)
}
