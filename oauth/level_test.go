package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/settings"
)

// levels makes the scope "pay" need level 3 and adds the client "strict", whose identity providers are all there are.
func levels(t *testing.T, change func(*settings.Document)) *browserServer {
	t.Helper()
	s := newBrowserServer(t)
	for i := range s.document.Scopes {
		if s.document.Scopes[i].ID == "pay" {
			s.document.Scopes[i].Level = 3
		}
	}
	if change != nil {
		change(&s.document)
	}
	s.Settings.Set(s.document)
	return s
}

func TestLevel(t *testing.T) {
	endpoint := func(d *settings.Document) { d.OAuth.AuthenticationEndpoint = "https://step.example/up?from=ts" }
	const urn = "urn:onegini.com:oidc:authentication_level:"
	for _, tc := range []struct {
		name   string
		change func(*settings.Document)
		query  []string
		said   []string // by the door
		error  string   // of the answer to the client; "" = success
		away   string   // where the browser is led instead
		acr    string
		audit  audit.Code
	}{
		{name: "none needed", query: []string{"scope", "read"}, audit: audit.AuthzRequestGrantCreated},
		{name: "enough", query: []string{"scope", "read pay"}, said: []string{"level", "3"}, acr: urn + "3", audit: audit.AuthzRequestGrantCreated},
		{name: "more than enough", query: []string{"scope", "pay"}, said: []string{"level", "99"}, acr: urn + "99", audit: audit.AuthzRequestGrantCreated},
		{name: "by attribute", query: []string{"scope", "pay"}, said: []string{"attribute.authenticationLevel", "4"}, acr: urn + "4", audit: audit.AuthzRequestGrantCreated},
		{name: "by acr", query: []string{"scope", "pay"}, said: []string{"acr", urn + "3:identification_level:2"}, acr: urn + "3:identification_level:2", audit: audit.AuthzRequestGrantCreated},
		{name: "acr of others says nothing", query: []string{"scope", "pay"}, said: []string{"acr", "gold"}, error: "access_denied", audit: audit.AuthzRequestAuthenticationLvlInsufficient},
		{name: "other acr is kept", query: []string{"scope", "pay"}, said: []string{"acr", "gold", "level", "3"}, acr: "gold", audit: audit.AuthzRequestGrantCreated},
		{name: "too low", query: []string{"scope", "pay"}, said: []string{"level", "2"}, error: "access_denied", audit: audit.AuthzRequestAuthenticationLvlInsufficient},
		{name: "no level", query: []string{"scope", "pay"}, error: "access_denied", audit: audit.AuthzRequestAuthenticationLvlInsufficient},
		{
			name: "too low, with a page for it", change: endpoint, query: []string{"scope", "pay"}, said: []string{"level", "2"},
			away: "https://step.example/up?from=ts&auth_level=3&redirect_uri=https%3A%2F%2Fweb.example%2Fback", audit: audit.AuthzRequestAuthenticationLvlInsufficient,
		},
		{name: "a word", query: []string{"scope", "read"}, said: []string{"level", "high"}, error: "server_error", audit: audit.AuthorizationLvlUnsupported},
		{name: "negative", query: []string{"scope", "read"}, said: []string{"level", "-1"}, error: "server_error", audit: audit.AuthorizationLvlUnsupported},
		{name: "plus sign", query: []string{"scope", "read"}, said: []string{"level", "+1"}, error: "server_error", audit: audit.AuthorizationLvlUnsupported},
		{name: "fraction", query: []string{"scope", "read"}, said: []string{"level", "2.0"}, error: "server_error", audit: audit.AuthorizationLvlUnsupported},
		{name: "above 99", query: []string{"scope", "read"}, said: []string{"level", "100"}, error: "server_error", audit: audit.AuthorizationLvlUnsupported},
		{name: "blank", query: []string{"scope", "read"}, said: []string{"level", " "}, error: "server_error", audit: audit.AuthorizationLvlUnsupported},
		{name: "control characters", query: []string{"scope", "read"}, said: []string{"level", "3\r\nx"}, error: "server_error", audit: audit.AuthorizationLvlUnsupported},
		{name: "other digits", query: []string{"scope", "read"}, said: []string{"level", "\u0663"}, error: "server_error", audit: audit.AuthorizationLvlUnsupported},
		{name: "attribute is a word", query: []string{"scope", "read"}, said: []string{"attribute.authenticationLevel", "two"}, error: "server_error", audit: audit.AuthorizationLvlUnsupported},
		{
			name: "essential acr", query: []string{"claims", `{"id_token":{"acr":{"essential":true,"values":["gold","silver"]}}}`},
			said: []string{"acr", "silver"}, acr: "silver", audit: audit.AuthzRequestGrantCreated,
		},
		{
			name: "essential acr as level", query: []string{"claims", `{"userinfo":{"acr":{"essential":true,"value":"` + urn + `2"}}}`},
			said: []string{"level", "3"}, acr: urn + "3", audit: audit.AuthzRequestGrantCreated,
		},
		{
			name: "essential acr not met", query: []string{"claims", `{"id_token":{"acr":{"essential":true,"value":"gold"}}}`},
			said: []string{"acr", "silver"}, error: "unmet_authentication_requirements", audit: audit.AuthzRequestAuthenticationLvlInsufficient,
		},
		{
			name: "acr that is not essential", query: []string{"claims", `{"id_token":{"acr":{"values":["gold"]},"email":null}}`},
			said: []string{"acr", "silver"}, acr: "silver", audit: audit.AuthzRequestGrantCreated,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := levels(t, tc.change)
			v := s.visitor(t)
			request := parameters("web", append([]string{"scope", "read", "redirect_uri", "https://web.example/back"}, tc.query...)...)
			request.Set("scope", request.Get("scope")+" openid")
			a := v.signIn(request, "ann", tc.said...)
			if tc.away != "" {
				if a.Header.Get("Location") != tc.away || a.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("led to %q", a.Header.Get("Location"))
				}
			} else if q := answerOf(t, a).Query(); q.Get("error") != tc.error || q.Get("state") != "s1" || q.Has("code") != (tc.error == "") {
				t.Errorf("%v", q)
			}
			v.wantCodes(tc.audit)
			if tc.error == "" && tc.away == "" {
				got, _ := s.redeem(t, a, "redirect_uri", "https://web.example/back").claims["acr"].(string)
				if got != tc.acr {
					t.Errorf("acr %q, want %q", got, tc.acr)
				}
			}
			for name := range v.cookies {
				if strings.Contains(name, "ts-auth-") {
					t.Errorf("the transaction goes on: cookie %s", name)
				}
			}
		})
	}
}

// TestUnreadableLevelLeavesNothing: the next sign-in is not haunted by a session at a level that nobody can read.
func TestUnreadableLevelLeavesNothing(t *testing.T) {
	s := levels(t, nil)
	v := s.visitor(t)
	v.signIn(parameters("web"), "ann", "level", "high")
	v.wantCodes(audit.AuthorizationLvlUnsupported)
	if q := answerOf(t, v.get("/oauth/authorize?"+parameters("web", "prompt", "none").Encode())).Query(); q.Get("error") != "login_required" {
		t.Errorf("%v", q)
	}
	v.wantCodes(audit.AuthnRequestLoginRequired)
}

// TestProviderRaisesLevel: a SAML or OpenID provider is asked once for the level that is missing.
func TestProviderRaisesLevel(t *testing.T) {
	for _, provider := range []string{"saml", "oidc"} {
		t.Run(provider, func(t *testing.T) {
			s := levels(t, nil)
			v := s.visitor(t)
			again := v.signIn(parameters("web", "scope", "pay", "idp", provider), "ann", "level", "1")
			at := again.Header.Get("Location")
			if !strings.HasPrefix(at, "/oauth/door?t=") {
				t.Fatalf("not sent back: %d %s", again.Status, at)
			}
			v.wantCodes()
			a := v.follow(v.get(at + "&user=ann&level=3"))
			if want := "urn:onegini.com:oidc:authentication_level:3"; s.door.last.ACRValues != want || !s.door.last.Raised || s.door.last.UserID != "" {
				t.Errorf("the provider sees %+v", s.door.last)
			}
			if q := answerOf(t, a).Query(); !q.Has("code") {
				t.Errorf("%v", q)
			}
			v.wantCodes(audit.AuthzRequestGrantCreated)
		})
		t.Run(provider+" cannot", func(t *testing.T) {
			s := levels(t, nil)
			v := s.visitor(t)
			again := v.signIn(parameters("web", "scope", "pay", "idp", provider), "ann", "level", "1")
			a := v.follow(v.get(again.Header.Get("Location") + "&user=ann&level=2"))
			if q := answerOf(t, a).Query(); q.Get("error") != "access_denied" {
				t.Errorf("%v", q)
			}
			v.wantCodes(audit.AuthzRequestAuthenticationLvlInsufficient)
		})
	}
}

// TestProviderIsAskedForTheEssentialContext: what is missing is asked for, also when the scopes need a level that is there.
func TestProviderIsAskedForTheEssentialContext(t *testing.T) {
	s := levels(t, nil)
	v := s.visitor(t)
	again := v.signIn(parameters("web", "scope", "pay", "idp", "oidc", "acr_values", "silver",
		"claims", `{"id_token":{"acr":{"essential":true,"value":"gold"}}}`), "ann", "level", "3", "acr", "silver")
	v.get(again.Header.Get("Location") + "&user=ann&level=3&acr=gold")
	if s.door.last.ACRValues != "gold" || !s.door.last.Raised {
		t.Errorf("the provider sees %+v", s.door.last)
	}
}

// TestSilentLevel: nobody is shown a page for want of a level.
func TestSilentLevel(t *testing.T) {
	s := levels(t, func(d *settings.Document) { d.OAuth.AuthenticationEndpoint = "https://step.example/" })
	v := s.visitor(t)
	v.signIn(parameters("web", "scope", "read"), "ann", "level", "1")
	v.wantCodes(audit.AuthzRequestGrantCreated)
	a := v.get("/oauth/authorize?" + parameters("web", "scope", "pay", "prompt", "none").Encode())
	if q := answerOf(t, a).Query(); q.Get("error") != "interaction_required" || !strings.HasPrefix(a.Header.Get("Location"), "https://web.example/") {
		t.Errorf("%v", q)
	}
	v.wantCodes(audit.AuthzRequestAuthenticationLvlInsufficient)
}

// TestTampering: who comes back names the request that was begun, or none.
func TestTampering(t *testing.T) {
	for _, tc := range []struct{ name, value string }{
		{"client_id", "asking"}, {"idp", "window"}, {"redirect_uri", "https://evil.example/"}, {"scope", "read pay"}, {"response_type", "token"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newBrowserServer(t)
			v := s.visitor(t)
			at := v.get("/oauth/authorize?" + parameters("web").Encode()).Header.Get("Location")
			back := v.get(at + "&user=ann").Header.Get("Location")
			a := v.get(back + "&" + url.Values{tc.name: {tc.value}}.Encode())
			if a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" {
				t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
			}
			events := s.Events(t)
			if len(events) != 1 || events[0].Code != audit.AuthzRequestInvalid || !strings.Contains(events[0].Details, `"reason":"transaction tampering"`) {
				t.Errorf("events %+v", events)
			}
			if q := answerOf(t, v.get(back+"&client_id=web&idp=door")).Query(); !q.Has("code") {
				t.Errorf("the same request: %v", q)
			}
		})
	}
}
