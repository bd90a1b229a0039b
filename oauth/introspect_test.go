package oauth_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

const inactive = `{"active":false}`

func TestIntrospectBodies(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, func(g *token.Grant) { g.AMR, g.ACR = []string{"pwd"}, "urn:level:2" })
	own := good(t, k.post(t, "/token", []string{"shop", webSecret}, "grant_type", "client_credentials"))
	k.Clock.Advance(14 * time.Second)
	now := k.Now().Unix() - 14
	for _, tc := range []struct{ name, path, token, want string }{
		{"client, version 1", "/api/v1/token/introspect", own.AccessToken, fmt.Sprintf(
			`{"active":true,"scope":"read","client_id":"shop","token_type":"bearer","exp":886000,"iat":%d,"nbf":%d,"sub":"shop","usage_limit":0}`, now, now)},
		{"user of an app, version 1", "/api/v1/token/introspect", p.first.AccessToken, fmt.Sprintf(
			`{"active":true,"scope":"read openid","client_id":"%s","token_type":"bearer","exp":886000,"iat":%d,"nbf":%d,"sub":"ann",`+
				`"app_identifier":"bank","app_platform":"ios","app_version":"1.0","usage_limit":0,"amr":["DEFAULT","pwd"]}`, p.id, now, now)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k.Codes(t)
			bad(t, k.post(t, tc.path, []string{"gateway", apiSecret}, "token", tc.token), 200, tc.want)
			k.want(t, audit.APIAccessGranted, audit.TokenRequestAccessTokenValidated)
		})
	}
	body := k.introspect(t, p.first.AccessToken)
	for _, member := range []string{
		fmt.Sprintf(`"exp":%d,`, now+900), `"iss":"https://ts.example/oauth"`, `"aud":"https://ts.example/oauth"`, `"jti":"`,
		`"acr":"urn:level:2"`, fmt.Sprintf(`"auth_time":%d`, now), `"profile_id":"AB12cd"`,
	} {
		if !strings.Contains(body, member) {
			t.Errorf("version 2 lacks %s: %s", member, body)
		}
	}
}

func TestIntrospectInactive(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	own := good(t, k.post(t, "/token", []string{"shop", webSecret}, "grant_type", "client_credentials"))
	signed := good(t, k.post(t, "/token", []string{"jwt", webSecret}, "grant_type", "client_credentials"))
	tampered := signed.AccessToken[:len(signed.AccessToken)-4] + "AAAA"
	change := func(f func(*settings.Document)) func() {
		return func() {
			document := k.settings(t)
			f(&document)
			k.Settings.Set(document)
		}
	}
	for _, tc := range []struct {
		name, token, reason string
		before              func()
		code                audit.Code
	}{
		{"unknown", secret.NewToken(), "", nil, audit.TokenRequestInvalidBearerToken},
		{"refresh token", p.first.RefreshToken, "", nil, audit.TokenRequestInvalidBearerToken},
		{"JWT with another signature", tampered, "", nil, audit.TokenRequestInvalidBearerToken},
		{"not a JWT", "a.b.c", "", nil, audit.TokenRequestInvalidBearerToken},
		{"long", strings.Repeat("x", 9000), "", nil, audit.TokenRequestInvalidBearerToken},
		{"a lot of dots", strings.Repeat(".", 8000), "", nil, audit.TokenRequestInvalidBearerToken},
		{
			"version disabled", p.first.AccessToken, "version_disabled",
			change(func(d *settings.Document) { d.Applications[0].Versions[0].Status = settings.VersionDisabled }), audit.TokenRequestInvalidAccessToken,
		},
		{"client disabled", own.AccessToken, "client_disabled", change(func(d *settings.Document) { d.WebClients[0].Disabled = true }), audit.TokenRequestInvalidAccessToken},
		{"expired", own.AccessToken, "expired", func() { k.Clock.Advance(900 * time.Second) }, audit.TokenRequestInvalidAccessToken},
		{"expired JWT", signed.AccessToken, "expired", nil, audit.TokenRequestInvalidAccessToken},
		{"forgotten after the grace", own.AccessToken, "", func() { k.Clock.Advance(10 * time.Minute) }, audit.TokenRequestInvalidBearerToken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.before != nil {
				tc.before()
			}
			k.Codes(t)
			bad(t, k.post(t, "/api/v2/token/introspect", []string{"gateway", apiSecret}, "token", tc.token), 200, inactive)
			events := k.Events(t)
			if len(events) != 2 || events[0].Code != audit.APIAccessGranted || events[1].Code != tc.code ||
				events[1].Agent != "api:gateway" || !strings.Contains(events[1].Details, tc.reason) {
				t.Errorf("events %+v, want %s because of %q", events, tc.code, tc.reason)
			}
			k.Settings.Set(k.document)
		})
	}
}

func TestIntrospectUsageLimit(t *testing.T) {
	k := newKit(t)
	limited := good(t, k.post(t, "/token", []string{"shop", webSecret}, "grant_type", "client_credentials", "scope", "read twice"))
	for uses := range 2 {
		if body := k.introspect(t, limited.AccessToken); !strings.Contains(body, fmt.Sprintf(`"usage_limit":2,"usage_count":%d`, uses)) {
			t.Errorf("use %d: %s", uses, body)
		}
	}
	k.Codes(t)
	for range 2 {
		if body := k.introspect(t, limited.AccessToken); body != inactive {
			t.Errorf("used up: %s", body)
		}
		k.want(t, audit.APIAccessGranted, audit.TokenRequestInvalidAccessToken)
	}
}

func TestIntrospectRefuses(t *testing.T) {
	k := newKit(t)
	for _, tc := range []struct {
		name   string
		r      audittest.Request
		status int
		want   string
		audit  []audit.Code
	}{
		{
			"no token",
			audittest.Request{Basic: []string{"gateway", apiSecret}, Form: pairs("x", "y")},
			400,
			`{"error":"invalid_request","error_description":"token is missing"}`,
			[]audit.Code{audit.APIAccessGranted},
		},
		{
			"not a form",
			audittest.Request{Basic: []string{"gateway", apiSecret}, JSON: `{"token":"x"}`},
			400, badForm,
			[]audit.Code{audit.APIAccessGranted},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.r.Path, tc.r.Method = "/oauth/api/v2/token/introspect", http.MethodPost
			bad(t, audittest.Do(t, k.h, tc.r), tc.status, tc.want)
			k.want(t, tc.audit...)
		})
	}
}

func TestIntrospectWithoutAudit(t *testing.T) {
	k := newKit(t)
	own := good(t, k.post(t, "/token", []string{"shop", webSecret}, "grant_type", "client_credentials"))
	k.BreakCommits(fmt.Errorf("disk full"))
	got := k.post(t, "/api/v2/token/introspect", []string{"gateway", apiSecret}, "token", own.AccessToken)
	if got.Status != http.StatusServiceUnavailable || strings.Contains(got.Body, "active") {
		t.Errorf("%d %s", got.Status, got.Body)
	}
}

func TestIntrospectionAudienceCheck(t *testing.T) {
	k := newKit(t)
	const gateway, other = "gateway", "billing"
	for i := range k.document.WebClients {
		switch k.document.WebClients[i].ID {
		case "shop":
			k.document.WebClients[i].ResourceGateways = []string{gateway}
		case "bare":
			k.document.WebClients[i].ResourceGateways, k.document.WebClients[i].DefaultScopes = []string{other}, []string{"read"}
		}
	}
	k.document.OAuth.AdditionalTokenAudience = []string{"everybody", gateway}
	k.Settings.Set(k.document)
	mine := good(t, k.post(t, "/token", []string{"shop", webSecret}, "grant_type", "client_credentials")).AccessToken
	if body := k.introspect(t, mine); !strings.Contains(body, `"aud":["gateway","everybody"]`) {
		t.Errorf("audience: %s", body)
	}
	k.document.OAuth.AdditionalTokenAudience = nil
	k.Settings.Set(k.document)
	theirs := good(t, k.post(t, "/token", []string{"bare", webSecret}, "grant_type", "client_credentials")).AccessToken
	if !k.active(t, theirs) {
		t.Error("without the check every gateway may ask")
	}
	k.document.OAuth.IntrospectionAudience = true
	k.Settings.Set(k.document)
	k.h = k.Handler(func(g *echo.Group) { k.oauth.APIRoutes(g.Group("", k.letIn, asGateway(gateway))) })
	k.Codes(t)
	if k.active(t, theirs) {
		t.Error("a gateway learns about a token that is not meant for it")
	}
	k.want(t, audit.APIAccessGranted, audit.TokenRequestInvalidAccessToken)
	if !k.active(t, mine) {
		t.Error("a gateway does not learn about its own token")
	}
	k.h = k.Handler(func(g *echo.Group) { k.oauth.APIRoutes(g.Group("", k.letIn, asGateway("monitor"))) })
	if !k.active(t, theirs) {
		t.Error("whom no client names may ask about all")
	}
}

// asGateway stands where the access check hands the API client on.
func asGateway(id string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.SetRequest(c.Request().WithContext(clientauth.WithAPIClient(c.Request().Context(), &settings.APIClient{ID: id})))
			return next(c)
		}
	}
}

func TestCustomAttributes(t *testing.T) {
	k := newKit(t)
	k.document.IdentityProviders = []settings.IdentityProvider{{
		ID: "portal", Type: settings.SAMLProvider, Namespace: "people", AttributeMappings: []settings.AttributeMapping{{From: "urn:x", To: "loyalty"}},
	}}
	k.Settings.Set(k.document)
	attributes := store.Attributes{"loyalty": "gold", "salary": 1e6, "email": "zoe@example.com", "sub": "eve", "authenticationLevel": "4"}
	for _, a := range []store.Account{
		{ID: "zoe", Username: "zoe", Namespace: "people", Attributes: attributes}, {ID: "ann", Username: "ann", Attributes: attributes},
	} {
		if err := k.Store.PutAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	for user, want := range map[string]string{
		"zoe": `{"loyalty":"gold","preferred_username":"zoe","sub":"zoe"}`,
		"ann": `{"loyalty":"gold","preferred_username":"ann","salary":1000000,"sub":"ann"}`,
	} {
		got := audittest.Do(t, k.h, audittest.Request{Method: http.MethodGet, Path: "/oauth/v1/userinfo", Bearer: k.issue(t, grantFor(user)).AccessToken})
		bad(t, got, 200, want)
	}
}
