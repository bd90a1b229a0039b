package oauth_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/oauth"
	"tokenserver/store"
)

// mute is an identity provider that compares no passwords for clients.
type mute struct{}

func (mute) SignInURL(string) string { return "/mute" }

// comparing is an identity provider that compares the passwords of the built-in accounts.
type comparing struct{ k *kit }

func (comparing) SignInURL(string) string { return "/comparing" }

func (c comparing) LogIn(ctx context.Context, _ *settings.IdentityProvider, username, password string) (store.Identity, error) {
	person, err := c.k.Store.AccountByUsername(ctx, username)
	if err != nil {
		return store.Identity{}, err
	}
	if right, err := secret.VerifyPassword(person.PasswordHash, password); err != nil || !right {
		return store.Identity{}, errors.Join(err, store.ErrNotFound)
	}
	return store.Identity{UserID: person.ID, AMR: []string{"pwd"}}, nil
}

const (
	annsPassword    = "correct horse battery staple"
	passwordWrong   = `{"error":"invalid_grant","error_description":"username or password is not correct"}`
	levelIsTooLow   = `{"error":"invalid_scope","error_description":"a requested scope needs a higher authentication level"}`
	noProviderReply = `{"error":"invalid_request","error_description":"no identity provider is set up for the client"}`
)

// passwordKit is a kit whose client "direct" signs ann in with her password.
func passwordKit(t *testing.T) *kit {
	t.Helper()
	k := newKit(t)
	hash := secret.HashPassword(annsPassword)
	for _, a := range []store.Account{
		{ID: "ann", Username: "Ann", PasswordHash: hash, Attributes: store.Attributes{"name": "Ann Ode", "customer": "7"}},
		{ID: "off", Username: "off", PasswordHash: hash, Disabled: true},
	} {
		if err := k.Store.PutAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	k.document.IdentityProviders = []settings.IdentityProvider{{ID: "accounts", Type: settings.BuiltInAccounts, Default: true}, {ID: "mute", Type: "MUTE"}}
	k.document.Scopes = append(k.document.Scopes, settings.Scope{ID: "transfer", Level: 1})
	direct := k.document.WebClients[0]
	direct.ID, direct.Name, direct.Grants, direct.SkipConsent = "direct", "direct", []settings.Grant{settings.Password}, true
	direct.AdditionalScopes = append(direct.AdditionalScopes, "transfer")
	other, public := direct, direct
	other.ID, other.IdentityProvider = "elsewhere", "mute"
	public.ID, public.Authentication = "public", settings.PublicClient
	k.document.WebClients = append(k.document.WebClients, direct, other, public)
	k.Settings.Set(k.document)
	k.oauth.Providers = oauth.Providers{
		settings.BuiltInAccounts: comparing{k}, "MUTE": mute{},
	}
	return k
}

func TestPasswordGrant(t *testing.T) {
	k := passwordKit(t)
	direct := []string{"direct", webSecret}
	for _, tc := range []struct {
		name   string
		basic  []string
		form   []string
		status int
		want   string
		audit  audit.Code
		reason string
	}{
		{"no password", direct, []string{"username", "ann"}, 400, `{"error":"invalid_request","error_description":"username or password is missing"}`, audit.TokenRequestInvalid, ""},
		{"no username", direct, []string{"password", "x"}, 400, `{"error":"invalid_request","error_description":"username or password is missing"}`, audit.TokenRequestInvalid, ""},
		{"wrong password", direct, []string{"username", "ann", "password", "x"}, 400, passwordWrong, audit.TokenRequestInvalidGrant, "password:invalid credentials"},
		{"unknown user", direct, []string{"username", "eve", "password", annsPassword}, 400, passwordWrong, audit.TokenRequestInvalidGrant, "password:invalid credentials"},
		{"disabled account", direct, []string{"username", "off", "password", annsPassword}, 400, passwordWrong, audit.TokenRequestInvalidGrant, "password:account ended, disabled or taken"},
		{"endless name", direct, []string{"username", strings.Repeat("a", 300), "password", "x"}, 400, passwordWrong, audit.TokenRequestInvalidGrant, "password:invalid credentials"},
		{"unfit provider", []string{"elsewhere", webSecret}, []string{"username", "ann", "password", annsPassword}, 400, passwordWrong, audit.TokenRequestInvalidGrant, "password:unsupported idp"},
		{
			"foreign scope", direct,
			[]string{"username", "ann", "password", annsPassword, "scope", "admin"},
			400,
			`{"error":"invalid_scope","error_description":"a requested scope is malformed, unknown or not allowed for the client"}`, audit.TokenRequestScopeInvalid, "",
		},
		{"scope with a level", direct, []string{"username", "ann", "password", annsPassword, "scope", "transfer"}, 400, levelIsTooLow, audit.AuthzRequestAuthenticationLvlInsufficient, ""},
		{
			"grant not enabled",
			[]string{"shop", webSecret},
			[]string{"username", "ann", "password", annsPassword},
			400,
			`{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`, audit.TokenRequestDisabledGrantType, "",
		},
		{
			"public client", nil,
			[]string{"client_id", "public", "username", "ann", "password", annsPassword},
			400,
			`{"error":"unauthorized_client","error_description":"the client may not use this grant type"}`, audit.TokenRequestDisabledGrantType, "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k.Codes(t)
			bad(t, k.post(t, "/v1/token", tc.basic, append([]string{"grant_type", "password"}, tc.form...)...), tc.status, tc.want)
			events := k.Events(t)
			if len(events) != 1 || events[0].Code != tc.audit || !strings.Contains(events[0].Details, tc.reason) ||
				strings.Contains(events[0].Details, "ann") || strings.Contains(events[0].Details, annsPassword) {
				t.Errorf("events %+v, want %s because of %q", events, tc.audit, tc.reason)
			}
		})
	}
	k.Codes(t)
	got := good(t, k.post(t, "/v1/token", direct, "grant_type", "password", "username", "ANN", "password", annsPassword, "scope", "read openid profile"))
	k.want(t, audit.TokenRequestAccessTokenCreated)
	if got.RefreshToken == "" || got.IDToken == "" || got.Scope != "read openid profile" || got.ProfileID != "static" {
		t.Errorf("%+v", got)
	}
	if body := k.introspect(t, got.AccessToken); !strings.Contains(body, `"sub":"ann"`) ||
		!strings.Contains(body, `"amr":["DEFAULT","pwd"],"user_details":{"customer":"7","name":"Ann Ode"}`) {
		t.Errorf("introspection %s", body)
	}
	k.document.IdentityProviders[0].Disabled = true
	k.Settings.Set(k.document)
	k.Codes(t)
	bad(t, k.post(t, "/v1/token", direct, "grant_type", "password", "username", "ann", "password", annsPassword), 400, noProviderReply)
	k.want(t, audit.UnableToDetermineIdentityProvider)
}

func TestPasswordGrantStopsGuessing(t *testing.T) {
	k := passwordKit(t)
	direct := []string{"direct", webSecret}
	try := func(username, password string) int {
		t.Helper()
		got := k.post(t, "/v1/token", direct, "grant_type", "password", "username", username, "password", password)
		if got.Status != http.StatusOK && got.Body != passwordWrong {
			t.Errorf("%d %s", got.Status, got.Body)
		}
		return got.Status
	}
	for _, username := range []string{"ann", "nobody"} { // the same for both
		compared := 0
		together(20, func() { try(username, "x") })
		for _, e := range k.Events(t) {
			if strings.Contains(e.Details, "invalid credentials") {
				compared++
			} else if !strings.Contains(e.Details, "too many attempts") {
				t.Errorf("event %+v", e)
			}
		}
		if compared != 5 {
			t.Errorf("%s: %d passwords were compared, want 5", username, compared)
		}
	}
	if try("ann", annsPassword) != 400 {
		t.Error("the right password is not looked at during the pause")
	}
	k.Clock.Advance(15*time.Minute + time.Second)
	for range 4 { // a success starts the count anew
		try("ann", "x")
		if try("ann", annsPassword) != 200 {
			t.Fatal("the pause is over")
		}
	}
}

func TestPasswordGrantAgainstAChange(t *testing.T) {
	k := passwordKit(t)
	k.oauth.Providers[settings.BuiltInAccounts] = changing{k}
	k.Codes(t)
	bad(t, k.post(t, "/v1/token", []string{"direct", webSecret}, "grant_type", "password", "username", "ann", "password", "x"), 400, passwordWrong)
	k.want(t, audit.TokenRequestInvalidGrant)
}

// changing is a provider during whose answer the account's password is changed.
type changing struct{ k *kit }

func (changing) SignInURL(string) string { return "/changing" }

func (c changing) LogIn(ctx context.Context, _ *settings.IdentityProvider, _, _ string) (store.Identity, error) {
	began := c.k.Now()
	c.k.Clock.Advance(time.Second)
	err := c.k.Store.PutAccount(ctx, store.Account{ID: "ann", Username: "Ann", SignInsSince: c.k.Now()})
	return store.Identity{UserID: "ann", AuthTime: began}, err
}
