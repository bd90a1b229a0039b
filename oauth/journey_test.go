package oauth_test

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// TestSessionSparesTheSignIn: who has signed in at this browser does not do it again, unless asked to.
func TestSessionSparesTheSignIn(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	if q := answerOf(t, v.signIn(parameters("web"), "ann")).Query(); q.Get("code") == "" || q.Get("iss") != audittest.Issuer {
		t.Fatalf("%v", q)
	}
	v.wantCodes(audit.AuthzRequestGrantCreated)
	for _, tc := range []struct {
		name   string
		change []string
		wait   time.Duration
		door   bool   // sent to sign in
		error  string // of the answer
		audit  []audit.Code
	}{
		{name: "session", audit: []audit.Code{audit.AuthzRequestGrantCreated}},
		{name: "silent", change: []string{"prompt", "none"}, audit: []audit.Code{audit.AuthzRequestGrantCreated}},
		{name: "login", change: []string{"prompt", "login"}, door: true},
		{name: "another account", change: []string{"prompt", "select_account"}, door: true},
		{name: "max_age reached", change: []string{"max_age", "60"}, wait: time.Minute, door: true},
		{name: "max_age not reached", change: []string{"max_age", "120"}, audit: []audit.Code{audit.AuthzRequestGrantCreated}},
		{name: "max_age 0", change: []string{"max_age", "0"}, door: true},
		{name: "silent but too old", change: []string{"max_age", "1", "prompt", "none"}, error: "login_required", audit: []audit.Code{audit.AuthnRequestLoginRequired}},
		{name: "another provider", change: []string{"idp", "window"}, door: true},
		{name: "silent at another provider", change: []string{"idp", "window", "prompt", "none"}, error: "interaction_required", audit: []audit.Code{audit.AuthnRequestInteractionRequired}},
		{name: "used in time", wait: 29 * time.Minute, audit: []audit.Code{audit.AuthzRequestGrantCreated}},
		{name: "moved by the use", wait: 29 * time.Minute, audit: []audit.Code{audit.AuthzRequestGrantCreated}},
		{name: "idle", wait: 30 * time.Minute, door: true},
	} {
		s.Clock.Advance(tc.wait)
		a := v.get("/oauth/authorize?" + parameters("web", tc.change...).Encode())
		sent := strings.HasPrefix(a.Header.Get("Location"), "/oauth/door")
		if sent != tc.door {
			t.Errorf("%s: %d %s", tc.name, a.Status, a.Header.Get("Location"))
		}
		if !sent {
			if q := answerOf(t, a).Query(); q.Get("error") != tc.error || q.Has("code") != (tc.error == "") {
				t.Errorf("%s: %v", tc.name, q)
			}
		}
		if got := s.Codes(t); len(got) != len(tc.audit) || len(got) == 1 && got[0] != tc.audit[0] {
			t.Errorf("%s: audit %v, want %v", tc.name, got, tc.audit)
		}
	}
}

func TestSessionEndsForGood(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	v.signIn(parameters("web"), "ann")
	for range 16 { // used every half an hour, but eight hours are the most
		s.Clock.Advance(29*time.Minute + 30*time.Second)
		v.get("/oauth/authorize?" + parameters("web").Encode())
	}
	s.Codes(t)
	s.Clock.Advance(20 * time.Minute)
	a := v.get("/oauth/authorize?" + parameters("web", "prompt", "none").Encode())
	if q := answerOf(t, a).Query(); q.Get("error") != "login_required" {
		t.Errorf("%v", q)
	}
	wantCodes(t, s, audit.AuthnRequestLoginRequired)
}

func TestSessionOfADisabledAccount(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	v.signIn(parameters("web"), "ann")
	s.Codes(t)
	s.put(t, store.Account{ID: "ann", Username: "ann", Disabled: true})
	a := v.get("/oauth/authorize?" + parameters("web", "prompt", "none").Encode())
	if q := answerOf(t, a).Query(); q.Get("error") != "login_required" {
		t.Errorf("%v", q)
	}
	v.wantCodes(audit.AuthnRequestLoginRequired)
}

func TestSessionFromBeforeTheNewPassword(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	v.signIn(parameters("web"), "ann")
	s.Clock.Advance(time.Minute)
	s.put(t, store.Account{ID: "ann", Username: "ann", SignInsSince: s.Now()})
	s.Codes(t)
	a := v.get("/oauth/authorize?" + parameters("web", "prompt", "none").Encode())
	if q := answerOf(t, a).Query(); q.Get("error") != "login_required" {
		t.Errorf("%v", q)
	}
	v.wantCodes(audit.AuthnRequestLoginRequired)
	v.signIn(parameters("web"), "ann")
	a = v.get("/oauth/authorize?" + parameters("web", "prompt", "none").Encode())
	if q := answerOf(t, a).Query(); q.Get("code") == "" {
		t.Errorf("signed in anew: %v", q)
	}
}

// TestSignInRenewsTheCookie: a cookie that somebody planted before the sign-in is worth nothing after it.
func TestSignInRenewsTheCookie(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	v.signIn(parameters("web"), "ann")
	first := v.cookies["__Host-ts-session"]
	v.signIn(parameters("web", "prompt", "login"), "bob")
	second := v.cookies["__Host-ts-session"]
	if first == "" || first == second {
		t.Fatalf("cookies %q and %q", first, second)
	}
	s.Codes(t)
	old := s.visitor(t)
	old.cookies["__Host-ts-session"] = first
	if q := answerOf(t, old.get("/oauth/authorize?"+parameters("web", "prompt", "none").Encode())).Query(); q.Get("error") != "login_required" {
		t.Errorf("%v", q)
	}
	old.wantCodes(audit.AuthnRequestLoginRequired)
}

// TestJourneyBelongsToOneBrowser: a transaction of another browser, of the past or of nobody leads nowhere.
func TestJourneyBelongsToOneBrowser(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	at := v.get("/oauth/authorize?" + parameters("web").Encode()).Header.Get("Location")
	id := strings.TrimPrefix(at, "/oauth/door?t=")
	for name, path := range map[string]string{
		"another browser": "/oauth/authorize/continue?t=" + id, "unknown": "/oauth/authorize/continue?t=AAAAAAAAAAAAAAAAAAAAAA",
		"none": "/oauth/authorize/continue", "malformed": "/oauth/authorize/continue?t=%20%0a",
	} {
		if a := s.visitor(t).get(path); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, "another browser") {
			t.Errorf("%s: %d", name, a.Status)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	}
	if a := s.visitor(t).get(at + "&user=ann"); a.Status != http.StatusTeapot || !strings.Contains(a.Body, store.ErrRevoked.Error()) {
		t.Errorf("identified at another browser: %d %s", a.Status, a.Body)
	}
	if a := v.get("/oauth/authorize/continue?t=" + id); a.Status != http.StatusFound || a.Header.Get("Location") != at {
		t.Errorf("not signed in yet: %d %s", a.Status, a.Header.Get("Location"))
	}
	s.Clock.Advance(30 * time.Minute)
	if a := v.get("/oauth/authorize/continue?t=" + id); a.Status != http.StatusBadRequest {
		t.Errorf("expired: %d", a.Status)
	}
	wantCodes(t, s, audit.AuthzRequestInvalid)
}

// TestTransactionsOfOneBrowserDoNotMeet: two requests in two windows both get their own answer.
func TestTransactionsOfOneBrowserDoNotMeet(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	first := v.get("/oauth/authorize?" + parameters("web", "state", "first").Encode()).Header.Get("Location")
	second := v.get("/oauth/authorize?" + parameters("web", "state", "second").Encode()).Header.Get("Location")
	for at, state := range map[string]string{first: "first", second: "second"} {
		if q := answerOf(t, v.follow(v.get(at+"&user=ann"))).Query(); q.Get("state") != state || q.Get("code") == "" {
			t.Errorf("%v, want state %s", q, state)
		}
		wantCodes(t, s, audit.AuthzRequestGrantCreated)
	}
}

// TestOneAnswerForOneTransaction: of many requests that go on at once, one gets the code.
func TestOneAnswerForOneTransaction(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	at := v.get("/oauth/authorize?" + parameters("web").Encode()).Header.Get("Location")
	next := v.get(at + "&user=ann").Header.Get("Location")
	header := http.Header{}
	for name, value := range v.cookies {
		header.Add("Cookie", name+"="+value)
	}
	header.Set("Cookie", strings.Join(header["Cookie"], "; "))
	const racers = 20
	answers := make([]audittest.Answer, racers)
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			answers[i] = audittest.Do(t, s.handler, audittest.Request{Method: http.MethodGet, Path: next, Header: header})
		})
	}
	group.Wait()
	codes := 0
	for _, a := range answers {
		if u, err := url.Parse(a.Header.Get("Location")); err == nil && u.Query().Has("code") {
			codes++
		} else if a.Status != http.StatusBadRequest {
			t.Errorf("loser: %d %s", a.Status, a.Header.Get("Location"))
		}
	}
	if codes != 1 {
		t.Errorf("%d codes", codes)
	}
	count := map[audit.Code]int{}
	for _, c := range s.Codes(t) {
		count[c]++
	}
	if count[audit.AuthzRequestGrantCreated] != 1 || count[audit.AuthzRequestInvalid] != racers-1 || len(count) != 2 {
		t.Errorf("audit %v", count)
	}
}

// TestSettingsChangeOnTheWay: the transaction is checked against the settings of now.
func TestSettingsChangeOnTheWay(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*settings.Document)
		status int
		error  string
		audit  audit.Code
	}{
		{"client disabled", func(d *settings.Document) { d.WebClients[0].Disabled = true }, 400, "", audit.AuthzRequestInvalid},
		{"client gone", func(d *settings.Document) { d.WebClients = d.WebClients[1:] }, 400, "", audit.AuthzRequestInvalid},
		{"redirect gone", func(d *settings.Document) { d.WebClients[0].RedirectURLs = nil }, 400, "", audit.AuthzRequestRedirectUriInvalid},
		{"provider disabled", func(d *settings.Document) { d.IdentityProviders[0].Disabled = true }, 302, "server_error", audit.UnableToDetermineIdentityProvider},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newBrowserServer(t)
			v := s.visitor(t)
			at := v.get("/oauth/authorize?" + parameters("web").Encode()).Header.Get("Location")
			next := v.get(at + "&user=ann").Header.Get("Location")
			tc.change(&s.document)
			s.Settings.Set(s.document)
			a := v.get(next)
			if a.Status != tc.status {
				t.Errorf("%d %s", a.Status, a.Header.Get("Location"))
			}
			if tc.error != "" {
				if q := answerOf(t, a).Query(); q.Get("error") != tc.error {
					t.Errorf("%v", q)
				}
			}
			v.wantCodes(tc.audit)
		})
	}
	t.Run("account disabled", func(t *testing.T) {
		s := newBrowserServer(t)
		v := s.visitor(t)
		at := v.get("/oauth/authorize?" + parameters("web").Encode()).Header.Get("Location")
		next := v.get(at + "&user=ann").Header.Get("Location")
		s.put(t, store.Account{ID: "ann", Username: "ann", Disabled: true})
		if q := answerOf(t, v.get(next)).Query(); q.Get("error") != "access_denied" {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.AccountSignInFailed)
	})
}

// TestWaysBackIntoTheApp: a page stands before the app unless the application skips it, or nobody was asked anything.
func TestWaysBackIntoTheApp(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	page := v.signIn(parameters(phoneTwo, "language", "fr"), "ann")
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "The App demande un accès") {
		t.Fatalf("consent: %d %s", page.Status, page.Body)
	}
	done := v.do(http.MethodPost, "/oauth/consent", formOf(page, "decision", "accept"))
	if u := answerOf(t, done); done.Status != http.StatusOK || u.Scheme != "app" || u.Query().Get("code") == "" ||
		!strings.Contains(done.Body, "Ouvrir The App") || strings.Contains(done.Body, "ZgotmplZ") {
		t.Errorf("%d %s", done.Status, done.Body)
	}
	if policy := done.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("policy %q", policy)
	}
	v.wantCodes(audit.ConsentGiven, audit.AuthzRequestGrantCreated)

	page = v.follow(v.get("/oauth/authorize?" + parameters(phoneTwo, "prompt", "consent").Encode()))
	denied := v.do(http.MethodPost, "/oauth/consent", formOf(page, "decision", "deny"))
	if u := answerOf(t, denied); denied.Status != http.StatusOK || u.Query().Get("error") != "access_denied" || !strings.Contains(denied.Body, "Access was not given") {
		t.Errorf("%d %s", denied.Status, denied.Body)
	}
	v.wantCodes(audit.ConsentDenied)

	silent := v.get("/oauth/authorize?" + parameters(phoneTwo, "prompt", "none").Encode())
	if u := answerOf(t, silent); silent.Status != http.StatusFound || u.Query().Get("code") == "" {
		t.Errorf("silent: %d %s", silent.Status, u)
	}
	v.wantCodes(audit.AuthzRequestGrantCreated)

	wrong := v.get("/oauth/authorize?" + parameters(phoneTwo, "max_age", "x").Encode())
	if u := answerOf(t, wrong); wrong.Status != http.StatusFound || u.Query().Get("error") != "invalid_request" {
		t.Errorf("misconfigured: %d %s", wrong.Status, u)
	}
	v.wantCodes(audit.AuthzRequestInvalid)

	quick := v.follow(v.get("/oauth/authorize?" + parameters(phoneQuick).Encode()))
	if u := answerOf(t, quick); quick.Status != http.StatusFound || u.Scheme != "quick" {
		t.Errorf("skipped: %d %s", quick.Status, u)
	}
	v.wantCodes(audit.AuthzRequestGrantCreated)
}

func TestPostAndFormPost(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	a := v.do(http.MethodPost, "/oauth/v1/authorize", parameters("web", "response_mode", "form_post", "state", "<s>"))
	if a.Status != http.StatusSeeOther {
		t.Fatalf("%d", a.Status)
	}
	form := formOf(v.follow(v.get(a.Header.Get("Location") + "&user=ann")))
	if form.Get("code") == "" || form.Get("state") != "<s>" || form.Get("iss") != audittest.Issuer {
		t.Errorf("%v", form)
	}
	v.wantCodes(audit.AuthzRequestGrantCreated)
}

// TestNoAnswerWithoutItsEvent: an answer whose event cannot be stored is not given.
func TestNoAnswerWithoutItsEvent(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	at := v.get("/oauth/authorize?" + parameters("web").Encode()).Header.Get("Location")
	next := v.get(at + "&user=ann").Header.Get("Location")
	s.BreakCommits(errors.New("disk full"))
	q := answerOf(t, v.get(next)).Query()
	if q.Has("code") || q.Get("error") != "temporarily_unavailable" {
		t.Errorf("%v", q)
	}
	s.BreakCommits(nil)
	wantCodes(t, s)
}

// TestIDTokenHint: the user whom the client means, or nobody.
func TestIDTokenHint(t *testing.T) {
	s := newBrowserServer(t)
	hint := func(typ string, claims map[string]any) string {
		t.Helper()
		token, err := s.ring.Sign(t.Context(), typ, claims)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	old := hint("JWT", map[string]any{"iss": audittest.Issuer, "sub": "ann", "exp": 1})
	for name, bad := range map[string]string{
		"malformed":         "x.y.z",
		"access token":      hint("at+jwt", map[string]any{"iss": audittest.Issuer, "sub": "ann"}),
		"another issuer":    hint("JWT", map[string]any{"iss": "https://other.example", "sub": "ann"}),
		"no subject":        hint("JWT", map[string]any{"iss": audittest.Issuer}),
		"changed signature": old[:len(old)-4] + "AAAA",
	} {
		if q := answerOf(t, s.visitor(t).get("/oauth/authorize?"+parameters("web", "id_token_hint", bad).Encode())).Query(); q.Get("error") != "invalid_request" {
			t.Errorf("%s: %v", name, q)
		}
		wantCodes(t, s, audit.AuthzRequestInvalid)
	}
	v := s.visitor(t)
	if q := answerOf(t, v.signIn(parameters("web", "id_token_hint", old), "bob")).Query(); q.Get("error") != "login_required" {
		t.Errorf("another user signs in: %v", q)
	}
	v.wantCodes(audit.AuthnRequestLoginRequired)
	if q := answerOf(t, v.get("/oauth/authorize?"+parameters("web", "id_token_hint", old, "prompt", "none").Encode())).Query(); q.Get("error") != "login_required" {
		t.Errorf("another user is signed in: %v", q)
	}
	v.wantCodes(audit.AuthnRequestLoginRequired)
	if q := answerOf(t, v.signIn(parameters("web", "id_token_hint", old), "ann")).Query(); q.Get("code") == "" {
		t.Errorf("the same user: %v", q)
	}
	v.wantCodes(audit.SessionTerminationUserSessionTerminated, audit.AuthzRequestGrantCreated) // bob's session
}

// TestRedisIsGone: 503 as an error response, or as a page, never a 500 and never a silent success.
func TestRedisIsGone(t *testing.T) {
	s := newBrowserServer(t)
	v := s.visitor(t)
	s.RedisServer.Close()
	if q := answerOf(t, v.get("/oauth/authorize?"+parameters("web").Encode())).Query(); q.Get("error") != "temporarily_unavailable" {
		t.Errorf("%v", q)
	}
	if a := v.get("/oauth/authorize/continue?t=AAAAAAAAAAAAAAAAAAAAAA"); a.Status != http.StatusServiceUnavailable {
		t.Errorf("%d", a.Status)
	}
	wantCodes(t, s)
}
