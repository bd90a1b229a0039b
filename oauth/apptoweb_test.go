package oauth_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

const webTarget = "https://portal.example/start?tab=1&lang=nl"

// newAppToWebServer is a device server whose app may sign ann in at webTarget.
func newAppToWebServer(t *testing.T) *browserServer {
	t.Helper()
	s := newDeviceServer(t)
	for i := range s.document.Applications {
		if s.document.Applications[i].ID == "app" {
			s.document.Applications[i].AppToWebURLs = []string{webTarget, "https://other.example/"}
			s.document.Applications[i].LogoURL = "https://cdn.app.example/logo.svg"
		}
	}
	// The people of the door are kept as those of the built-in accounts are.
	for i := range s.document.IdentityProviders {
		if s.document.IdentityProviders[i].ID == "window" {
			s.document.IdentityProviders[i].Disabled = true
		}
	}
	s.Settings.Set(s.document)
	err := s.Store.AddProfile(t.Context(), store.Profile{ClientID: phoneOne, ProfileID: "AB12CD", UserID: "ann", CreatedAt: s.Now(), LastLogin: s.Now()})
	if err != nil {
		t.Fatal(err)
	}
	s.put(t, store.Account{ID: "ann", Username: "ann", Namespace: "door", Attributes: store.Attributes{"name": "Ann <Jansen>"}})
	return s
}

// entry asks for a one-time token and returns the path that the app opens.
func (s *browserServer) entry(t testing.TB, bearer string) string {
	t.Helper()
	a := audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/v1/app-to-web", Bearer: bearer, Form: pairs("target_url", webTarget)})
	var answer struct {
		Token     string `json:"token"`
		Page      string `json:"redirect_uri"`
		ExpiresIn int    `json:"expires_in"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || a.Status != http.StatusOK || len(answer.Token) != 64 || answer.ExpiresIn != 60 ||
		answer.Page != audittest.Issuer+"/v1/app-to-web?token="+answer.Token {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if got := s.Codes(t); len(got) != 1 || got[0] != audit.AppToWebSsoTokenCreated {
		t.Fatalf("audit %v", got)
	}
	return strings.TrimPrefix(answer.Page, "https://ts.example")
}

func TestAppToWeb(t *testing.T) {
	s := newAppToWebServer(t)
	bearer := s.appToken(t, nil)
	v := s.visitor(t)
	v.header.Set("Sec-Fetch-Site", "none")
	path := s.entry(t, bearer)
	for range 2 { // whoever looks at the link before the person does spends nothing
		page := v.get(path)
		policy := page.Header.Get("Content-Security-Policy")
		if page.Status != 200 || !strings.Contains(page.Body, "Ann &lt;Jansen&gt;") || !strings.Contains(page.Body, "portal.example") ||
			!strings.Contains(policy, "form-action 'self' https://portal.example; script-src 'self'") || !strings.Contains(policy, "img-src 'self' https://cdn.app.example;") ||
			page.Header.Get("Referrer-Policy") != "no-referrer" || strings.Contains(page.Body, "Continue only if") {
			t.Fatalf("page: %d %s %s", page.Status, policy, page.Body)
		}
	}
	form := formOf(v.get(path))
	wantCodes(t, s)
	a := v.do(http.MethodPost, "/oauth/v1/app-to-web/enter", form)
	if a.Status != http.StatusSeeOther || a.Header.Get("Location") != webTarget || a.Header.Get("Referrer-Policy") != "no-referrer" {
		t.Fatalf("enter: %d %v %s", a.Status, a.Header, a.Body)
	}
	wantCodes(t, s, audit.AppToWebSsoSignedIn)
	// The browser is signed in now, with the methods and the time of the app.
	a = v.get("/oauth/authorize?" + parameters("web", "prompt", "none", "scope", "read").Encode())
	if q := answerOf(t, a).Query(); q.Get("code") == "" {
		t.Errorf("not signed in: %v", q)
	}
	wantCodes(t, s, audit.AuthzRequestGrantCreated)

	for name, again := range map[string]func() audittest.Answer{
		"page again": func() audittest.Answer { return v.get(path) },
		"form again": func() audittest.Answer {
			v.cookies["__Host-ts-app-to-web"] = "x"
			fresh := formOf(v.get(path))
			if fresh.Get("token") == "" { // the page does not know that it is used
				t.Fatal("no page")
			}
			return v.do(http.MethodPost, "/oauth/v1/app-to-web/enter", fresh)
		},
	} {
		a := again()
		if name == "form again" && (a.Status != http.StatusBadRequest || a.Header.Get("Location") != "" || !strings.Contains(a.Body, "too old or was used")) {
			t.Errorf("%s: %d %s", name, a.Status, a.Body)
		}
	}
	wantCodes(t, s, audit.AppToWebSsoFailed)
}

// TestAppToWebKeepsTheProvidersSession: who is signed in already can still be signed out by the identity provider.
func TestAppToWebKeepsTheProvidersSession(t *testing.T) {
	s := newAppToWebServer(t)
	v := s.visitor(t)
	v.signIn(parameters("web", "idp", "door"), "ann", "session", "upstream-1")
	s.Codes(t)
	page := v.get(s.entry(t, s.appToken(t, nil)))
	if a := v.do(http.MethodPost, "/oauth/v1/app-to-web/enter", formOf(page)); a.Status != http.StatusSeeOther {
		t.Fatalf("%d %s", a.Status, a.Body)
	}
	if list := s.sessionsOf(t, "ann"); len(list) != 1 || list[0].ProviderSession != "upstream-1" {
		t.Errorf("%+v", list)
	}
}

// TestAppToWebStrangers: a link that may come from somebody else than the app asks first.
func TestAppToWebStrangers(t *testing.T) {
	s := newAppToWebServer(t)
	bearer := s.appToken(t, nil)
	signedIn := func(user string) *visitor {
		t.Helper()
		v := s.visitor(t)
		v.signIn(parameters("web", "idp", "door"), user)
		s.Codes(t)
		return v
	}
	for _, tc := range []struct {
		name string
		v    *visitor
		site string
		want []string // on the page
	}{
		{"from another site", s.visitor(t), "cross-site", []string{"Continue only if you have just opened this page from The App yourself"}},
		{"from the same site", s.visitor(t), "same-site", []string{"Continue only if"}},
		{"somebody else is signed in", signedIn("bob"), "none", []string{"Continue only if", "Somebody else is signed in"}},
		{"the user is signed in", signedIn("ann"), "none", nil},
		{"an old browser", s.visitor(t), "", nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.site != "" {
				tc.v.header.Set("Sec-Fetch-Site", tc.site)
			}
			page := tc.v.get(s.entry(t, bearer))
			if page.Status != 200 || strings.Contains(page.Body, "<script") != (tc.want == nil) || strings.Contains(page.Body, "Continue only if") != (tc.want != nil) {
				t.Errorf("%d %s", page.Status, page.Body)
			}
			for _, text := range tc.want {
				if !strings.Contains(page.Body, text) {
					t.Errorf("no %q in %s", text, page.Body)
				}
			}
			a := tc.v.do(http.MethodPost, "/oauth/v1/app-to-web/enter", formOf(page))
			if a.Status != http.StatusSeeOther || a.Header.Get("Location") != webTarget {
				t.Errorf("pressed: %d %s", a.Status, a.Body)
			}
			s.Codes(t)
		})
	}
	t.Run("another network", func(t *testing.T) {
		path := s.entry(t, bearer)
		page := audittest.Do(t, s.handler, audittest.Request{Method: http.MethodGet, Path: path, From: "203.0.113.9", Header: http.Header{"Sec-Fetch-Site": {"none"}}})
		if !strings.Contains(page.Body, "Continue only if") {
			t.Errorf("%s", page.Body)
		}
	})
	t.Run("form of another browser", func(t *testing.T) {
		path := s.entry(t, bearer)
		form := formOf(s.visitor(t).get(path))
		victim := s.visitor(t)
		victim.get(path)
		a := victim.do(http.MethodPost, "/oauth/v1/app-to-web/enter", form)
		if a.Status != http.StatusSeeOther || a.Header.Get("Location") != path {
			t.Errorf("%d %v", a.Status, a.Header)
		}
		wantCodes(t, s, audit.CSRFInvalid)
	})
}

func TestAppToWebIsSpentOnce(t *testing.T) {
	s := newAppToWebServer(t)
	path := s.entry(t, s.appToken(t, nil))
	v := s.visitor(t)
	form := formOf(v.get(path))
	header := http.Header{"Cookie": {"__Host-ts-app-to-web=" + v.cookies["__Host-ts-app-to-web"]}}
	const racers = 50
	won := make([]bool, racers)
	var group sync.WaitGroup
	for i := range racers {
		group.Go(func() {
			a := audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/v1/app-to-web/enter", Form: form, Header: header})
			won[i] = a.Status == http.StatusSeeOther && a.Header.Get("Location") == webTarget
		})
	}
	group.Wait()
	winners, events := 0, 0
	for i := range won {
		if won[i] {
			winners++
		}
	}
	for _, code := range s.Codes(t) {
		if code == audit.AppToWebSsoSignedIn {
			events++
		}
	}
	if winners != 1 || events != 1 {
		t.Errorf("%d were signed in, %d events, want one", winners, events)
	}
}

func TestAppToWebRefusals(t *testing.T) {
	const badToken = `{"error":"invalid_token","error_description":"the access token is not good for this request"}`
	s := newAppToWebServer(t)
	good := s.appToken(t, nil)
	for _, tc := range []struct {
		name, bearer string
		form         url.Values
		change       func()
		status       int
		want         string
		audit        audit.Code
	}{
		{
			name: "no token", form: pairs("target_url", webTarget), status: 401, audit: audit.TokenRequestInvalidBearerToken,
			want: `{"error":"invalid_token","error_description":"the access token is missing"}`,
		},
		{name: "unknown token", bearer: "x", form: pairs("target_url", webTarget), status: 401, want: badToken, audit: audit.TokenRequestInvalidBearerToken},
		{
			name: "stateless token", form: pairs("target_url", webTarget), status: 401, want: badToken, audit: audit.TokenRequestInvalidAccessToken,
			bearer: s.appToken(t, func(g *token.Grant) { g.Kind = store.StatelessToken }),
		},
		{
			name: "no target", bearer: good, form: url.Values{}, status: 400, audit: audit.AppToWebSsoFailed,
			want: `{"error":"invalid_request","error_description":"send one target_url in a form"}`,
		},
		{
			name: "no form", bearer: good, status: 400, audit: audit.AppToWebSsoFailed,
			want: `{"error":"invalid_request","error_description":"send one target_url in a form"}`,
		},
		{
			name: "longer than registered", bearer: good, form: pairs("target_url", webTarget+"/../x"), status: 400,
			audit: audit.AppToWebSsoAppToWebSsoTargetURLNotConfigured,
			want:  `{"error":"invalid_request","error_description":"target_url is not registered for the app"}`,
		},
		{
			name: "no capable provider", bearer: good, form: pairs("target_url", webTarget), status: 422, audit: audit.AppToWebSsoInvalidIDPType,
			change: func() {
				for i := range s.document.IdentityProviders {
					s.document.IdentityProviders[i].Namespace = "elsewhere"
				}
				s.Settings.Set(s.document)
			},
			want: `{"error":"unsupported_idp","error_description":"the identity provider of the user has no sign-in in the browser"}`,
		},
		{
			name: "switched off", bearer: good, form: pairs("target_url", webTarget), status: 403, audit: audit.AppToWebSsoDisabled,
			change: func() {
				s.document.Applications[0].AppToWebURLs = nil
				s.Settings.Set(s.document)
			},
			want: `{"error":"access_denied","error_description":"the app may not sign its users in to the web"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.change != nil {
				tc.change()
			}
			a := audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/v1/app-to-web", Bearer: tc.bearer, Form: tc.form})
			if a.Status != tc.status || a.Body != tc.want {
				t.Errorf("%d %s", a.Status, a.Body)
			}
			wantCodes(t, s, tc.audit)
		})
	}
}

// TestAppToWebStateIsCheckedAgain: what happens between the app and the browser counts.
func TestAppToWebStateIsCheckedAgain(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, s *browserServer){
		"time is over": func(_ *testing.T, s *browserServer) { s.Clock.Advance(time.Minute) },
		"target is registered no more": func(_ *testing.T, s *browserServer) {
			s.document.Applications[0].AppToWebURLs = []string{"https://other.example/"}
			s.Settings.Set(s.document)
		},
		"provider is off": func(_ *testing.T, s *browserServer) {
			s.document.IdentityProviders = []settings.IdentityProvider{{ID: "door", Type: "DOOR", Disabled: true}}
			s.Settings.Set(s.document)
		},
		"profile has gone": func(t *testing.T, s *browserServer) {
			t.Helper()
			if err := s.Store.DeleteProfile(t.Context(), phoneOne, "AB12CD"); err != nil {
				t.Fatal(err)
			}
		},
		"account is disabled": func(t *testing.T, s *browserServer) {
			t.Helper()
			s.put(t, store.Account{ID: "ann", Username: "ann", Namespace: "door", Disabled: true})
		},
		"password was changed": func(t *testing.T, s *browserServer) {
			t.Helper()
			s.put(t, store.Account{ID: "ann", Username: "ann", Namespace: "door", SignInsSince: s.Now().Add(time.Second)})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newAppToWebServer(t)
			path := s.entry(t, s.appToken(t, nil))
			v := s.visitor(t)
			form := formOf(v.get(path))
			change(t, s)
			a := v.do(http.MethodPost, "/oauth/v1/app-to-web/enter", form)
			if a.Status/100 != 4 || a.Header.Get("Location") != "" || v.cookies["__Host-ts-session"] != "" {
				t.Errorf("%d %v", a.Status, a.Header)
			}
			wantCodes(t, s, audit.AppToWebSsoFailed)
		})
	}
}

// TestForwardPage: with the setting, a page stands before an identity provider elsewhere.
func TestForwardPage(t *testing.T) {
	s := newBrowserServer(t)
	s.document.OAuth.ForwardPage = true
	s.document.IdentityProviders[0].Name = "Town Hall"
	s.document.IdentityProviders[0].Type = settings.SAMLProvider
	s.browser.Providers[settings.SAMLProvider] = s.browser.Providers["DOOR"]
	s.Settings.Set(s.document)
	v := s.visitor(t)
	page := v.follow(v.get("/oauth/authorize?" + parameters("web").Encode()))
	link := continueLink.FindStringSubmatch(page.Body)
	if page.Status != 200 || link == nil || !strings.HasPrefix(link[1], "/oauth/door?t=") || !strings.Contains(page.Body, "Town Hall") || !strings.Contains(page.Body, "The Web") {
		t.Fatalf("%d %s", page.Status, page.Body)
	}
	a := v.follow(v.get(link[1] + "&user=ann"))
	if q := answerOf(t, a).Query(); q.Get("code") == "" {
		t.Errorf("%v", q)
	}
	wantCodes(t, s, audit.AuthzRequestGrantCreated)
	s.document.IdentityProviders[0].Type = "DOOR" // a page of ours
	s.Settings.Set(s.document)
	if a := s.visitor(t).get("/oauth/authorize?" + parameters("web").Encode()); !strings.HasPrefix(a.Header.Get("Location"), "/oauth/door?t=") {
		t.Errorf("%d %v", a.Status, a.Header)
	}
}
