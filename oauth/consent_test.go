package oauth_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/store"
)

// asking returns a browser in front of the consent page of the client "asking".
func asking(t *testing.T, s *browserServer, change ...string) (*visitor, string, url.Values) {
	t.Helper()
	v := s.visitor(t)
	page := v.signIn(parameters("asking", change...), "ann")
	if page.Status != http.StatusOK || !strings.Contains(page.Body, "read your letters") {
		t.Fatalf("consent page: %d %s", page.Status, page.Body)
	}
	wantCodes(t, s)
	form := formOf(page)
	return v, "/oauth/consent?t=" + form.Get("t"), form
}

func with(form url.Values, change ...string) url.Values {
	next := url.Values{}
	for name, values := range form {
		next[name] = values
	}
	for i := 0; i < len(change); i += 2 {
		next.Set(change[i], change[i+1])
	}
	return next
}

func TestConsentIsGiven(t *testing.T) {
	s := newBrowserServer(t)
	v, _, form := asking(t, s, "scope", "read pay openid", "redirect_uri", "https://asking.example/back?x=1", "nonce", "n", "state", "a b&c=%~")
	if token := form.Get("csrf_token"); len(token) != 320 {
		t.Errorf("form token of %d characters", len(token))
	}
	a := v.do(http.MethodPost, "/oauth/consent", with(form, "decision", "accept"))
	back := answerOf(t, a)
	if a.Status != http.StatusSeeOther || !strings.HasPrefix(back.String(), "https://asking.example/back?x=1&") ||
		back.Query().Get("state") != "a b&c=%~" || len(back.Query().Get("code")) != 64 {
		t.Errorf("%d %s", a.Status, back)
	}
	v.wantCodes(audit.ConsentGiven, audit.AuthzRequestGrantCreated)

	given, err := s.Store.Consents(t.Context(), "ann", "asking")
	if err != nil || len(given) != 2 || given[0].Scope != "openid" || given[1].Scope != "read" {
		t.Errorf("stored %v, %v: want openid and read, not pay, which is asked each time", given, err)
	}
	if again := v.do(http.MethodPost, "/oauth/consent", with(form, "decision", "accept")); again.Status != http.StatusBadRequest {
		t.Errorf("second post: %d", again.Status)
	}
	v.wantCodes(audit.ConsentCSRFInvalid)

	t.Run("stored consent is not asked again", func(t *testing.T) {
		a := v.follow(v.get("/oauth/authorize?" + parameters("asking", "scope", "read").Encode()))
		if q := answerOf(t, a).Query(); q.Get("code") == "" {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.AuthzRequestGrantCreated)
	})
	t.Run("the other scope is", func(t *testing.T) {
		a := v.follow(v.get("/oauth/authorize?" + parameters("asking", "scope", "read pay").Encode()))
		if a.Status != http.StatusOK || !strings.Contains(a.Body, "pay once") || strings.Contains(a.Body, "read your letters") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		v.wantCodes()
	})
	t.Run("silently only without a question", func(t *testing.T) {
		a := v.get("/oauth/authorize?" + parameters("asking", "scope", "read pay", "prompt", "none").Encode())
		if q := answerOf(t, a).Query(); q.Get("error") != "consent_required" {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.AuthnRequestConsentRequired)
		a = v.get("/oauth/authorize?" + parameters("asking", "scope", "read", "prompt", "none").Encode())
		if q := answerOf(t, a).Query(); q.Get("code") == "" {
			t.Errorf("%v", q)
		}
		v.wantCodes(audit.AuthzRequestGrantCreated)
	})
	t.Run("prompt=consent asks for all", func(t *testing.T) {
		a := v.follow(v.get("/oauth/authorize?" + parameters("asking", "scope", "read", "prompt", "consent").Encode()))
		if a.Status != http.StatusOK || !strings.Contains(a.Body, "read your letters") {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		v.wantCodes()
	})
}

func TestConsentIsDenied(t *testing.T) {
	s := newBrowserServer(t)
	v, _, form := asking(t, s)
	a := v.do(http.MethodPost, "/oauth/consent", with(form, "decision", "deny"))
	if q := answerOf(t, a).Query(); a.Status != http.StatusSeeOther || q.Get("error") != "access_denied" || q.Get("state") != "s1" {
		t.Errorf("%d %v", a.Status, q)
	}
	v.wantCodes(audit.ConsentDenied)
	if given, err := s.Store.ConsentsOfUser(t.Context(), "ann"); err != nil || len(given) != 0 {
		t.Errorf("stored %v, %v", given, err)
	}
	if len(v.cookies) != 3 || v.cookies["__Host-ts-session"] == "" || v.cookies["opbs"] == "" { // the session stays, the transaction's cookie goes
		t.Errorf("cookies %v", v.cookies)
	}
}

// TestConsentForgery: nothing but the form of the last page, unchanged and in time, counts.
func TestConsentForgery(t *testing.T) {
	other := strings.Repeat("0", 320)
	for _, tc := range []struct {
		name   string
		change []string
		wait   time.Duration
	}{
		{name: "no token", change: []string{"csrf_token", ""}},
		{name: "another token", change: []string{"csrf_token", other}},
		{name: "another client", change: []string{"client_id", "web"}},
		{name: "more scopes", change: []string{"scope", "pay read"}},
		{name: "another redirect", change: []string{"redirect_uri", "https://evil.example/"}},
		{name: "another response type", change: []string{"response_type", "token"}},
		{name: "another state", change: []string{"state", "x"}},
		{name: "another nonce", change: []string{"nonce", "x"}},
		{name: "too late", wait: 5 * time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newBrowserServer(t)
			v, at, form := asking(t, s)
			s.Clock.Advance(tc.wait)
			a := v.do(http.MethodPost, "/oauth/consent", with(form, append(tc.change, "decision", "accept")...))
			if a.Status != http.StatusSeeOther || a.Header.Get("Location") != at+"&again=1" {
				t.Fatalf("%d %s", a.Status, a.Header.Get("Location"))
			}
			v.wantCodes(audit.ConsentCSRFInvalid)
			if given, err := s.Store.ConsentsOfUser(t.Context(), "ann"); err != nil || len(given) != 0 {
				t.Errorf("stored %v, %v", given, err)
			}
			fresh := v.follow(a)
			if !strings.Contains(fresh.Body, "Please decide again") {
				t.Errorf("fresh page: %s", fresh.Body)
			}
			if a := v.do(http.MethodPost, "/oauth/consent", with(form, "decision", "accept")); a.Status != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), "/oauth/consent") {
				t.Errorf("the page before still counts: %d %s", a.Status, a.Header.Get("Location"))
			}
			v.wantCodes(audit.ConsentCSRFInvalid)
			v.do(http.MethodPost, "/oauth/consent", formOf(v.get(at), "decision", "accept"))
			v.wantCodes(audit.ConsentGiven, audit.AuthzRequestGrantCreated)
		})
	}
	t.Run("another browser", func(t *testing.T) {
		s := newBrowserServer(t)
		_, at, form := asking(t, s)
		stranger := s.visitor(t)
		if a := stranger.do(http.MethodPost, "/oauth/consent", with(form, "decision", "accept")); a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		stranger.wantCodes(audit.ConsentCSRFInvalid)
		if a := stranger.get(at); a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		stranger.wantCodes(audit.AuthzRequestInvalid)
	})
	t.Run("no decision", func(t *testing.T) {
		s := newBrowserServer(t)
		v, _, form := asking(t, s)
		if a := v.do(http.MethodPost, "/oauth/consent", form); a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		v.wantCodes(audit.AuthzRequestInvalid)
	})
	t.Run("transaction expired", func(t *testing.T) {
		s := newBrowserServer(t)
		v, _, form := asking(t, s)
		s.Clock.Advance(30 * time.Minute)
		if a := v.do(http.MethodPost, "/oauth/consent", with(form, "decision", "accept")); a.Status != http.StatusBadRequest {
			t.Errorf("%d", a.Status)
		}
		v.wantCodes(audit.ConsentCSRFInvalid)
	})
}

// TestConsentPageShowsWhatItIsAbout: texts in the user's language, foreign text escaped, no script, forms go nowhere else.
func TestConsentPageShowsWhatItIsAbout(t *testing.T) {
	s := newBrowserServer(t)
	s.put(t, store.Account{ID: "eve", Username: "eve", Attributes: store.Attributes{"name": "<script>alert(1)</script>"}})
	v := s.visitor(t)
	a := v.signIn(parameters("asking", "scope", "read pay silent openid", "language", "nl_BE",
		"redirect_uri", "https://asking.example/back?x=1"), "eve")
	for _, want := range []string{`<html lang="nl">`, "uw brieven lezen", "pay once", "<li>silent", "weten wie u bent", "&lt;script&gt;alert(1)"} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("no %q in %s", want, a.Body)
		}
	}
	if strings.Contains(a.Body, "<script") {
		t.Error("a script")
	}
	policy := a.Header.Get("Content-Security-Policy")
	if !strings.HasSuffix(policy, "form-action 'self' https://asking.example") || strings.Contains(policy, "script-src") {
		t.Errorf("policy %q", policy)
	}
}
