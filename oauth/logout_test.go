package oauth_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/oauth"
	"tokenserver/store"
)

// newLogoutServer is a browser server whose clients can be told about logouts.
func newLogoutServer(t *testing.T) *browserServer {
	t.Helper()
	s := newBrowserServer(t)
	s.client("web").OpenIDConnect = settings.OpenIDConnect{
		PostLogoutRedirectURLs: []string{"https://web.example/out", "https://web.example/bye?x=1"},
	}
	s.client("web").RefreshTokenEnabled = true
	s.client("asking").RefreshTokenEnabled = true
	s.client("asking").SkipConsent = true
	s.Settings.Set(s.document)
	return s
}

// client is a client of the document, to be changed.
func (s *browserServer) client(id string) *settings.WebClient {
	i := slices.IndexFunc(s.document.WebClients, func(w settings.WebClient) bool { return w.ID == id })
	return &s.document.WebClients[i]
}

// openID signs a user in at a client and returns its tokens.
func (v *visitor) openID(client, user string) grantAnswer {
	v.t.Helper()
	a := v.get("/oauth/authorize?" + parameters(client, "scope", "openid", "redirect_uri", v.server.client(client).RedirectURLs[0]).Encode())
	if at := a.Header.Get("Location"); strings.HasPrefix(at, "/oauth/door?t=") {
		a = v.follow(v.get(at + "&user=" + user))
	}
	answer := answerOf(v.t, a)
	status, got := redeem(v.t, v.server, redemption(client, answer.Query().Get("code"), "redirect_uri", v.server.client(client).RedirectURLs[0]))
	if status != http.StatusOK || got.IDToken == "" {
		v.t.Fatalf("no ID token: %d %+v", status, got)
	}
	v.server.Codes(v.t)
	return got
}

func logoutURL(parameters ...string) string {
	return "/oauth/v1/logout?" + pairs(parameters...).Encode()
}

// signedIn tells whether the browser's session still answers prompt=none.
func (v *visitor) signedIn() bool {
	v.t.Helper()
	q := answerOf(v.t, v.get("/oauth/authorize?"+parameters("web", "prompt", "none").Encode())).Query()
	v.server.Codes(v.t)
	return q.Get("code") != ""
}

// signedOutPage checks the page after a logout.
func signedOutPage(t *testing.T, a audittest.Answer, target string) {
	t.Helper()
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "You are signed out") {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	link := ""
	if m := continueLink.FindStringSubmatch(a.Body); m != nil {
		link = strings.ReplaceAll(m[1], "&amp;", "&")
	}
	if link != target {
		t.Errorf("goes on to %q, want %q", link, target)
	}
}

func TestLogoutWithHint(t *testing.T) {
	const success = audit.OpenidSessionLogoutSuccess
	for _, tc := range []struct {
		name, method string
		parameters   []string // besides the hint
		status       int
		location     string
	}{
		{"default address", http.MethodGet, nil, 302, "https://web.example/out"},
		{"address asked for", http.MethodGet, []string{"post_logout_redirect_uri", "https://web.example/bye?x=1", "state", "a b&c"}, 302, "https://web.example/bye?x=1&state=a+b%26c"},
		{"state alone", http.MethodGet, []string{"state", "s"}, 302, "https://web.example/out?state=s"},
		{"client named too", http.MethodGet, []string{"client_id", "web"}, 302, "https://web.example/out"},
		{"form", http.MethodPost, []string{"state", "s"}, 303, "https://web.example/out?state=s"},
		{"what nobody needs", http.MethodGet, []string{"logout_hint", "ann", "ui_locales", "nl"}, 302, "https://web.example/out"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newLogoutServer(t)
			v := s.visitor(t)
			tokens := v.openID("web", "ann")
			former := v.cookies["opbs"]
			p := pairs(append([]string{"id_token_hint", tokens.IDToken}, tc.parameters...)...)
			var a audittest.Answer
			if tc.method == http.MethodPost {
				a = v.do(tc.method, "/oauth/v1/logout", p)
			} else {
				a = v.get("/oauth/v1/logout?" + p.Encode())
			}
			if a.Status != tc.status || a.Header.Get("Location") != tc.location || a.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%d %s %s", a.Status, a.Header.Get("Location"), a.Body)
			}
			v.wantCodes(success)
			if v.cookies["__Host-ts-session"] != "" || v.cookies["opbs"] == former || v.cookies["opbs"] == "" {
				t.Errorf("cookies %v, state before %s", v.cookies, former)
			}
			if v.signedIn() {
				t.Error("still signed in")
			}
			// A client with a secret keeps its tokens unless it says otherwise.
			if got := audittest.Do(t, s.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/v1/userinfo", Bearer: tokens.AccessToken}); got.Status != http.StatusOK {
				t.Errorf("the access token ended: %s", got.Body)
			}
		})
	}
}

// TestLogoutEvent: the event names the user, the client that asked, and all that were told.
func TestLogoutEvent(t *testing.T) {
	s := newLogoutServer(t)
	v := s.visitor(t)
	v.openID("asking", "ann")
	hint := v.openID("web", "ann").IDToken
	v.get(logoutURL("id_token_hint", hint))
	events := s.Events(t)
	if len(events) != 2 || events[0].Code != audit.OpenidSessionLogoutSuccess || events[0].UserID != "ann" || events[0].ClientID != "web" ||
		events[0].Details != `{"clients":["asking","web"]}` {
		t.Fatalf("%+v", events)
	}
	if events[1].Code != audit.OpenidSessionLogoutTokensDeleted || events[1].Details != `{"count":1,"clients":["asking"]}` {
		t.Errorf("%+v", events[1])
	}
}

// TestLogoutDeletesTokens: of the clients whose settings say so, and of this session alone.
func TestLogoutDeletesTokens(t *testing.T) {
	yes, no := true, false
	for _, tc := range []struct {
		name         string
		web, public  *bool
		webLives     bool
		publicLives  bool
		tokensAtAll  bool
		deletedNames string
	}{
		{"as usual", nil, nil, true, false, true, `{"count":1,"clients":["asking"]}`},
		{"both", &yes, nil, false, false, true, `{"count":2,"clients":["asking","web"]}`},
		{"the other one", &yes, &no, false, true, true, `{"count":1,"clients":["web"]}`},
		{"none", &no, &no, true, true, false, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newLogoutServer(t)
			s.client("web").OpenIDConnect.DeleteTokensOnLogout = tc.web
			s.client("asking").OpenIDConnect.DeleteTokensOnLogout = tc.public
			s.client("web").SimultaneousSessions, s.client("web").MaxSimultaneousSessions = true, 5
			s.client("asking").SimultaneousSessions, s.client("asking").MaxSimultaneousSessions = true, 5
			s.Settings.Set(s.document)
			elsewhere := s.visitor(t)
			other := elsewhere.openID("asking", "ann")
			v := s.visitor(t)
			public, web := v.openID("asking", "ann"), v.openID("web", "ann")
			v.get(logoutURL("id_token_hint", web.IDToken))
			events := s.Events(t)
			if got := len(events) == 2; got != tc.tokensAtAll || got && (events[1].Code != audit.OpenidSessionLogoutTokensDeleted || events[1].Details != tc.deletedNames) {
				t.Errorf("%+v", events)
			}
			lives := func(bearer string) bool {
				return audittest.Do(t, s.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/v1/userinfo", Bearer: bearer}).Status == http.StatusOK
			}
			if lives(web.AccessToken) != tc.webLives || lives(public.AccessToken) != tc.publicLives {
				t.Errorf("web lives %v, public lives %v", lives(web.AccessToken), lives(public.AccessToken))
			}
			if !lives(other.AccessToken) || !elsewhere.signedIn() {
				t.Error("the session at the other browser has suffered")
			}
			refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {public.RefreshToken}, "client_id": {"asking"}}
			if status, _ := redeem(t, s, audittest.Request{Path: "/oauth/v1/token", Form: refresh}); (status == http.StatusOK) != tc.publicLives {
				t.Errorf("refresh: %d", status)
			}
		})
	}
}

func TestLogoutAsks(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		hint         func(s *browserServer, v *visitor) []string
		client       string
	}{
		{"nothing", "no id_token_hint", func(*browserServer, *visitor) []string { return nil }, ""},
		{"client", "no id_token_hint", func(*browserServer, *visitor) []string { return []string{"client_id", "web"} }, "The Web"},
		{"no token", "id_token_hint is no ID token of this server", func(*browserServer, *visitor) []string { return []string{"id_token_hint", "x.y.z"} }, ""},
		{"long", "id_token_hint is no ID token of this server", func(*browserServer, *visitor) []string {
			return []string{"id_token_hint", strings.Repeat("x", 17<<10)}
		}, ""},
		{"access token", "id_token_hint is no ID token of this server", func(s *browserServer, v *visitor) []string {
			text, _ := s.ring.Sign(v.t.Context(), "at+jwt", map[string]any{"iss": audittest.Issuer, "sub": "ann", "aud": "web"})
			return []string{"id_token_hint", text, "client_id", "web"}
		}, "The Web"},
		{"another issuer", "id_token_hint is no ID token of this server", func(s *browserServer, v *visitor) []string {
			text, _ := s.ring.Sign(v.t.Context(), "JWT", map[string]any{"iss": "https://other.example", "sub": "ann", "aud": "web"})
			return []string{"id_token_hint", text}
		}, ""},
		{"another user", "id_token_hint of another user", func(s *browserServer, v *visitor) []string {
			return []string{"id_token_hint", s.visitor(v.t).openID("web", "bob").IDToken}
		}, "The Web"},
		{"another session", "id_token_hint of another session", func(s *browserServer, v *visitor) []string {
			return []string{"id_token_hint", s.visitor(v.t).openID("web", "ann").IDToken}
		}, "The Web"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newLogoutServer(t)
			s.client("web").SimultaneousSessions = true
			s.Settings.Set(s.document)
			v := s.visitor(t)
			v.openID("web", "ann")
			a := v.get(logoutURL(tc.hint(s, v)...))
			if a.Status != http.StatusOK || !strings.Contains(a.Body, "Do you want to sign out?") || !strings.Contains(a.Body, "Name of ann") ||
				tc.client != "" != strings.Contains(a.Body, `class="client"`) || !strings.Contains(a.Body, tc.client) {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "frame-ancestors 'none'") || strings.Contains(policy, "script-src") {
				t.Errorf("policy %s", policy)
			}
			events := s.Events(t)
			if len(events) != 1 || events[0].Code != audit.OpenidSessionLogoutConfirmPageShown || events[0].UserID != "ann" ||
				events[0].Details != `{"reason":"`+tc.reason+`"}` {
				t.Errorf("%+v", events)
			}
			target := ""
			if tc.client != "" {
				target = "https://web.example/out"
			}
			signedOutPage(t, v.do(http.MethodPost, "/oauth/v1/logout/accept", formOf(a)), target)
			v.wantCodes(audit.OpenidSessionLogoutSuccess)
			if v.signedIn() {
				t.Error("still signed in")
			}
		})
	}
}

func TestLogoutIsRejected(t *testing.T) {
	s := newLogoutServer(t)
	v := s.visitor(t)
	v.openID("web", "ann")
	a := v.get(logoutURL("client_id", "web", "state", "s"))
	v.wantCodes(audit.OpenidSessionLogoutConfirmPageShown)
	form := formOf(a)
	reject := "/oauth/v1/logout/reject?t=" + form.Get("t")
	if !strings.Contains(a.Body, `href="`+reject+`"`) {
		t.Fatalf("no link to stay: %s", a.Body)
	}
	stranger := s.visitor(t)
	if got := stranger.get(reject); got.Status != http.StatusBadRequest || !strings.Contains(got.Body, "This sign-out has ended") {
		t.Errorf("another browser: %d %s", got.Status, got.Body)
	}
	stranger.wantCodes(audit.OpenidSessionLogoutFailure)
	a = v.get(reject)
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "You are still signed in") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	events := s.Events(t)
	if len(events) != 1 || events[0].Code != audit.OpenidSessionLogoutFailureRejected || events[0].UserID != "ann" || events[0].ClientID != "web" {
		t.Errorf("%+v", events)
	}
	for _, again := range []audittest.Answer{v.get(reject), v.get("/oauth/v1/logout/confirm?t=" + form.Get("t"))} {
		if again.Status != http.StatusBadRequest {
			t.Errorf("again: %d", again.Status)
		}
	}
	v.wantCodes(audit.OpenidSessionLogoutFailure, audit.OpenidSessionLogoutFailure)
	if got := v.do(http.MethodPost, "/oauth/v1/logout/accept", form); got.Status != http.StatusBadRequest {
		t.Errorf("accepted after all: %d", got.Status)
	}
	v.wantCodes(audit.CSRFInvalid)
	if !v.signedIn() {
		t.Error("signed out")
	}
}

func TestLogoutFails(t *testing.T) {
	registered := "https://web.example/out"
	for _, tc := range []struct {
		name       string
		parameters []string
		text       string
		details    string
	}{
		{"unknown client", []string{"client_id", "nobody"}, "not known here", `{"client_id":"nobody","reason":"unknown client"}`},
		{"disabled client", []string{"client_id", "off"}, "not known here", `{"client_id":"off","reason":"unknown client"}`},
		{"hint of another client", []string{"hint", "", "client_id", "asking"}, "not known here", `{"client_id":"asking","reason":"not the client of id_token_hint"}`},
		{"address not registered", []string{"hint", "", "post_logout_redirect_uri", "https://evil.example/"}, "not registered", `{"post_logout_redirect_uri":"\"https://evil.example/\""}`},
		{"address with more", []string{"hint", "", "post_logout_redirect_uri", registered + "/"}, "not registered", `{"post_logout_redirect_uri":"\"https://web.example/out/\""}`},
		{"address of another client", []string{"client_id", "asking", "post_logout_redirect_uri", registered}, "not registered", `{"post_logout_redirect_uri":"\"https://web.example/out\""}`},
		{"address without client", []string{"post_logout_redirect_uri", registered}, "not registered", `{"post_logout_redirect_uri":"\"https://web.example/out\""}`},
		{"address with a bad hint", []string{"id_token_hint", "x", "post_logout_redirect_uri", registered}, "not registered", `{"post_logout_redirect_uri":"\"https://web.example/out\""}`},
		{"state", []string{"hint", "", "state", "a\nb"}, "cannot be answered", `{"field":"state","reason":"malformed"}`},
		{"long state", []string{"hint", "", "state", strings.Repeat("s", 2049)}, "cannot be answered", `{"field":"state","reason":"malformed"}`},
		{"repeated", []string{"state", "a", "state", "b"}, "cannot be answered", `{"reason":"repeated"}`},
		{"no text", []string{"state", "\xff"}, "cannot be answered", `{"reason":"malformed encoding"}`},
		{"too long", []string{"x", strings.Repeat("x", 25<<10)}, "cannot be answered", `{"reason":"query too long"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newLogoutServer(t)
			v := s.visitor(t)
			tokens := v.openID("web", "ann")
			q := url.Values{}
			for i := 0; i < len(tc.parameters); i += 2 {
				if name := tc.parameters[i]; name == "hint" {
					q.Add("id_token_hint", tokens.IDToken)
				} else {
					q.Add(name, tc.parameters[i+1])
				}
			}
			a := v.get("/oauth/v1/logout?" + q.Encode())
			if a.Status != http.StatusBadRequest || !strings.Contains(a.Body, tc.text) || a.Header.Get("Location") != "" {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			events := s.Events(t)
			if len(events) != 1 || events[0].Code != audit.OpenidSessionLogoutFailure || events[0].Details != tc.details {
				t.Errorf("%+v", events)
			}
			if !v.signedIn() {
				t.Error("signed out all the same")
			}
		})
	}
	s := newLogoutServer(t)
	for name, r := range map[string]audittest.Request{
		"JSON":       {Path: "/oauth/v1/logout", JSON: `{}`},
		"query also": {Path: "/oauth/v1/logout?state=s", Form: url.Values{"state": {"s"}}},
	} {
		if a := audittest.Do(t, s.handler, r); a.Status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
		wantCodes(t, s, audit.OpenidSessionLogoutFailure)
	}
}

// TestLogoutWithoutSession: who is not signed in is signed out; the browser still goes where a registered client wants it.
func TestLogoutWithoutSession(t *testing.T) {
	s := newLogoutServer(t)
	v := s.visitor(t)
	hint := v.openID("web", "ann").IDToken
	v.get(logoutURL("id_token_hint", hint))
	s.Codes(t)
	for name, tc := range map[string]struct {
		parameters []string
		location   string
		want       string
	}{
		"nothing":         {nil, "", ""},
		"hint":            {[]string{"id_token_hint", hint, "state", "s"}, "https://web.example/out?state=s", "web"},
		"client":          {[]string{"client_id", "web", "post_logout_redirect_uri", "https://web.example/bye?x=1"}, "https://web.example/bye?x=1", "web"},
		"without address": {[]string{"client_id", "asking"}, "", "asking"},
	} {
		t.Run(name, func(t *testing.T) {
			a := v.get(logoutURL(tc.parameters...))
			if tc.location == "" {
				signedOutPage(t, a, "")
			} else if a.Status != http.StatusFound || a.Header.Get("Location") != tc.location {
				t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
			}
			events := s.Events(t)
			if len(events) != 1 || events[0].Code != audit.OpenidSessionLogoutFailure || events[0].ClientID != tc.want || events[0].Details != `{"reason":"no session"}` {
				t.Errorf("%+v", events)
			}
		})
	}
}

// TestLogoutByFormOfAnotherSite: browsers keep the session's cookie from it, but not from the redirect that follows.
func TestLogoutByFormOfAnotherSite(t *testing.T) {
	s := newLogoutServer(t)
	v := s.visitor(t)
	hint := v.openID("web", "ann").IDToken
	session := v.cookies["__Host-ts-session"]
	delete(v.cookies, "__Host-ts-session")
	a := v.do(http.MethodPost, "/oauth/v1/logout", pairs("id_token_hint", hint, "state", "s"))
	at := a.Header.Get("Location")
	if a.Status != http.StatusSeeOther || !strings.HasPrefix(at, "/oauth/v1/logout/continue?t=") || strings.Contains(at, hint) {
		t.Fatalf("%d %s", a.Status, at)
	}
	v.wantCodes()
	stranger := s.visitor(t)
	stranger.cookies["__Host-ts-session"] = session
	if a := stranger.get(at); a.Status != http.StatusBadRequest {
		t.Errorf("another browser: %d", a.Status)
	}
	stranger.wantCodes(audit.OpenidSessionLogoutFailure)
	v.cookies["__Host-ts-session"] = session
	if a := v.get(at); a.Status != http.StatusFound || a.Header.Get("Location") != "https://web.example/out?state=s" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	v.wantCodes(audit.OpenidSessionLogoutSuccess)
	if a := v.get(at); a.Status != http.StatusBadRequest {
		t.Errorf("again: %d", a.Status)
	}
	v.wantCodes(audit.OpenidSessionLogoutFailure)
}

// TestLogoutFlood: forms of nobody leave only so many logouts behind.
func TestLogoutFlood(t *testing.T) {
	s := newLogoutServer(t)
	s.browser.Starts = limit(s.Env, "starts", 3)
	v := s.visitor(t)
	for range 3 {
		if a := v.do(http.MethodPost, "/oauth/v1/logout", pairs("state", "s")); a.Status != http.StatusSeeOther {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
	}
	v.wantCodes()
	if a := v.do(http.MethodPost, "/oauth/v1/logout", pairs("state", "s")); a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "60" {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	v.wantCodes(audit.RateLimitExceeded)
}

// TestLogoutForgery: nothing but the form of the last page, in time and in this browser, counts.
func TestLogoutForgery(t *testing.T) {
	for _, tc := range []struct {
		name   string
		spoil  func(s *browserServer, v *visitor, form url.Values) *visitor
		status int // 303: a fresh page
		reason string
	}{
		{"no token", func(_ *browserServer, v *visitor, form url.Values) *visitor { form.Del("csrf_token"); return v }, 303, "missing"},
		{"wrong token", func(_ *browserServer, v *visitor, form url.Values) *visitor {
			form.Set("csrf_token", strings.Repeat("0", 64))
			return v
		}, 303, "wrong or used"},
		{"token of the page before", func(_ *browserServer, v *visitor, form url.Values) *visitor {
			v.get("/oauth/v1/logout/confirm?t=" + form.Get("t"))
			v.server.Codes(v.t)
			return v
		}, 303, "wrong or used"},
		{"too late", func(s *browserServer, v *visitor, _ url.Values) *visitor { s.Clock.Advance(5 * time.Minute); return v }, 303, "expired"},
		{"another browser", func(s *browserServer, v *visitor, _ url.Values) *visitor {
			other := s.visitor(v.t)
			other.cookies["__Host-ts-session"] = v.cookies["__Host-ts-session"]
			return other
		}, 400, "another browser"},
		{"no logout", func(_ *browserServer, v *visitor, form url.Values) *visitor { form.Set("t", "x"); return v }, 400, "no transaction"},
		{"much too late", func(s *browserServer, v *visitor, _ url.Values) *visitor { s.Clock.Advance(10 * time.Minute); return v }, 400, "no transaction"},
		{"after another sign-in", func(_ *browserServer, v *visitor, _ url.Values) *visitor {
			v.signIn(parameters("web", "prompt", "login"), "bob")
			v.server.Codes(v.t)
			return v
		}, 303, "wrong or used"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newLogoutServer(t)
			v := s.visitor(t)
			v.openID("web", "ann")
			form := formOf(v.get(logoutURL("client_id", "web")))
			s.Codes(t)
			at := tc.spoil(s, v, form)
			a := at.do(http.MethodPost, "/oauth/v1/logout/accept", form)
			if a.Status != tc.status {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			events := s.Events(t)
			if len(events) != 1 || events[0].Code != audit.CSRFInvalid || events[0].Details != `{"reason":"`+tc.reason+`"}` {
				t.Errorf("%+v", events)
			}
			if !at.signedIn() {
				t.Error("signed out")
			}
			if tc.status != http.StatusSeeOther {
				return
			}
			fresh := at.follow(a)
			if fresh.Status != http.StatusOK || !strings.Contains(fresh.Body, `role="alert"`) {
				t.Errorf("fresh page: %d %s", fresh.Status, fresh.Body)
			}
			at.wantCodes(audit.OpenidSessionLogoutConfirmPageShown)
			signedOutPage(t, at.do(http.MethodPost, "/oauth/v1/logout/accept", formOf(fresh)), "https://web.example/out")
			at.wantCodes(audit.OpenidSessionLogoutSuccess)
		})
	}
	s := newLogoutServer(t)
	v := s.visitor(t)
	if a := v.do(http.MethodPost, "/oauth/v1/logout/accept?x=1", url.Values{"t": {"x"}}); a.Status != http.StatusBadRequest {
		t.Errorf("no form: %d", a.Status)
	}
	v.wantCodes(audit.CSRFInvalid)
}

// TestLogoutWhileTheSessionEnds: the user says yes to what has ended meanwhile.
func TestLogoutWhileTheSessionEnds(t *testing.T) {
	s := newLogoutServer(t)
	v := s.visitor(t)
	v.openID("web", "ann")
	page := v.get(logoutURL("client_id", "web"))
	delete(v.cookies, "__Host-ts-session")
	s.Codes(t)
	signedOutPage(t, v.get("/oauth/v1/logout/confirm?t="+formOf(page).Get("t")), "https://web.example/out")
	v.wantCodes(audit.OpenidSessionLogoutFailure)
	signedOutPage(t, v.do(http.MethodPost, "/oauth/v1/logout/accept", formOf(page)), "https://web.example/out")
	v.wantCodes(audit.OpenidSessionLogoutFailure)
}

// TestOneOfManyAccepts: of many posts of one form one logs out.
func TestOneOfManyAccepts(t *testing.T) {
	s := newLogoutServer(t)
	v := s.visitor(t)
	v.openID("web", "ann")
	form := formOf(v.get(logoutURL("client_id", "web")))
	s.Codes(t)
	var cookies []string
	for name, value := range v.cookies {
		cookies = append(cookies, name+"="+value)
	}
	var running sync.WaitGroup
	for range 50 {
		running.Go(func() {
			audittest.Do(t, s.handler, audittest.Request{
				Path: "/oauth/v1/logout/accept", Form: form, Header: http.Header{"Cookie": {strings.Join(cookies, "; ")}},
			})
		})
	}
	running.Wait()
	successes := 0
	for _, code := range s.Codes(t) {
		if code == audit.OpenidSessionLogoutSuccess {
			successes++
		}
	}
	if successes != 1 {
		t.Errorf("%d logouts, want 1", successes)
	}
}

func TestFrontChannelLogout(t *testing.T) {
	s := newLogoutServer(t)
	s.client("web").OpenIDConnect.FrontChannelLogoutURL = "https://web.example:8443/gone?a=1"
	s.client("web").OpenIDConnect.FrontChannelSession = true
	s.client("asking").OpenIDConnect.FrontChannelLogoutURL = "https://asking.example/gone"
	s.client("native").OpenIDConnect.FrontChannelLogoutURL = "https://native.example/gone" // not in this session
	s.Settings.Set(s.document)
	v := s.visitor(t)
	v.openID("asking", "ann")
	hint := v.openID("web", "ann").IDToken
	a := v.get(logoutURL("id_token_hint", hint, "state", "s"))
	signedOutPage(t, a, "https://web.example/out?state=s")
	sid := claimsOf(t, hint)["sid"].(string)
	want := `<iframe hidden src="https://asking.example/gone"></iframe>` +
		`<iframe hidden src="https://web.example:8443/gone?a=1&amp;iss=https%3A%2F%2Fts.example%2Foauth&amp;sid=` + sid + `"></iframe>`
	if !strings.Contains(a.Body, want) || strings.Contains(a.Body, "native") {
		t.Errorf("frames in %s\nwant %s", a.Body, want)
	}
	policy := a.Header.Get("Content-Security-Policy")
	if policy != "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'self'; script-src 'self'; frame-src https://asking.example https://web.example:8443" {
		t.Errorf("policy %s", policy)
	}
	v.wantCodes(audit.OpenidSessionLogoutSuccess, audit.OpenidSessionLogoutTokensDeleted)
}

func claimsOf(t *testing.T, compact string) map[string]any {
	t.Helper()
	claims := map[string]any{}
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// leavingDoor is a door with a logout of its own.
type leavingDoor struct {
	door
	can bool
}

func (d *leavingDoor) LogoutURL(_ context.Context, session store.BrowserSession, back string) (string, bool) {
	return "https://idp.example/out?" + url.Values{"user": {session.UserID}, "back": {back}}.Encode(), d.can
}

func TestLogoutAtTheProvider(t *testing.T) {
	s := newLogoutServer(t)
	s.client("web").OpenIDConnect.FrontChannelLogoutURL = "https://web.example/gone"
	s.Settings.Set(s.document)
	leaving := &leavingDoor{door: door{s: s}, can: true}
	s.browser.Providers = oauth.Providers{"DOOR": leaving}
	v := s.visitor(t)
	hint := v.openID("web", "ann").IDToken
	a := v.get(logoutURL("id_token_hint", hint, "state", "s"))
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.Status != http.StatusFound || u.Host != "idp.example" || u.Query().Get("user") != "ann" {
		t.Fatalf("%d %s", a.Status, a.Header.Get("Location"))
	}
	v.wantCodes(audit.OpenidSessionLogoutSuccess)
	back, found := strings.CutPrefix(u.Query().Get("back"), "https://ts.example")
	if !found || !strings.HasPrefix(back, "/oauth/v1/logout/complete?state=") {
		t.Fatalf("back to %s", u.Query().Get("back"))
	}
	if v.signedIn() {
		t.Error("still signed in here")
	}
	if got := s.visitor(t).get(back); got.Status != http.StatusBadRequest {
		t.Errorf("another browser: %d", got.Status)
	}
	v.wantCodes(audit.OpenidSessionLogoutFailure)
	a = v.get(back)
	signedOutPage(t, a, "https://web.example/out?state=s")
	if !strings.Contains(a.Body, "https://web.example/gone") {
		t.Error("the client is not told")
	}
	v.wantCodes()
	if got := v.get(back); got.Status != http.StatusBadRequest {
		t.Errorf("again: %d", got.Status)
	}
	v.wantCodes(audit.OpenidSessionLogoutFailure)

	// After the question a page stands between: the policy of a form says where it may lead.
	v.openID("web", "ann")
	page := v.get(logoutURL("client_id", "web"))
	a = v.do(http.MethodPost, "/oauth/v1/logout/accept", formOf(page))
	m := continueLink.FindStringSubmatch(a.Body)
	if a.Status != http.StatusOK || m == nil || !strings.HasPrefix(m[1], "https://idp.example/out?") || strings.Contains(a.Body, "iframe") {
		t.Errorf("%d %s", a.Status, a.Body)
	}
	s.Codes(t)

	// A provider that cannot, or that is not there any more, is left out.
	leaving.can = false
	signedOutPage(t, v.get(logoutURL("id_token_hint", v.openID("web", "ann").IDToken)), "https://web.example/out")
	v.wantCodes(audit.OpenidSessionLogoutSuccess)
	leaving.can = true
	hint = v.openID("web", "ann").IDToken
	s.document.IdentityProviders[0].Disabled = true
	s.Settings.Set(s.document)
	signedOutPage(t, v.get(logoutURL("id_token_hint", hint)), "https://web.example/out")
	v.wantCodes(audit.OpenidSessionLogoutSuccess)
}
