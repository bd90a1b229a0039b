package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

const implicitGrant = "urn:onewelcome:oauth2:grant_type:implicit_authentication"

func TestImplicitAuthentication(t *testing.T) {
	k := newKit(t)
	k.document.Scopes = append(k.document.Scopes, settings.Scope{ID: "transfer", Level: 2})
	k.document.Applications[0].AdditionalScopes = append(k.document.Applications[0].AdditionalScopes, "transfer")
	k.Settings.Set(k.document)
	if err := k.Store.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann", Attributes: store.Attributes{"given_name": "Ann"}}); err != nil {
		t.Fatal(err)
	}
	p := newPhone(t, k, nil, nil)
	basic := []string{p.id, p.secret}
	k.profile(t, p.id, "second", "bob")
	expired := newPhone(t, k, nil, func(g *token.Grant) { g.FamilyLife = time.Second })
	stateless := newPhone(t, k, nil, func(g *token.Grant) { g.Kind, g.Refresh = store.StatelessToken, false })
	noFinger, noFingerSecret := k.installation(t, func(i *store.Installation) { i.Application = "nofinger" })
	k.Clock.Advance(time.Second)
	const (
		badProfile = `{"error":"invalid_request","error_description":"profile_id is missing, malformed or unknown"}`
		noDefault  = `{"error":"invalid_grant","error_description":"the user has to sign in first"}`
		disabled   = `{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`
	)
	for _, tc := range []struct {
		name   string
		basic  []string
		form   []string
		status int
		want   string
		audit  audit.Code
	}{
		{"feature off", []string{noFinger, noFingerSecret}, []string{"profile_id", "AB12cd"}, 400, disabled, audit.TokenRequestDisabledGrantType},
		{"web client", []string{"shop", webSecret}, []string{"profile_id", "AB12cd"}, 400, disabled, audit.TokenRequestDisabledGrantType},
		{"wrong secret", []string{p.id, "x"}, []string{"profile_id", "AB12cd"}, 401, badClient, audit.TokenRequestInvalidClientCredentials},
		{"no profile", basic, nil, 400, badProfile, audit.TokenRequestInvalidProfileID},
		{"malformed profile", basic, []string{"profile_id", "AB12c"}, 400, badProfile, audit.TokenRequestInvalidProfileID},
		{"unknown profile", basic, []string{"profile_id", "nobody"}, 400, badProfile, audit.TokenRequestInvalidProfileID},
		{"no default token", basic, []string{"profile_id", "second"}, 400, noDefault, audit.TokenRequestInvalidGrant},
		{"expired default token", []string{expired.id, expired.secret}, []string{"profile_id", "AB12cd"}, 400, noDefault, audit.TokenRequestInvalidGrant},
		{"stateless token", []string{stateless.id, stateless.secret}, []string{"profile_id", "AB12cd"}, 400, noDefault, audit.TokenRequestInvalidGrant},
		{
			"foreign scope", basic,
			[]string{"profile_id", "AB12cd", "scope", "admin"},
			400,
			`{"error":"invalid_scope","error_description":"a requested scope is malformed, unknown or not allowed for the client"}`, audit.TokenRequestScopeInvalid,
		},
		{
			"scope with a level", basic,
			[]string{"profile_id", "AB12cd", "scope", "read transfer"},
			400,
			`{"error":"invalid_scope","error_description":"a requested scope needs a higher authentication level"}`, audit.AuthzRequestAuthenticationLvlInsufficient,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k.Codes(t)
			bad(t, k.post(t, "/v1/token", tc.basic, append([]string{"grant_type", implicitGrant}, tc.form...)...), tc.status, tc.want)
			k.want(t, tc.audit)
		})
	}
	k.Codes(t)
	got := good(t, k.post(t, "/v1/token", basic, "grant_type", implicitGrant, "profile_id", "AB12cd"))
	k.want(t, audit.TokenRequestAccessTokenCreated)
	if got.RefreshToken != "" || got.IDToken != "" || got.Scope != "openid read" || got.ProfileID != "AB12cd" || got.ExpiresIn != 900 {
		t.Errorf("%+v", got)
	}
	if body := k.introspect(t, got.AccessToken); !strings.Contains(body, `"amr":["IMPLICIT_AUTHENTICATION"],"user_details":{"given_name":"Ann"}`) {
		t.Errorf("introspection %s", body)
	}
	// It ends with the refresh token of the user.
	if got := k.post(t, "/v1/revoke", basic, "token", p.first.RefreshToken, "profile_id", "AB12cd"); got.Status != http.StatusOK {
		t.Fatalf("%d %s", got.Status, got.Body)
	}
	if k.active(t, got.AccessToken) {
		t.Error("the token outlives the refresh token")
	}
}
