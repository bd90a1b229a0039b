package oauth_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// sessionsOf are the sessions that the store lists for a user.
func (s *browserServer) sessionsOf(t *testing.T, user string) []store.BrowserSession {
	t.Helper()
	list, err := s.Redis.SessionsOf(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// TestSessionState: session_state comes with openid, for web addresses, and is made as the check session frame makes it.
func TestSessionState(t *testing.T) {
	s := newBrowserServer(t)
	s.client("native").AdditionalScopes = []string{"openid"}
	s.Settings.Set(s.document)
	for _, tc := range []struct {
		name, client, scope, redirect, origin string
	}{
		{"openid", "web", "openid", "https://web.example/back", "https://web.example"},
		{"without openid", "web", "read", "https://web.example/back", ""},
		{"loopback with a port", "native", "openid", "http://127.0.0.1:49152/back", "http://127.0.0.1:49152"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := s.visitor(t)
			q := answerOf(t, v.signIn(parameters(tc.client, "scope", tc.scope, "redirect_uri", tc.redirect), "ann")).Query()
			got := q.Get("session_state")
			if q.Get("code") == "" || tc.origin == "" != (got == "") {
				t.Fatalf("%v", q)
			}
			if tc.origin == "" {
				return
			}
			_, salt, _ := strings.Cut(got, ".")
			sum := sha256.Sum256([]byte(tc.client + tc.origin + v.cookies["opbs"] + salt))
			if got != hex.EncodeToString(sum[:])+"."+salt || len(salt) < 22 {
				t.Errorf("session_state %s", got)
			}
			again := answerOf(t, v.get("/oauth/authorize?"+parameters(tc.client, "scope", tc.scope, "redirect_uri", tc.redirect, "prompt", "none").Encode())).Query()
			if other := again.Get("session_state"); other == "" || other == got {
				t.Errorf("the next answer has session_state %q, the first %q", other, got)
			}
		})
	}
	app := s.visitor(t)
	if q := answerOf(t, app.follow(app.signIn(parameters(phoneQuick), "ann"))).Query(); q.Get("code") == "" || q.Has("session_state") {
		t.Errorf("an app: %v", q)
	}
}

// TestBrowserStateCookies: scripts below the issuer read them, frames of other sites get them, and they end with the session.
func TestBrowserStateCookies(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	at := v.get("/oauth/authorize?" + parameters("web").Encode()).Header.Get("Location")
	a := v.get(at + "&user=ann")
	found := 0
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		switch c.Name {
		case "opbs":
			found++
			if c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteNoneMode || c.Path != "/oauth" || c.MaxAge != 30*60 {
				t.Errorf("%+v", c)
			}
		case "LEGACY_opbs":
			found++
			if c.HttpOnly || !c.Secure || c.SameSite != 0 || c.Path != "/oauth" || c.MaxAge != 30*60 || c.Value != v.cookies["opbs"] {
				t.Errorf("%+v", c)
			}
		case "__Host-ts-session":
			found++
			if !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.MaxAge != 0 {
				t.Errorf("%+v", c)
			}
		}
	}
	if found != 3 {
		t.Errorf("cookies %v", a.Header["Set-Cookie"])
	}
	if random := regexp.MustCompile(`^[A-Za-z0-9_-]{43}$`); !random.MatchString(v.cookies["opbs"]) {
		t.Errorf("state %q", v.cookies["opbs"])
	}
}

// TestSessionGoesOn: whoever signs in again at the same browser keeps session, state and clients; the time is new.
func TestSessionGoesOn(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	v.header.Set("User-Agent", "Firefox")
	v.signIn(parameters("web"), "ann")
	first, state := s.sessionsOf(t, "ann"), v.cookies["opbs"]
	s.Clock.Advance(10 * time.Minute)
	v.signIn(parameters("native", "redirect_uri", "http://127.0.0.1/back", "prompt", "login"), "ann")
	second := s.sessionsOf(t, "ann")
	if len(first) != 1 || len(second) != 1 || first[0].ID != second[0].ID || first[0].ID == "" || slices.Equal(first[0].Hash, second[0].Hash) {
		t.Fatalf("before %+v\nafter %+v", first, second)
	}
	b := second[0]
	if !slices.Equal(b.Clients, []string{"native", "web"}) || !b.AuthTime.Equal(s.Now()) || !b.CreatedAt.Equal(first[0].CreatedAt) ||
		b.EndsAt.Sub(s.Now()) != 8*time.Hour || b.UserAgent != "Firefox" || b.ClientIP != "192.0.2.1" || !b.AnswerAt.Equal(s.Now()) || v.cookies["opbs"] != state {
		t.Errorf("%+v, state %s before and %s after", b, state, v.cookies["opbs"])
	}
	v.signIn(parameters("web", "prompt", "login"), "bob")
	if left := s.sessionsOf(t, "ann"); len(left) != 0 || v.cookies["opbs"] == state {
		t.Errorf("somebody else signed in: %+v", left)
	}
	s.Codes(t)
	s.Clock.Advance(31 * time.Minute)
	if v.signedIn() {
		t.Error("signed in after the session has expired")
	}
	v.signIn(parameters("web"), "bob")
	if b := s.sessionsOf(t, "bob"); len(b) != 1 || b[0].CreatedAt != s.Now() {
		t.Errorf("after it has expired: %+v", b)
	}
}

// gate is a proxy that names the user in each request.
type gate struct{ *door }

func (gate) Names(r *http.Request, _ *settings.IdentityProvider, id string) bool {
	return r.Header.Get("Iv-User") == id
}

// TestSessionBehindProxy: when the proxy names somebody else, or nobody, the session of who was there before is worth nothing.
func TestSessionBehindProxy(t *testing.T) {
	s := newDeviceServer(t)
	s.browser.Providers[settings.HeaderProvider] = gate{s.door}
	v := s.visitor(t)
	v.header.Set("Iv-User", "ann")
	request := "/oauth/authorize?" + parameters("web", "idp", "proxy").Encode()
	v.signIn(parameters("web", "idp", "proxy"), "ann")
	for _, tc := range []struct {
		user  string
		known bool
	}{{"ann", true}, {"bob", false}, {"", false}} {
		v.header.Set("Iv-User", tc.user)
		for _, prompt := range []string{"", "&prompt=none"} {
			a := v.get(request + prompt)
			if got := answerOf(t, a).Query().Has("code"); got != tc.known || !tc.known && !strings.HasPrefix(a.Header.Get("Location"), "/oauth/door?t=") {
				t.Errorf("%q %s: %d %s", tc.user, prompt, a.Status, a.Header.Get("Location"))
			}
		}
	}
	s.Codes(t)
	s.client("tv").AdditionalProviders = []string{"proxy"}
	s.Settings.Set(s.document)
	a := v.enter(s.startDevice(t, "idp", "proxy").UserCode)
	if a = v.get(a.Header.Get("Location")); !strings.HasPrefix(a.Header.Get("Location"), "/oauth/door?t=") {
		t.Errorf("device login: %d %s", a.Status, a.Header.Get("Location"))
	}
}

func TestSessionLimits(t *testing.T) {
	for _, tc := range []struct {
		name                string
		inactivity, maximum int
		uses                []time.Duration // between the requests
		lives               bool
	}{
		{"idle", 0, 0, []time.Duration{30 * time.Minute}, false},
		{"used", 0, 0, []time.Duration{29 * time.Minute, 29 * time.Minute}, true},
		{"shorter", 60, 0, []time.Duration{time.Minute}, false},
		{"shorter, used", 60, 0, []time.Duration{40 * time.Second, 40 * time.Second, 40 * time.Second}, true},
		{"longer", 7200, 0, []time.Duration{119 * time.Minute}, true},
		{"altogether", 7200, 10800, []time.Duration{100 * time.Minute, 81 * time.Minute}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newBrowserServer(t)
			s.document.OAuth.SessionInactivity, s.document.OAuth.SessionMaximum = tc.inactivity, tc.maximum
			s.Settings.Set(s.document)
			v := s.visitor(t)
			v.signIn(parameters("web"), "ann")
			for i, wait := range tc.uses {
				s.Clock.Advance(wait)
				if lives := v.signedIn(); lives != (tc.lives || i < len(tc.uses)-1) {
					t.Errorf("after use %d: signed in %v", i+1, lives)
				}
			}
			if !tc.lives && v.cookies["__Host-ts-session"] != "" {
				t.Error("the cookie of a session that is over stays")
			}
		})
	}
}

// TestLogoutOutlivesRedis: a session that has been ended stays ended, even if Redis forgets that it was removed.
func TestLogoutOutlivesRedis(t *testing.T) {
	s := newLogoutServer(t)
	v := s.visitor(t)
	hint := v.openID("web", "ann").IDToken
	kept, cookie := s.sessionsOf(t, "ann")[0], v.cookies["__Host-ts-session"]
	v.get(logoutURL("id_token_hint", hint))
	if len(s.sessionsOf(t, "ann")) != 0 {
		t.Error("the session is still in Redis")
	}
	if err := s.Redis.AddSession(t.Context(), kept); err != nil {
		t.Fatal(err)
	}
	v.cookies["__Host-ts-session"] = cookie
	if v.signedIn() {
		t.Error("signed in with a session that has ended")
	}
}

// TestCheckSession: the frame answers only pages at the origin of a registered redirect address, and any page may frame it.
func TestCheckSession(t *testing.T) {
	s := newBrowserServer(t)
	for _, tc := range []struct{ name, referer, origin string }{
		{"registered", "https://web.example/", "https://web.example"},
		{"another path, other letters", "https://WEB.example:443/deep/page?x=1", "https://web.example"},
		{"nobody", "", ""},
		{"unknown", "https://evil.example/", ""},
		{"another scheme", "http://web.example/", ""},
		{"another port", "https://web.example:8443/", ""},
		{"name that begins like it", "https://web.example.evil.example/", ""},
		{"disabled client", "https://off.example/", ""},
		{"no address", `"><script>`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			v := s.visitor(t)
			if tc.referer != "" {
				v.header.Set("Referer", tc.referer)
			}
			a := v.get("/oauth/v1/checksession")
			attribute := ""
			if tc.origin != "" {
				attribute = ` data-origin="` + tc.origin + `"`
			}
			script := regexp.MustCompile(`^<!doctype html>\n<html lang="en"` + regexp.QuoteMeta(attribute) + `>\n(?s:.*)<script src="(/oauth/pages/checksession\.[0-9a-f]{16}\.js)"></script>`).FindStringSubmatch(a.Body)
			if a.Status != http.StatusOK || script == nil || strings.Count(a.Body, "<script") != 1 {
				t.Fatalf("%d %s", a.Status, a.Body)
			}
			for name, want := range map[string]string{
				"Content-Security-Policy": "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'",
				"X-Frame-Options":         "", "Cache-Control": "no-store", "Content-Type": "text/html; charset=UTF-8",
			} {
				if got := a.Header.Get(name); got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
			v.wantCodes()
		})
	}
}

// TestCheckSessionNoticesTheEnd: a session that was ended elsewhere, or whose user is gone, gets a new browser state with
// the next frame; the frame itself does not prolong anything.
func TestCheckSessionNoticesTheEnd(t *testing.T) {
	s := newBrowserServer(t)
	frame := func(v *visitor) string {
		if a := v.get("/oauth/v1/checksession"); a.Status != http.StatusOK {
			t.Fatalf("%d %s", a.Status, a.Body)
		}
		return v.cookies["opbs"]
	}
	v := s.visitor(t)
	v.signIn(parameters("web"), "ann")
	state := v.cookies["opbs"]
	if got := frame(v); got != state {
		t.Errorf("state %s, want %s", got, state)
	}
	s.Clock.Advance(29 * time.Minute)
	frame(v)
	s.Clock.Advance(2 * time.Minute)
	if frame(v) == state || v.cookies["__Host-ts-session"] != "" {
		t.Error("the frame has kept the session alive")
	}
	v.signIn(parameters("web"), "bob")
	state = v.cookies["opbs"]
	s.put(t, store.Account{ID: "bob", Username: "bob", Disabled: true})
	if frame(v) == state {
		t.Error("the state of a disabled user stays")
	}
	s.Codes(t)
	s.RedisServer.Close()
	v.cookies["__Host-ts-session"] = "x"
	if a := v.get("/oauth/v1/checksession"); a.Status != http.StatusServiceUnavailable {
		t.Errorf("without Redis: %d", a.Status)
	}
	v.wantCodes()
}

// TestTokensKnowTheirSession: the claim "sid" is that of the session, and stays over refreshes.
func TestTokensKnowTheirSession(t *testing.T) {
	s := newLogoutServer(t)
	v := s.visitor(t)
	tokens := v.openID("web", "ann")
	sid := s.sessionsOf(t, "ann")[0].ID
	if claimsOf(t, tokens.IDToken)["sid"] != sid {
		t.Errorf("sid %v, want %s", claimsOf(t, tokens.IDToken)["sid"], sid)
	}
	refresh := audittest.Request{
		Path: "/oauth/v1/token", Basic: []string{"web", "web secret"},
		Form: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken}},
	}
	status, next := redeem(t, s, refresh)
	if status != http.StatusOK || claimsOf(t, next.IDToken)["sid"] != sid {
		t.Errorf("%d %+v", status, next)
	}
	wantCodes(t, s, audit.TokenRequestAccessTokenRefreshed)
	v.get(logoutURL("id_token_hint", next.IDToken))
	wantCodes(t, s, audit.OpenidSessionLogoutSuccess)
}
