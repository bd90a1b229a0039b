package idp_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/standin"
	"tokenserver/store"
)

// TestOAuthSignIn: what the journey learns of somebody who has signed in abroad.
func TestOAuthSignIn(t *testing.T) {
	s := newAbroad(t)
	answered(t, s.signIn(t, "oidc", nil), "on")
	recorded(t, s.Env, codes())
	got := s.hall.identity(t)
	token := got.ProviderToken
	got.ProviderToken = ""
	want := store.Identity{
		UserID: "ann", Attributes: store.Attributes{"name": "Ann", "email": "ann@example.org"}, AMR: []string{"pwd", "otp"},
		AuthTime: s.Now(), ProviderSession: "session of ann",
	}
	if !reflect.DeepEqual(got, want) || strings.Count(token, ".") != 2 {
		t.Errorf("identity %+v, token %q", got, token)
	}
}

func TestPlainOAuthSignIn(t *testing.T) {
	s := newAbroad(t)
	answered(t, s.signIn(t, "plain", nil), "on")
	recorded(t, s.Env, codes())
	got := s.hall.identity(t)
	want := store.Identity{UserID: "ann", Attributes: store.Attributes{"name": "Ann", "email": "ann@example.org", "amr": []any{"pwd", "otp"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("identity %+v", got)
	}
}

// TestOAuthAsks: what is passed on to the provider, and that nothing repeats itself.
func TestOAuthAsks(t *testing.T) {
	s := newAbroad(t)
	for _, tc := range []struct {
		name   string
		change func(*store.Authorization)
		want   map[string]string // "" = must be absent
	}{
		{"nothing", nil, map[string]string{
			"prompt": "", "max_age": "", "acr_values": "", "login_hint": "", "ui_locales": "nl", "scope": "openid profile",
			"response_type": "code", "client_id": "ts", "redirect_uri": s.Issuer + "/oauth-idp/callback", "code_challenge_method": "S256",
		}},
		{"silent", func(a *store.Authorization) { a.Silent = true }, map[string]string{"prompt": "none"}},
		{"login", func(a *store.Authorization) { a.ForceLogin, a.SelectAccount, a.AskConsent = true, true, true }, map[string]string{"prompt": "login select_account consent"}},
		{"the rest", func(a *store.Authorization) {
			a.MaxAge, a.ACRValues, a.LoginHint, a.UILocales = 0, "urn:a urn:b", "ann@example.org", "de-CH de"
		}, map[string]string{"max_age": "0", "acr_values": "urn:a urn:b", "login_hint": "ann@example.org", "ui_locales": "de-CH de"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			answered(t, s.signIn(t, "oidc", tc.change), "on")
			asked := s.provider.Asked()
			last := asked[len(asked)-1]
			for name, value := range tc.want {
				if last.Get(name) != value || last.Has(name) != (value != "") {
					t.Errorf("%s is %q, want %q", name, last.Get(name), value)
				}
			}
		})
	}
	seen := map[string]bool{}
	for _, asked := range s.provider.Asked() {
		for _, name := range []string{"state", "nonce", "code_challenge"} {
			if v := asked.Get(name); len(v) < 43 || seen[v] {
				t.Errorf("%s %q repeats itself or is short", name, v)
			}
			seen[asked.Get(name)] = true
		}
	}
	recorded(t, s.Env, codes())
}

const (
	pageGone     = "page the sign-in has ended or belongs to another browser"
	noGrant      = " the identity provider did not sign the user in"
	badAnswer    = "client server_error the identity provider's answer cannot be used"
	noUser       = "client server_error the identity provider does not say who the user is"
	providerAway = "client server_error the identity provider is not available any more"
)

// TestForgedCallbacks: a state that proves nothing is answered with a page; the transaction, if there is one, goes on.
func TestForgedCallbacks(t *testing.T) {
	for _, tc := range []struct {
		name   string
		forge  func(t *testing.T, s *abroad, honest string) audittest.Answer
		reason string
	}{
		{"no state", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			return s.visit(t, "ann's", with(t, honest, "state", ""))
		}, "missing"},
		{"state repeated", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			return s.visit(t, "ann's", honest+"&state=x")
		}, "malformed"},
		{"code repeated", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			return s.visit(t, "ann's", honest+"&code=x")
		}, "malformed"},
		{"no text", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			return s.visit(t, "ann's", honest+"&x=%00")
		}, "malformed"},
		{"endless", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			return s.visit(t, "ann's", honest+"&x="+strings.Repeat("x", 8<<10))
		}, "malformed"},
		{"some state", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			return s.visit(t, "ann's", with(t, honest, "state", "abc"))
		}, "malformed"},
		{"state of nobody", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			return s.visit(t, "ann's", with(t, honest, "state", strings.Replace(stateOf(t, honest), "t1.", "t9.", 1)))
		}, "no transaction"},
		{"changed", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			state := []byte(stateOf(t, honest))
			state[10] ^= 1
			return s.visit(t, "ann's", with(t, honest, "state", string(state)))
		}, "not of this transaction"},
		{"of another transaction of this browser", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			s.hall.open("t2", "oidc", nil)
			return s.visit(t, "ann's", with(t, honest, "state", strings.Replace(stateOf(t, honest), "t1.", "t2.", 1)))
		}, "not of this transaction"},
		{"another browser", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			return s.visit(t, "eve's", honest)
		}, "another browser"},
		{"the victim gets the attacker's", func(t *testing.T, s *abroad, _ string) audittest.Answer {
			s.hall.open("t2", "oidc", func(a *store.Authorization) { a.Browser = []byte("eve's") })
			s.provider.SignIn(map[string]any{"sub": "eve"})
			a := s.visit(t, "eve's", s.oauth.SignInURL("t2"))
			return s.visit(t, "ann's", s.Issuer+"/oauth-idp/callback?code=x&state="+stateOf(t, a.Header.Get("Location")))
		}, "another browser"},
		{"of another provider", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			s.hall.open("t1", "plain", nil) // the same transaction is at another provider now
			return s.visit(t, "ann's", honest)
		}, "not of this transaction"},
		{"expired", func(t *testing.T, s *abroad, honest string) audittest.Answer {
			s.Clock.Advance(30 * time.Minute)
			return s.visit(t, "ann's", honest)
		}, "transaction expired"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newAbroad(t)
			s.hall.open("t1", "oidc", nil)
			honest := s.depart(t)
			answered(t, tc.forge(t, s, honest), pageGone)
			recorded(t, s.Env, codes(audit.IDPOauthStateMismatch), "reason", tc.reason)
			s.hall.nobodyKnown(t)
			if tc.reason != "transaction expired" && tc.name != "of another provider" {
				s.provider.SignIn(map[string]any{"sub": "ann"})
				answered(t, s.visit(t, "ann's", honest), "on")
				recorded(t, s.Env, codes())
			}
		})
	}
}

func stateOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("state")
}

// TestStateIsUsedOnce: also by many at once, and also after the user is known.
func TestStateIsUsedOnce(t *testing.T) {
	s := newAbroad(t)
	s.hall.open("t1", "oidc", nil)
	back := s.depart(t)
	const many = 50
	answers := make([]audittest.Answer, many)
	var group sync.WaitGroup
	for i := range many {
		group.Go(func() { answers[i] = s.visit(t, "ann's", back) })
	}
	group.Wait()
	on := 0
	for _, a := range answers {
		if a.Status == http.StatusFound {
			answered(t, a, "on")
			on++
		} else {
			answered(t, a, pageGone)
		}
	}
	if on != 1 {
		t.Errorf("%d of %d went on, want 1", on, many)
	}
	if n := len(s.Events(t)); n != many-1 {
		t.Errorf("%d events", n)
	}
	answered(t, s.visit(t, "ann's", back), pageGone)
	recorded(t, s.Env, codes(audit.IDPOauthStateMismatch), "reason", "used before", "idp", "oidc")
}

// TestTwoTabs: both tabs depart, the slower one finds the user known and goes on; so does one that departs late.
func TestTwoTabs(t *testing.T) {
	s := newAbroad(t)
	s.hall.open("t1", "oidc", nil)
	first, second := s.depart(t), s.depart(t)
	answered(t, s.visit(t, "ann's", first), "on")
	answered(t, s.visit(t, "ann's", second), "on")
	answered(t, s.visit(t, "ann's", s.oauth.SignInURL("t1")), "on")
	recorded(t, s.Env, codes())
}

// TestProviderErrors: every error of a provider, and answers without a code.
func TestProviderErrors(t *testing.T) {
	for _, tc := range []struct{ upstream, client, event string }{
		{"access_denied", "access_denied", "access_denied"},
		{"login_required", "login_required", "login_required"},
		{"interaction_required", "interaction_required", "interaction_required"},
		{"consent_required", "consent_required", "consent_required"},
		{"invalid_scope", "invalid_scope", "invalid_scope"},
		{"temporarily_unavailable", "temporarily_unavailable", "temporarily_unavailable"},
		{"server_error", "server_error", "server_error"},
		{"unauthorized_client", "server_error", "unauthorized_client"},
		{"account_selection_required", "server_error", "account_selection_required"},
		{"<script>alert(1)</script>", "server_error", "unreadable"},
	} {
		t.Run(tc.upstream, func(t *testing.T) {
			s := newAbroad(t)
			s.provider.Lie(standin.OpenIDLies{Redirect: func(answer url.Values) {
				answer.Set("error", tc.upstream)
				answer.Set("error_description", "secret reasons")
			}})
			answered(t, s.signIn(t, "oidc", nil), "client "+tc.client+noGrant)
			recorded(t, s.Env, codes(audit.IDPOauthMissingAccessGrant), "idp", "oidc", "upstream_error", tc.event)
			s.hall.nobodyKnown(t)
		})
	}
	for _, tc := range []struct {
		name, reason string
		redirect     func(url.Values)
		provider     string
	}{
		{"no code", "no code", func(a url.Values) { a.Del("code") }, "oidc"},
		{"empty code", "no code", func(a url.Values) { a.Set("code", "") }, "plain"},
		{"endless code", "code too long", func(a url.Values) { a.Set("code", strings.Repeat("x", 4<<10+1)) }, "plain"},
		{"another issuer", "answer of another issuer", func(a url.Values) { a.Set("iss", "https://evil.example") }, "oidc"},
		{"error of another issuer", "answer of another issuer", func(a url.Values) { a.Set("iss", "https://evil.example"); a.Set("error", "access_denied") }, "oidc"},
		{"no issuer", "answer of another issuer", func(a url.Values) { a.Del("iss") }, "oidc"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newAbroad(t)
			s.provider.Lie(standin.OpenIDLies{Redirect: tc.redirect})
			answered(t, s.signIn(t, tc.provider, nil), "client server_error"+noGrant)
			recorded(t, s.Env, codes(audit.IDPOauthMissingAccessGrant), "idp", tc.provider, "reason", tc.reason)
		})
	}
	for iss, want := range map[string]string{
		"https://honest.example":   "client server_error" + noGrant, // of the settings: its code would reach the wrong server
		"https://unheard.example/": "on",                            // plain OAuth servers may call themselves what they like
	} {
		t.Run("plain OAuth, answer of "+iss, func(t *testing.T) {
			s := newAbroad(t)
			document := s.Settings.Current().Document
			s.configure(append(document.IdentityProviders, settings.IdentityProvider{
				ID: "honest", Type: settings.OIDCProvider, OAuth: &settings.OAuthSection{Issuer: "https://honest.example"},
			})...)
			s.provider.Lie(standin.OpenIDLies{Redirect: func(a url.Values) { a.Set("iss", iss) }})
			answered(t, s.signIn(t, "plain", nil), want)
			if want == "on" {
				recorded(t, s.Env, codes())
				return
			}
			recorded(t, s.Env, codes(audit.IDPOauthMissingAccessGrant), "idp", "plain", "reason", "answer of another issuer")
		})
	}
	t.Run("issuer not promised", func(t *testing.T) {
		s := newAbroad(t)
		s.provider.Lie(standin.OpenIDLies{
			Redirect: func(a url.Values) { a.Del("iss") },
			Metadata: func(m map[string]any) { delete(m, "authorization_response_iss_parameter_supported") },
		})
		answered(t, s.signIn(t, "oidc", nil), "on")
	})
	t.Run("nobody is signed in", func(t *testing.T) {
		s := newAbroad(t)
		s.provider.SignIn(nil)
		answered(t, s.signIn(t, "oidc", func(a *store.Authorization) { a.Silent = true }), "client login_required"+noGrant)
		recorded(t, s.Env, codes(audit.IDPOauthMissingAccessGrant), "upstream_error", "login_required")
	})
}

func endpoint(path string, status int, body string) standin.OpenIDLies {
	return standin.OpenIDLies{Endpoints: map[string]func(http.ResponseWriter, *http.Request, http.Handler){
		path: func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		},
	}}
}

// TestUnusableAnswers: one row for each kind of trouble behind the callback; the finer ones are rows of package oidc.
func TestUnusableAnswers(t *testing.T) {
	idToken := func(f func(header, claims map[string]any)) standin.OpenIDLies { return standin.OpenIDLies{IDToken: f} }
	for _, tc := range []struct {
		name, provider string
		lies           standin.OpenIDLies
		want           string
		code           audit.Code
		details        []string
	}{
		{"code refused", "oidc", endpoint("/token", 400, `{"error":"invalid_grant"}`), badAnswer, audit.IDPOauthMissingAccessToken, []string{"reason", "code refused", "status", "400", "upstream_error", "invalid_grant"}},
		{"client refused", "plain", endpoint("/token", 401, `{"error":"invalid_client"}`), badAnswer, audit.IDPOauthMissingAccessToken, []string{"reason", "code refused", "status", "401", "upstream_error", "invalid_client"}},
		{"no access token", "plain", endpoint("/token", 200, `{}`), badAnswer, audit.IDPOauthMissingAccessToken, []string{"reason", "no access token", "status", "200"}},
		{"no ID token", "oidc", endpoint("/token", 200, `{"access_token":"x"}`), badAnswer, audit.IDPOauthMissingAccessToken, []string{"reason", "no ID token"}},
		{"unsigned", "oidc", standin.OpenIDLies{Algorithm: "none"}, badAnswer, audit.IDPOauthMissingAccessToken, []string{"reason", "ID token signature", "idp", "oidc"}},
		{"public key as secret", "oidc", standin.OpenIDLies{Algorithm: "HS256"}, badAnswer, audit.IDPOauthMissingAccessToken, []string{"reason", "ID token signature"}},
		{"another nonce", "oidc", idToken(func(_, c map[string]any) { c["nonce"] = "x" }), badAnswer, audit.IDPOauthMissingAccessToken, []string{"reason", "ID token with another nonce"}},
		{"another audience", "oidc", idToken(func(_, c map[string]any) { c["aud"] = "x" }), badAnswer, audit.IDPOauthMissingAccessToken, []string{"reason", "ID token for another audience"}},
		{"no keys", "oidc", endpoint("/jwks", 500, "{}"), badAnswer, audit.IDPOauthMissingAccessToken, []string{"reason", "no keys"}},
		{"profile refused", "plain", endpoint("/profile", 403, "{}"), noUser, audit.IDPOauthMissingUserInfo, []string{"reason", "profile refused", "status", "403"}},
		{"profile in HTML", "oidc", endpoint("/userinfo", 200, "<html>"), noUser, audit.IDPOauthMissingUserInfo, []string{"reason", "not a JSON object", "status", "200"}},
		{"profile of another user", "oidc", endpoint("/userinfo", 200, `{"sub":"eve"}`), noUser, audit.IDPOauthMissingUserInfo, []string{"reason", "profile of another user"}},
		{"profile of nobody", "oidc", endpoint("/userinfo", 200, `{}`), noUser, audit.IDPOauthMissingUserInfo, []string{"reason", "profile of another user"}},
		{"no user id", "plain", endpoint("/profile", 200, `{"name":"Ann"}`), noUser, audit.IDPOauthMissingUserInfo, []string{"reason", "no user id"}},
		{"user id is a list", "plain", endpoint("/profile", 200, `{"userId":["ann"]}`), noUser, audit.IDPOauthMissingUserInfo, []string{"reason", "no user id"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newAbroad(t)
			s.provider.Lie(tc.lies)
			answered(t, s.signIn(t, tc.provider, nil), tc.want)
			recorded(t, s.Env, codes(tc.code), tc.details...)
			s.hall.nobodyKnown(t)
		})
	}
}

// TestMaxAgeAbroad: a provider that ignores max_age is not believed.
func TestMaxAgeAbroad(t *testing.T) {
	s := newAbroad(t)
	s.provider.Lie(standin.OpenIDLies{IDToken: func(_, c map[string]any) { c["auth_time"] = s.Now().Add(-time.Hour).Unix() }})
	answered(t, s.signIn(t, "oidc", func(a *store.Authorization) { a.MaxAge = 600 }), badAnswer)
	recorded(t, s.Env, codes(audit.IDPOauthMissingAccessToken), "reason", "authentication too old")
	answered(t, s.signIn(t, "oidc", func(a *store.Authorization) { a.MaxAge = 7200 }), "on")
}

// TestForcedLoginAbroad: a provider that was never told of prompt=login, or ignores it, is not believed.
func TestForcedLoginAbroad(t *testing.T) {
	force := func(a *store.Authorization) { a.ForceLogin = true }
	s := newAbroad(t)
	for _, tc := range []struct {
		name, reason string
		change       func(claims map[string]any)
	}{
		{"long ago", "authentication too old", func(c map[string]any) { c["auth_time"] = s.Now().Add(-2 * time.Minute).Unix() }},
		{"some time", "ID token without auth_time", func(c map[string]any) { delete(c, "auth_time") }},
	} {
		s.provider.Lie(standin.OpenIDLies{IDToken: func(_, c map[string]any) { tc.change(c) }})
		answered(t, s.signIn(t, "oidc", force), badAnswer)
		recorded(t, s.Env, codes(audit.IDPOauthMissingAccessToken), "reason", tc.reason)
	}
	s.provider.Lie(standin.OpenIDLies{})
	answered(t, s.signIn(t, "oidc", force), "on")
	if asked := s.provider.Asked(); asked[len(asked)-1].Get("max_age") != "0" {
		t.Errorf("asked %v", asked[len(asked)-1])
	}
}

// TestSettingsChangeMeanwhile: the provider is disabled, removed or turned into another kind while the user is away.
func TestSettingsChangeMeanwhile(t *testing.T) {
	for name, providers := range map[string][]settings.IdentityProvider{
		"disabled": {{ID: "oidc", Type: settings.OIDCProvider, Disabled: true}},
		"removed":  nil,
		"turned":   {{ID: "oidc", Type: settings.HeaderProvider}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newAbroad(t)
			s.hall.open("t1", "oidc", nil)
			back := s.depart(t)
			s.configure(providers...)
			answered(t, s.visit(t, "ann's", back), providerAway)
			recorded(t, s.Env, codes(audit.UnableToDetermineIdentityProvider), "idp", "oidc")
			s.hall.open("t2", "oidc", nil)
			answered(t, s.visit(t, "ann's", s.oauth.SignInURL("t2")), providerAway)
			recorded(t, s.Env, codes(audit.UnableToDetermineIdentityProvider), "idp", "oidc")
		})
	}
}

// TestOAuthStart: the ways in which nobody gets as far as the provider.
func TestOAuthStart(t *testing.T) {
	s := newAbroad(t)
	answered(t, s.visit(t, "ann's", s.oauth.SignInURL("t9")), pageGone)
	recorded(t, s.Env, codes(audit.AuthzRequestInvalid), "reason", "no transaction")
	s.hall.open("t1", "oidc", nil)
	answered(t, s.visit(t, "eve's", s.oauth.SignInURL("t1")), pageGone)
	recorded(t, s.Env, codes(audit.AuthzRequestInvalid), "reason", "another browser")
	s.provider.Lie(endpoint("/.well-known/openid-configuration", 503, "{}"))
	s.Shell.Budget = spendsNothing{t} // the trouble is the provider's, not the address's
	answered(t, s.visit(t, "ann's", s.oauth.SignInURL("t1")), "client temporarily_unavailable the identity provider does not answer")
	recorded(t, s.Env, codes(audit.IDPOauthDiscoveryFailed), "idp", "oidc", "reason", "discovery refused", "status", "503")
}

// spendsNothing is a budget for failures of which nothing may be spent.
type spendsNothing struct{ t *testing.T }

func (spendsNothing) Exhausted(context.Context, string) bool { return false }
func (s spendsNothing) Spend(context.Context, string)        { s.t.Error("spent of the budget for garbage") }

// TestRefusedByJourney: somebody whom the server does not want is told so by the client.
func TestRefusedByJourney(t *testing.T) {
	s := newAbroad(t)
	s.hall.refuse = outcome.Failure{Code: outcome.AccessDenied, Audit: audit.IDPUserRefused, Text: "no"}
	answered(t, s.signIn(t, "oidc", nil), "client access_denied no")
	recorded(t, s.Env, codes(audit.IDPUserRefused))
	s.hall.refuse = errors.New("a fault of ours")
	if a := s.signIn(t, "oidc", nil); a.Status != http.StatusInternalServerError {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	recorded(t, s.Env, codes())
}

// TestMappings: attributes, level and user id by other names; large numbers keep their digits.
func TestMappings(t *testing.T) {
	s := newAbroad(t)
	s.provider.SignIn(map[string]any{"sub": "x-1", "loa": 3, "number": int64(12345678901234567), "acr": "urn:a", "nested": map[string]any{"deep": []any{"a", nil}}})
	provider := *s.Settings.Current().IdentityProvider("oidc")
	provider.AttributeMappings = []settings.AttributeMapping{{From: "loa", To: "authenticationLevel"}, {From: "number", To: "userId"}}
	plain := *s.Settings.Current().IdentityProvider("plain")
	section := *plain.OAuth
	section.UserIDClaim = "number"
	plain.OAuth = &section
	s.configure(provider, plain)
	answered(t, s.signIn(t, "oidc", nil), "on")
	id := s.hall.identity(t)
	if id.Level != "3" || id.ACR != "urn:a" || id.Attributes["number"] != "12345678901234567" || id.Attributes["sub"] != "x-1" {
		t.Errorf("%+v", id)
	}
	if !reflect.DeepEqual(id.Attributes["nested"], map[string]any{"deep": []any{"a"}}) {
		t.Errorf("%#v", id.Attributes["nested"])
	}
	answered(t, s.signIn(t, "plain", nil), "on")
	if id := s.hall.identity(t); id.UserID != "12345678901234567" || id.Level != "" {
		t.Errorf("%+v", id)
	}
	s.provider.SignIn(map[string]any{"sub": "x-1", "authenticationLevel": "high", "number": 1})
	answered(t, s.signIn(t, "plain", nil), "on")
	if id := s.hall.identity(t); id.UserID != "1" || id.Level != "high" {
		t.Errorf("%+v", id)
	}
}

// TestLogoutAbroad: where a logout goes on, and what is told when it cannot.
func TestLogoutAbroad(t *testing.T) {
	s := newAbroad(t)
	const back = "https://ts.example/oauth/v1/logout/complete?state=abc"
	session := store.BrowserSession{Provider: "oidc", ProviderToken: "a.b.c"}
	ask := func(session store.BrowserSession, want string, events ...audit.Code) {
		t.Helper()
		got, ok := "", false
		err := s.Store.InTx(s.Context(t), func(ctx context.Context) error { // commits the events
			got, ok = s.oauth.LogoutURL(ctx, session, back)
			return nil
		})
		if err != nil || got != want || ok != (want != "") {
			t.Errorf("%q, %v, %v; want %q", got, ok, err, want)
		}
		recorded(t, s.Env, codes(events...))
	}
	ask(session, s.provider.Issuer()+"/logout?client_id=ts&id_token_hint=a.b.c&post_logout_redirect_uri="+
		url.QueryEscape("https://ts.example/oauth/v1/logout/complete")+"&state=abc")
	ask(store.BrowserSession{Provider: "oidc"}, "", audit.IDPOauthOidcFailedToInitiateEndSession)
	ask(store.BrowserSession{Provider: "plain", ProviderToken: "a.b.c"}, "")
	ask(store.BrowserSession{Provider: "gone", ProviderToken: "a.b.c"}, "")
	other := newAbroad(t)
	other.provider.Lie(standin.OpenIDLies{Metadata: func(m map[string]any) { delete(m, "end_session_endpoint") }})
	s = other
	ask(session, "", audit.IDPOauthOidcFailedToInitiateEndSession)
	s = newAbroad(t)
	s.provider.Lie(endpoint("/.well-known/openid-configuration", 500, "{}"))
	ask(session, "", audit.IDPOauthOidcFailedToInitiateEndSession)
}
