package oauth_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/ratelimit"
)

// purse counts what was spent.
type purse int

func (*purse) Exhausted(context.Context, string) bool { return false }
func (p *purse) Spend(context.Context, string)        { *p++ }

// TestGarbageIsBudgeted: every request that leaves an event of its failure before anybody has proved who it is costs
// something; the failure of a client with a right secret does not.
func TestGarbageIsBudgeted(t *testing.T) {
	k := newKit(t)
	b := newBrowserServer(t)
	get := func(path string) audittest.Request {
		return audittest.Request{Method: http.MethodGet, Path: "/oauth" + path}
	}
	post := func(path string, form ...string) audittest.Request {
		return audittest.Request{Path: "/oauth" + path, Form: pairs(form...)}
	}
	shop := func(r audittest.Request, password string) audittest.Request {
		r.Basic = []string{"shop", password}
		return r
	}
	bearer := get("/v1/userinfo")
	bearer.Header = http.Header{"Authorization": {"Bearer unknown"}}
	for _, tc := range []struct {
		name  string
		h     http.Handler
		env   *audittest.Env
		r     audittest.Request
		spent purse
		code  audit.Code
	}{
		{"unknown client", b.handler, b.Env, get("/authorize?client_id=nobody"), 1, audit.AuthzRequestInvalid},
		{
			"foreign redirect", b.handler, b.Env, get("/authorize?" + parameters("web", "redirect_uri", "https://evil.example/").Encode()), 1,
			audit.AuthzRequestRedirectUriInvalid,
		},
		{"bad scope", b.handler, b.Env, get("/authorize?" + parameters("web", "scope", "gold").Encode()), 1, audit.AuthzRequestScopeInvalid},
		{"nobody signed in", b.handler, b.Env, get("/authorize?" + parameters("web", "prompt", "none").Encode()), 1, audit.AuthnRequestLoginRequired},
		{"consent without transaction", b.handler, b.Env, get("/consent?t=none"), 1, audit.AuthzRequestInvalid},
		{"no grant type", k.h, k.Env, post("/v1/token", "scope", "read"), 1, audit.TokenRequestInvalid},
		{"unknown grant type", k.h, k.Env, post("/v1/token", "grant_type", "magic"), 1, audit.TokenRequestUnsupportedGrantType},
		{"wrong secret", k.h, k.Env, shop(post("/v1/token", "grant_type", "client_credentials"), "wrong"), 1, audit.TokenRequestInvalidClientCredentials},
		{
			"public client, unknown code", k.h, k.Env,
			post("/v1/token", "grant_type", "refresh_token", "client_id", "spa", "refresh_token", "unknown"), 1, audit.TokenRequestInvalidRefreshToken,
		},
		{
			"proven client, unknown scope", k.h, k.Env,
			shop(post("/v1/token", "grant_type", "client_credentials", "scope", "gold"), webSecret), 0, audit.TokenRequestScopeInvalid,
		},
		{"unknown bearer", k.h, k.Env, bearer, 1, audit.TokenRequestInvalidBearerToken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var spent purse
			tc.env.Shell.Budget = &spent
			tc.env.Codes(t)
			a := audittest.Do(t, tc.h, tc.r)
			if got := tc.env.Codes(t); spent != tc.spent || len(got) != 1 || got[0] != tc.code {
				t.Errorf("%d %s: spent %d, audit %v; want %d, %v", a.Status, a.Body, spent, got, tc.spent, tc.code)
			}
		})
	}
}

// TestSignedInUsersAreNotGarbage: a signed-in user who has not agreed yet.
func TestSignedInUsersAreNotGarbage(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	v.signIn(parameters("asking"), "ann")
	s.Codes(t)
	var spent purse
	s.Shell.Budget = &spent
	v.get("/oauth/authorize?" + parameters("asking", "prompt", "none").Encode())
	v.wantCodes(audit.AuthnRequestConsentRequired)
	v.do(http.MethodPost, "/oauth/consent", url.Values{"t": {"none"}})
	if spent != 1 {
		t.Errorf("spent %d, want 1: for the consent without a transaction alone", spent)
	}
}

// TestStartsAreLimited: everybody may begin a sign-in, but nobody too many; who is signed in already goes on.
func TestStartsAreLimited(t *testing.T) {
	s := newBrowserServer(t)
	s.browser.Starts = &ratelimit.Limiter{Counts: s.Redis, Name: "few", Limit: 3, Window: time.Minute, Now: s.Now}
	v := s.visitor(t)
	v.signIn(parameters("web"), "ann")
	path := "/oauth/authorize?" + parameters("web").Encode()
	for range 2 {
		if a := s.visitor(t).get(path); a.Status != http.StatusFound {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	s.Codes(t)
	var spent purse
	s.Shell.Budget = &spent
	for i, want := range [][]audit.Code{{audit.RateLimitExceeded}, {}, {}} {
		a := s.visitor(t).get(path)
		if a.Status != http.StatusTooManyRequests || a.Header.Get("Location") != "" || a.Header.Get("Retry-After") != "60" ||
			!strings.Contains(a.Header.Get("Content-Type"), "text/html") {
			t.Errorf("refusal %d: %d %v", i+1, a.Status, a.Header)
		}
		wantCodes(t, s, want...)
	}
	if a := v.get(path); answerOf(t, v.follow(a)).Query().Get("code") == "" {
		t.Errorf("signed in: %d", a.Status)
	}
	s.Clock.Advance(time.Minute)
	if a := s.visitor(t).get(path); a.Status != http.StatusFound {
		t.Errorf("a minute later: %d", a.Status)
	}
	if spent != 0 {
		t.Errorf("%d spent of the budget for failures", spent)
	}
}
