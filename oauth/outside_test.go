package oauth_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/settings"
)

// outsider is a service of somebody else that answers as the test says.
type outsider struct {
	status int
	says   string
	asked  []string // bodies
	url    string
}

func newOutsider(t *testing.T) *outsider {
	t.Helper()
	o := &outsider{status: http.StatusOK}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		o.asked = append(o.asked, string(body))
		w.WriteHeader(o.status)
		_, _ = io.WriteString(w, o.says)
	}))
	t.Cleanup(server.Close)
	o.url = server.URL
	return o
}

func TestScopeVerification(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		says   string
		change func(*settings.Document)
		query  []string
		error  string
		away   string
		audit  audit.Code
	}{
		{name: "entitled", says: `{"verification_result":"SUCCESS"}`, audit: audit.AuthzRequestGrantCreated},
		{name: "not entitled", says: `{"verification_result":"FAILURE","unauthorized_scope":"pay"}`, error: "access_denied", audit: audit.AuthzRequestNotAuthorizedForScope},
		{
			name: "not entitled, the scope has a page", says: `{"verification_result":"FAILURE","unauthorized_scope":"pay"}`,
			change: func(d *settings.Document) {
				d.OAuth.ScopeVerification.FailedEndpoint, d.Scopes[1].FailedEndpoint = "https://shop.example/all", "https://shop.example/pay"
			},
			away: "https://shop.example/pay", audit: audit.AuthzRequestNotAuthorizedForScope,
		},
		{
			name: "not entitled, there is a page for all", says: `{"verification_result":"FAILURE"}`,
			change: func(d *settings.Document) { d.OAuth.ScopeVerification.FailedEndpoint = "https://shop.example/all" },
			away:   "https://shop.example/all", audit: audit.AuthzRequestNotAuthorizedForScope,
		},
		{name: "no verdict", says: `{"verification_result":"LATER"}`, error: "temporarily_unavailable", audit: audit.ExternalScopeCheckFailed},
		{name: "broken", status: 500, error: "temporarily_unavailable", audit: audit.ExternalScopeCheckFailed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newBrowserServer(t)
			service := newOutsider(t)
			service.says = tc.says
			if tc.status != 0 {
				service.status = tc.status
			}
			s.document.OAuth.ScopeVerification = settings.ScopeVerification{Enabled: true, Endpoint: service.url}
			if tc.change != nil {
				tc.change(&s.document)
			}
			s.Settings.Set(s.document)
			v := s.visitor(t)
			a := v.signIn(parameters("web", "scope", "read pay"), "ann")
			if tc.away != "" {
				if a.Header.Get("Location") != tc.away {
					t.Errorf("led to %q", a.Header.Get("Location"))
				}
			} else if q := answerOf(t, a).Query(); q.Get("error") != tc.error || q.Has("code") != (tc.error == "") || q.Get("state") != "s1" {
				t.Errorf("%v", q)
			}
			v.wantCodes(tc.audit)
			want := `{"user_id":"ann","external_identity":"ann","scopes":[{"id":"read","service_endpoint":null},{"id":"pay","service_endpoint":null}]}`
			if len(service.asked) != 1 || service.asked[0] != want {
				t.Errorf("asked %v", service.asked)
			}
		})
	}
	t.Run("silently", func(t *testing.T) {
		s := newBrowserServer(t)
		v := s.visitor(t)
		v.signIn(parameters("web"), "ann")
		s.Codes(t)
		service := newOutsider(t)
		service.says = `{"verification_result":"FAILURE"}`
		s.document.OAuth.ScopeVerification = settings.ScopeVerification{Enabled: true, Endpoint: service.url, FailedEndpoint: "https://shop.example/all"}
		s.Settings.Set(s.document)
		a := v.get("/oauth/authorize?" + parameters("web", "prompt", "none").Encode())
		if q := answerOf(t, a).Query(); q.Get("error") != "access_denied" || q.Get("error_uri") != "https://shop.example/all" {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.AuthzRequestNotAuthorizedForScope)
	})
	t.Run("once in a journey", func(t *testing.T) {
		s := newBrowserServer(t)
		service := newOutsider(t)
		service.says = `{"verification_result":"SUCCESS"}`
		s.document.OAuth.ScopeVerification = settings.ScopeVerification{Enabled: true, Endpoint: service.url}
		s.Settings.Set(s.document)
		v, at, form := asking(t, s)
		v.get(at)
		v.do(http.MethodPost, "/oauth/consent", formOf(v.get(at), "decision", "accept"))
		v.wantCodes(audit.ConsentGiven, audit.AuthzRequestGrantCreated)
		if len(service.asked) != 1 {
			t.Errorf("asked %d times", len(service.asked))
		}
		_ = form
	})
}

func TestTokenHook(t *testing.T) {
	for _, tc := range []struct {
		name, says, error string
		status            int
		open              bool
		scopes            string
		claims            map[string]any
		audit             audit.Code
	}{
		{name: "nothing to say", says: `{}`, scopes: "read pay openid", audit: audit.AuthzRequestGrantCreated},
		{
			name: "cuts and adds", says: `{"removeScopes":["pay"],"additionalClaims":{"tier":"gold","sub":"eve"}}`, scopes: "read openid",
			claims: map[string]any{"tier": "gold", "sub": "ann"}, audit: audit.AuthzRequestGrantCreated,
		},
		{name: "removes all", says: `{"removeScopes":["pay","read","openid"]}`, error: "invalid_scope", audit: audit.AuthzRequestScopeInvalid},
		{name: "no answer", status: 500, error: "server_error", audit: audit.WebHookCustomizeAccessTokenFailed},
		{
			name: "adds too much", says: `{"additionalClaims":{"big":"` + strings.Repeat("x", 5000) + `"}}`, error: "server_error",
			audit: audit.WebHookCustomizeAccessTokenFailed,
		},
		{name: "malformed", says: `{"removeScopes":{}}`, error: "server_error", audit: audit.WebHookCustomizeAccessTokenFailed},
		{name: "no answer, passed over", status: 500, open: true, scopes: "read pay openid", audit: audit.AuthzRequestGrantCreated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newBrowserServer(t)
			hook := newOutsider(t)
			hook.says = tc.says
			if tc.status != 0 {
				hook.status = tc.status
			}
			s.document.WebHooks = []settings.WebHook{{
				ID: "cut", Type: settings.CustomizeToken, BaseURI: hook.url, Authentication: settings.HookNone, FailOpen: &tc.open,
			}}
			s.changeWeb(func(c *settings.WebClient) {
				c.WebHooks, c.AccessTokenFormat = []string{"cut"}, settings.JWT
				c.SkipConsent = false
			})
			v := s.visitor(t)
			page := v.signIn(parameters("web", "scope", "read pay openid", "redirect_uri", "https://web.example/back",
				"hook_context_custom_param.branch", "7"), "ann", "attribute.name", "Ann")
			if len(hook.asked) != 0 {
				t.Error("asked before the user has agreed")
			}
			a := v.do(http.MethodPost, "/oauth/consent", formOf(page, "decision", "accept"))
			if q := answerOf(t, a).Query(); q.Get("error") != tc.error || q.Has("code") != (tc.error == "") {
				t.Errorf("%v", q)
			}
			v.wantCodes(audit.ConsentGiven, tc.audit)
			var asked struct {
				User struct {
					ID string `json:"id"`
				} `json:"user"`
				Client struct {
					ID string `json:"id"`
				} `json:"client"`
				Scopes []string            `json:"scopes"`
				Params map[string][]string `json:"contextCustomParams"`
			}
			if len(hook.asked) != 1 || json.Unmarshal([]byte(hook.asked[0]), &asked) != nil || asked.User.ID != "ann" || asked.Client.ID != "web" ||
				len(asked.Scopes) != 3 || len(asked.Params["branch"]) != 1 || asked.Params["branch"][0] != "7" {
				t.Errorf("asked %v", hook.asked)
			}
			if tc.error != "" {
				return
			}
			got := s.redeem(t, a, "redirect_uri", "https://web.example/back")
			if got.Scope != tc.scopes {
				t.Errorf("scope %q, want %q", got.Scope, tc.scopes)
			}
			claims := claimsInside(t, got.AccessToken)
			for name, want := range tc.claims {
				if claims[name] != want {
					t.Errorf("claim %s = %v, want %v", name, claims[name], want)
				}
			}
		})
	}
}

// TestUserHookInImplicit: the claims of an ID token from the authorization endpoint pass the client's hook too.
func TestUserHookInImplicit(t *testing.T) {
	for _, tc := range []struct {
		name, says string
		closed     bool
		want       any
		error      string
	}{
		{name: "replaced", says: `{"claims":{"name":"Hidden"}}`, want: "Hidden"},
		{name: "no answer", says: `no`, want: "Ann"},
		{name: "no answer, closed", says: `no`, closed: true, error: "server_error"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := withImplicit(t, nil)
			hook := newOutsider(t)
			hook.says = tc.says
			s.document.WebHooks = []settings.WebHook{{ID: "who", Type: settings.CustomizeUser, BaseURI: hook.url, Authentication: settings.HookNone}}
			if tc.closed {
				no := false
				s.document.WebHooks[0].FailOpen = &no
			}
			s.changeWeb(func(c *settings.WebClient) { c.WebHooks = []string{"who"} })
			v := s.visitor(t)
			answer := fragmentOf(t, v.signIn(implicit("id_token", "scope", "openid profile"), "ann", "attribute.name", "Ann"))
			if tc.error != "" {
				if answer.Get("error") != tc.error || answer.Has("id_token") {
					t.Errorf("%v", answer)
				}
				v.wantCodes(audit.AuthorizationFailedUnableToGenerateIDToken)
				return
			}
			if got := claimsInside(t, answer.Get("id_token"))["name"]; got != tc.want {
				t.Errorf("name %v, want %v", got, tc.want)
			}
			v.wantCodes(audit.AuthzRequestTokenCreated)
		})
	}
	t.Run("hook takes openid", func(t *testing.T) {
		s := withImplicit(t, nil)
		hook := newOutsider(t)
		hook.says = `{"removeScopes":["openid"]}`
		s.document.WebHooks = []settings.WebHook{{ID: "cut", Type: settings.CustomizeToken, BaseURI: hook.url, Authentication: settings.HookNone}}
		s.changeWeb(func(c *settings.WebClient) { c.WebHooks = []string{"cut"} })
		v := s.visitor(t)
		if answer := fragmentOf(t, v.signIn(implicit("id_token token"), "ann")); answer.Get("error") != "invalid_scope" || answer.Has("access_token") {
			t.Errorf("%v", answer)
		}
		v.wantCodes(audit.AuthzRequestScopeInvalid)
	})
}

// TestSilentUpstream: who says silently who is signed in is the identity provider, when it can and the session will not do.
func TestSilentUpstream(t *testing.T) {
	no := false
	for _, tc := range []struct {
		name     string
		provider string
		change   func(*browserServer)
		query    []string
		signedIn bool
		upstream bool
	}{
		{name: "session will do", provider: "oidc", signedIn: true},
		{name: "nobody here", provider: "oidc", upstream: true},
		{name: "nobody here, SAML", provider: "saml", upstream: true},
		{name: "nobody here, header", provider: "proxy", upstream: true},
		{name: "nobody here, other", provider: "window"},
		{name: "not from the session", provider: "saml", signedIn: true, upstream: true, change: func(s *browserServer) {
			s.changeWeb(func(c *settings.WebClient) { c.OpenIDConnect.SessionBasedAuthentication = &no })
		}},
		{name: "another acr", provider: "oidc", signedIn: true, query: []string{"acr_values", "gold"}, upstream: true},
		{name: "a level that the session has", provider: "saml", signedIn: true, query: []string{"acr_values", "urn:onegini.com:oidc:authentication_level:1"}},
		{name: "a level that it has not", provider: "saml", signedIn: true, query: []string{"acr_values", "urn:onegini.com:oidc:authentication_level:2"}, upstream: true},
		{name: "too old", provider: "oidc", signedIn: true, query: []string{"max_age", "0"}, upstream: true},
		{name: "a scope that needs more", provider: "oidc", signedIn: true, query: []string{"scope", "pay"}, upstream: true, change: func(s *browserServer) {
			s.document.Scopes[1].Level = 2
			s.Settings.Set(s.document)
		}},
		{name: "cookie login", provider: "saml", signedIn: true, query: []string{"external_idp", "urn:oasis:names:tc:SAML:2.0:ac:classes:PreviousSession"}, upstream: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newBrowserServer(t)
			v := s.visitor(t)
			if tc.signedIn {
				v.signIn(parameters("web", "idp", tc.provider), "ann", "level", "1")
			}
			if tc.change != nil {
				tc.change(s)
			}
			s.Codes(t)
			a := v.get("/oauth/authorize?" + parameters("web", append([]string{"idp", tc.provider, "prompt", "none"}, tc.query...)...).Encode())
			at := a.Header.Get("Location")
			if sent := strings.HasPrefix(at, "/oauth/door?t="); sent != tc.upstream {
				t.Fatalf("sent to %s", at)
			}
			if !tc.upstream {
				v.wantCodes(map[bool]audit.Code{true: audit.AuthzRequestGrantCreated, false: audit.AuthnRequestLoginRequired}[tc.signedIn])
				return
			}
			v.wantCodes()
			a = v.follow(v.get(at + "&user=ann&level=4&acr=gold"))
			if q := answerOf(t, a).Query(); !q.Has("code") || !s.door.last.Silent {
				t.Errorf("%v, silent %v", q, s.door.last.Silent)
			}
			v.wantCodes(audit.AuthzRequestGrantCreated)
		})
	}
	t.Run("consent is open", func(t *testing.T) {
		s := newBrowserServer(t)
		s.changeWeb(func(c *settings.WebClient) { c.SkipConsent = false })
		v := s.visitor(t)
		at := v.get("/oauth/authorize?" + parameters("web", "idp", "oidc", "prompt", "none").Encode()).Header.Get("Location")
		a := v.follow(v.get(at + "&user=ann"))
		if q := answerOf(t, a).Query(); q.Get("error") != "consent_required" {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.AuthnRequestConsentRequired)
	})
	t.Run("the level is not reached", func(t *testing.T) {
		s := levels(t, nil)
		v := s.visitor(t)
		at := v.get("/oauth/authorize?" + parameters("web", "idp", "oidc", "scope", "pay", "prompt", "none").Encode()).Header.Get("Location")
		a := v.follow(v.get(at + "&user=ann&level=1"))
		if q := answerOf(t, a).Query(); q.Get("error") != "interaction_required" {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.AuthzRequestAuthenticationLvlInsufficient)
	})
}

// TestAgeOfTheSignIn: an identity provider that answers with an old sign-in is not believed to have asked the user again.
func TestAgeOfTheSignIn(t *testing.T) {
	for _, tc := range []struct {
		name, age string
		query     []string
		error     string
		audit     audit.Code
	}{
		{"old enough for nobody", "48h", nil, "", audit.AuthzRequestGrantCreated},
		{"max_age", "9m", []string{"max_age", "600"}, "", audit.AuthzRequestGrantCreated},
		{"max_age, clocks differ", "10m59s", []string{"max_age", "600"}, "", audit.AuthzRequestGrantCreated},
		{"max_age, too old", "12m", []string{"max_age", "600"}, "login_required", audit.AuthnRequestLoginRequired},
		{"login", "2m", []string{"prompt", "login"}, "login_required", audit.AuthnRequestLoginRequired},
		{"login, just now", "0s", []string{"prompt", "login"}, "", audit.AuthzRequestGrantCreated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newBrowserServer(t)
			v := s.visitor(t)
			if q := answerOf(t, v.signIn(parameters("web", tc.query...), "ann", "age", tc.age)).Query(); q.Get("error") != tc.error || q.Has("code") != (tc.error == "") {
				t.Errorf("%v", q)
			}
			v.wantCodes(tc.audit)
		})
	}
}

// TestParametersForTheProvider: what a request says for the identity provider and the hooks is kept, within its limits.
func TestParametersForTheProvider(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	q := parameters("web", "idp", "saml", "external_idp", "urn:com:onegini:saml:idp:x", "app_view", "mobile", "login_hint", "ann@example.org",
		"ui_locales", "nl de", "acr_values", "urn:onegini.com:oidc:authentication_level:2:identification_level:4", "max_age", "60",
		"display", "popup", "prompt", "login")
	q["external_idp_custom_param.a"] = []string{"1", "2"}
	q["hook_context_custom_param.b.c-d_e"] = []string{"x"}
	v.signIn(q, "ann")
	a := s.door.last
	if a.ExternalIDP != "urn:com:onegini:saml:idp:x" || a.AppView != "mobile" || a.LoginHint != "ann@example.org" || a.UILocales != "nl de" ||
		a.MaxAge != 60 || !a.ForceLogin || len(a.ProviderParams["a"]) != 2 || a.HookParams["b.c-d_e"][0] != "x" || a.Language != "nl" ||
		a.ACRValues != "urn:onegini.com:oidc:authentication_level:2:identification_level:4" {
		t.Errorf("kept %+v", a)
	}
	s.Codes(t)
	many, repeated := parameters("web"), parameters("web")
	for i := range 21 {
		many.Set("hook_context_custom_param.k"+string(rune('a'+i)), "v")
	}
	for range 11 {
		repeated.Add("external_idp_custom_param.k", "v")
	}
	for name, query := range map[string]url.Values{
		"too many keys":        many,
		"too many values":      repeated,
		"key too long":         parameters("web", "hook_context_custom_param."+strings.Repeat("k", 65), "v"),
		"no key":               parameters("web", "hook_context_custom_param.", "v"),
		"key with a blank":     parameters("web", "external_idp_custom_param.a b", "v"),
		"value too long":       parameters("web", "hook_context_custom_param.k", strings.Repeat("v", 513)),
		"external_idp":         parameters("web", "external_idp", "a\nb"),
		"claims are no JSON":   parameters("web", "claims", "{"),
		"claims twice":         parameters("web", "claims", `{"id_token":{},"id_token":{}}`),
		"claims too long":      parameters("web", "claims", `{"x":"`+strings.Repeat("x", 5000)+`"}`),
		"acr of another form":  parameters("web", "idp", "saml", "acr_values", "urn:onegini.com:oidc:authentication_level:5"),
		"acr_values too many":  parameters("web", "acr_values", "a b c d e f g h i j k"),
		"acr with a line":      parameters("web", "acr_values", "a\x01"),
		"request":              parameters("web", "request", "e30.e30."),
		"request_uri":          parameters("web", "request_uri", "https://web.example/request"),
		"max_age of 20 digits": parameters("web", "max_age", "99999999999999999999"),
	} {
		t.Run(name, func(t *testing.T) {
			want := "invalid_request"
			switch name {
			case "request":
				want = "request_not_supported"
			case "request_uri":
				want = "request_uri_not_supported"
			}
			a := s.visitor(t).get("/oauth/authorize?" + query.Encode())
			if q := answerOf(t, a).Query(); q.Get("error") != want || q.Get("state") != "s1" {
				t.Errorf("%v", q)
			}
			wantCodes(t, s, audit.AuthzRequestInvalid)
		})
	}
}
