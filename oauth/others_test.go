package oauth_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// outside is the services of others that a test asks: each path has one answer.
type outside struct {
	*httptest.Server
	says  map[string]string // by path; "" = 500
	asked atomic.Int64
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	o := &outside{says: map[string]string{}}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.asked.Add(1)
		said := o.says[r.URL.EscapedPath()]
		if said == "" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write([]byte(said))
	}))
	t.Cleanup(o.Close)
	return o
}

// claims reads the claims of a JWT without looking at its signature.
func claims(t *testing.T, text string) map[string]any {
	t.Helper()
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		t.Fatalf("%q is no JWT", text)
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var c map[string]any
	if err := json.Unmarshal(raw, &c); err != nil {
		t.Fatal(err)
	}
	return c
}

const signingSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

func TestEntitlementAtTheTokenEndpoint(t *testing.T) {
	k, o := newKit(t), newOutside(t)
	p := newPhone(t, k, nil, nil)
	k.document.OAuth.ScopeVerification = settings.ScopeVerification{Enabled: true, Endpoint: o.URL + "/verify", FailedEndpoint: "https://shop.example/why"}
	k.Settings.Set(k.document)
	o.says["/verify"] = `{"verification_result":"FAILURE","unauthorized_scope":"read"}`
	const refused = `{"error":"unauthorized_user","error_description":"the user may not have a requested scope","error_uri":"https://shop.example/why"}`
	bad(t, p.refresh(t, p.first.RefreshToken), 400, refused)
	k.want(t, audit.TokenRequestNotAuthorizedForScope)
	bad(t, p.exchange(t, p.first.RefreshToken), 400, refused)
	k.want(t, audit.TokenRequestNotAuthorizedForScope)
	bad(t, k.post(t, "/v1/token", []string{p.id, p.secret}, "grant_type", implicitGrant, "profile_id", p.profileID), 400, refused)
	k.want(t, audit.TokenRequestNotAuthorizedForScope)
	if p.failures(t) != 0 {
		t.Error("a right PIN counts")
	}
	// A wrong PIN counts as ever, and says nothing about entitlement.
	bad(t, p.refresh(t, secret.NewToken()), 400, remaining("2"))
	k.want(t, audit.TokenRequestInvalidRefreshToken)
	o.says["/verify"] = ""
	bad(t, p.refresh(t, p.first.RefreshToken), 503, `{"error":"temporarily_unavailable","error_description":"the scopes cannot be verified now, try again later"}`)
	k.want(t, audit.ExternalScopeCheckFailed)
	o.says["/verify"] = `{"verification_result":"SUCCESS"}`
	p.good(t, p.first.RefreshToken)
	k.want(t, audit.TokenRequestAccessTokenRefreshed)
	// A client's own token is about nobody.
	before := o.asked.Load()
	good(t, k.post(t, "/v1/token", []string{"shop", webSecret}, "grant_type", "client_credentials"))
	if o.asked.Load() != before {
		t.Error("asked about a client's own token")
	}
}

func TestHooksAtTheTokenEndpoint(t *testing.T) {
	k, o := newKit(t), newOutside(t)
	k.document.WebHooks = []settings.WebHook{
		{ID: "cut", Type: settings.CustomizeToken, BaseURI: o.URL, Authentication: settings.HookNone, SigningSecret: settings.NewSecret(signingSecret)},
		{ID: "say", Type: settings.CustomizeUser, BaseURI: o.URL, Authentication: settings.HookNone, SigningSecret: settings.NewSecret(signingSecret)},
	}
	k.document.Applications[0].WebHooks = []string{"cut", "say"}
	k.document.Applications[0].AccessTokenFormat = settings.JWT
	for i := range k.document.WebClients {
		if k.document.WebClients[i].ID == "jwt" {
			k.document.WebClients[i].WebHooks = []string{"cut"}
		}
	}
	p := newPhone(t, k, nil, nil)
	k.Settings.Set(k.document)
	const cut, say = "/v1/customize-access-token", "/v1/customize-user-details"
	o.says[cut], o.says[say] = `{"removeScopes":["write"],"additionalClaims":{"tier":"gold","sub":"eve"}}`, `{"claims":{"nickname":"Annie"}}`
	own := good(t, k.post(t, "/v1/token", []string{"jwt", webSecret}, "grant_type", "client_credentials", "scope", "read write"))
	if c := claims(t, own.AccessToken); own.Scope != "read" || c["tier"] != "gold" || c["sub"] != "jwt" || c["scope"] != "read" {
		t.Errorf("%s %v", own.Scope, c)
	}
	k.Codes(t)
	got := p.good(t, p.first.RefreshToken)
	k.want(t, audit.TokenRequestAccessTokenRefreshed)
	if c := claims(t, got.AccessToken); c["tier"] != "gold" || c["sub"] != "ann" || c["nickname"] != nil {
		t.Errorf("access token %v", c)
	}
	if c := claims(t, got.IDToken); c["nickname"] != "Annie" || c["sub"] != "ann" || c["tier"] != nil {
		t.Errorf("ID token %v", c)
	}
	o.says[cut] = `{"removeScopes":["read","openid"]}`
	bad(t, p.refresh(t, got.RefreshToken), 400, `{"error":"invalid_scope","error_description":"a requested scope is malformed, unknown or not allowed for the client"}`)
	k.want(t, audit.TokenRequestScopeInvalid)
	o.says[cut] = ""
	bad(t, p.refresh(t, got.RefreshToken), 503, `{"error":"temporarily_unavailable","error_description":"the token cannot be made now, try again later"}`)
	k.want(t, audit.WebHookCustomizeAccessTokenFailed)
	o.says[cut] = `{"additionalClaims":{"big":"` + strings.Repeat("x", 5000) + `"}}`
	bad(t, p.refresh(t, got.RefreshToken), 503, `{"error":"temporarily_unavailable","error_description":"the token cannot be made now, try again later"}`)
	k.want(t, audit.WebHookCustomizeAccessTokenFailed)
	o.says[cut], o.says[say] = `{}`, "" // what is said about people fails open
	p.good(t, got.RefreshToken)
	k.want(t, audit.TokenRequestAccessTokenRefreshed)
	if p.failures(t) != 0 {
		t.Error("trouble of others counts as a PIN")
	}
}

func TestUserInfoSource(t *testing.T) {
	k, o := newKit(t), newOutside(t)
	k.document.IdentityProviders = []settings.IdentityProvider{{
		ID: "portal", Type: settings.SAMLProvider, Namespace: "people",
		AttributeMappings: []settings.AttributeMapping{{From: "lvl", To: "loyalty"}},
		UserInfoSource:    &settings.UserInfoSource{URL: o.URL + "/people/{userId}", CacheLife: 60},
	}}
	if err := k.Store.PutAccount(t.Context(), store.Account{
		ID: "zoe", Username: "zoe", Namespace: "people", ExternalID: "z/1", Attributes: store.Attributes{"email": "old@example.com", "shoe": "40"},
	}); err != nil {
		t.Fatal(err)
	}
	issue := k.issue(t, grantFor("zoe"))
	const known = `"user_details":{"email":"old@example.com","shoe":"40"}`
	if body := k.introspect(t, issue.AccessToken); strings.Contains(body, "user_details") { // issued without an account's attributes
		t.Errorf("introspection %s", body)
	}
	k.Settings.Set(k.document)
	ask := func(form ...string) string {
		t.Helper()
		return k.post(t, "/api/v2/token/introspect", []string{"gateway", apiSecret}, append([]string{"token", issue.AccessToken}, form...)...).Body
	}
	if body := ask(); !strings.Contains(body, known) || o.asked.Load() != 1 {
		t.Errorf("a source in trouble: %s, asked %d times", body, o.asked.Load())
	}
	o.says["/people/z%2F1"] = `{"email":"new@example.com","lvl":3,"gone":null,"userId":"eve"}`
	if body := ask(); !strings.Contains(body, known) || o.asked.Load() != 1 {
		t.Errorf("a source in trouble is left alone: %s, asked %d times", body, o.asked.Load())
	}
	k.Clock.Advance(11 * time.Second)
	k.RedisServer.FastForward(11 * time.Second)
	const fresh = `"user_details":{"email":"new@example.com","loyalty":3,"shoe":"40"}`
	if body := ask(); !strings.Contains(body, fresh) || o.asked.Load() != 2 {
		t.Errorf("fresh: %s, asked %d times", body, o.asked.Load())
	}
	if body := ask(); !strings.Contains(body, fresh) || o.asked.Load() != 2 {
		t.Errorf("kept: %s, asked %d times", body, o.asked.Load())
	}
	o.says["/people/z%2F1"] = `{"email":"newest@example.com"}`
	if body := ask("refresh_user_details", "true"); !strings.Contains(body, `"email":"newest@example.com"`) || o.asked.Load() != 3 {
		t.Errorf("asked again: %s, asked %d times", body, o.asked.Load())
	}
}
