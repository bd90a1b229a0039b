package customregistration_test

import (
	"encoding/hex"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/keys"
	"tokenserver/internal/outbound"
	"tokenserver/internal/pages"
	"tokenserver/internal/people"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/sessions"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/oauth"
	"tokenserver/oauth/customregistration"
	"tokenserver/store"
)

const codeChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"

// pageKit is kit with the browser half, where one client lets its users in by two codes.
type pageKit struct {
	*kit
	browser http.Handler
}

func newPageKit(t *testing.T) *pageKit {
	t.Helper()
	k := newKit(t)
	k.document.IdentityProviders = append(k.document.IdentityProviders, settings.IdentityProvider{ID: "page", Type: settings.TwoWayOTP, Namespace: "people"})
	k.document.WebClients = append(k.document.WebClients, settings.WebClient{
		ID: "shop", Name: "The Shop", Authentication: settings.PKCEOnly, Grants: []settings.Grant{settings.AuthorizationCode}, SkipConsent: true,
		RedirectURLs: []string{"https://shop.example/back"}, DefaultScopes: []string{"read"}, IdentityProvider: "page",
	})
	k.Settings.Set(k.document)
	ring := &keys.Ring{Store: k.Store, Keys: k.Keys, Algorithm: keys.ES256, Now: k.Now, NewID: k.NewID}
	if err := ring.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	revocations := &token.Revocations{Store: k.Store, Hints: k.Redis, Now: k.Now}
	if err := revocations.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	set, err := pages.New(k.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	limit := func(name string) *ratelimit.Limiter {
		return &ratelimit.Limiter{Counts: k.Redis, Name: name, Limit: 1000, Window: time.Minute, Now: k.Now}
	}
	browser := &oauth.Browser{
		Audit: k.Recorder, Now: k.Now, Keys: k.Keys, Issuer: k.Issuer, Log: k.Log, Settings: k.Settings, Store: k.Store,
		Authorizations: k.Redis, Codes: k.Redis, Logouts: k.Redis, Sessions: &sessions.Service{
			Store: k.Redis, Jobs: k.Store, Tokens: k.tokens, Marks: revocations, Settings: k.Settings, Wake: func(string) {}, Now: k.Now, NewID: k.NewID,
		}, Consents: k.Store, Installations: k.Store, Pages: set,
		People:  &people.Service{Accounts: k.Store, Settings: k.Settings, Clients: k.Store, Now: k.Now},
		Devices: k.Redis, Marks: k.Store, Guesses: limit("user-codes"), Accounts: k.Store, Tokens: k.tokens, StepUps: k.Store, StepUpWrong: limit("step-up"),
		Scopes: &entitlement.Service{Settings: k.Settings, Client: entitlement.NewClient(outbound.Loopback()), Now: k.Now},
		Hooks:  k.hook.Service, Signing: ring, Starts: limit("starts"),
	}
	page := &customregistration.Page{
		Settings: k.Settings, Registrations: k.Store, Journey: browser, Pages: set, Keys: k.Keys, Audit: k.Recorder, Now: k.Now,
	}
	browser.Providers = oauth.Providers{settings.TwoWayOTP: page}
	return &pageKit{k, k.Handler(browser.Routes, page.Routes, func(g *echo.Group) { set.Routes(g) })}
}

// visitor is somebody at a browser that keeps its cookies.
type visitor struct {
	t       testing.TB
	k       *pageKit
	mu      sync.Mutex
	cookies map[string]string
}

func (k *pageKit) visitor(t testing.TB) *visitor {
	return &visitor{t: t, k: k, cookies: map[string]string{}}
}

// do sends one request; form nil means GET.
func (v *visitor) do(path string, form url.Values) audittest.Answer {
	v.t.Helper()
	v.mu.Lock()
	var cookies []string
	for name, value := range v.cookies {
		cookies = append(cookies, name+"="+value)
	}
	v.mu.Unlock()
	r := audittest.Request{Method: http.MethodGet, Path: path, Header: http.Header{"Cookie": {strings.Join(cookies, "; ")}}}
	if form != nil {
		r.Method, r.Form = http.MethodPost, form
	}
	a := audittest.Do(v.t, v.k.browser, r)
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		v.cookies[c.Name] = c.Value
	}
	return a
}

// follow goes where redirects lead on this server.
func (v *visitor) follow(a audittest.Answer) audittest.Answer {
	v.t.Helper()
	for range 10 {
		next := a.Header.Get("Location")
		if a.Status/100 != 3 || !strings.HasPrefix(next, "/oauth/") {
			return a
		}
		a = v.do(next, nil)
	}
	v.t.Fatal("redirects without end")
	return a
}

// arrive begins a sign-in and returns the page of the codes; further parameters come in pairs.
func (v *visitor) arrive(parameters ...string) audittest.Answer {
	v.t.Helper()
	q := url.Values{
		"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {"https://shop.example/back"}, "state": {"s1"},
		"code_challenge": {codeChallenge}, "code_challenge_method": {"S256"},
	}
	for i := 0; i < len(parameters); i += 2 {
		q.Set(parameters[i], parameters[i+1])
	}
	return v.follow(v.do("/oauth/v1/authorize?"+q.Encode(), nil))
}

var (
	shownCode   = regexp.MustCompile(`id="client-code"[^>]*>([0-9]{3}) ([0-9]{3})<`)
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
)

// clientCode reads the code that a page shows.
func clientCode(t testing.TB, a audittest.Answer) string {
	t.Helper()
	m := shownCode.FindStringSubmatch(a.Body)
	if a.Status != 200 || m == nil {
		t.Fatalf("no client code: %d %s", a.Status, a.Body)
	}
	return m[1] + m[2]
}

// form returns the hidden fields of a page with a code typed in.
func form(a audittest.Answer, code string) url.Values {
	f := url.Values{"code": {code}}
	for _, m := range hiddenField.FindAllStringSubmatch(a.Body, -1) {
		f.Set(m[1], html.UnescapeString(m[2]))
	}
	return f
}

// returned checks that the browser goes back to the client with an error.
func returned(t testing.TB, a audittest.Answer, code string) {
	t.Helper()
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || a.Status/100 != 3 || u.Host != "shop.example" || u.Query().Get("error") != code || u.Query().Get("state") != "s1" {
		t.Errorf("%d %v, want error %s at the client", a.Status, a.Header, code)
	}
}

func TestPage(t *testing.T) {
	k := newPageKit(t)
	v := k.visitor(t)
	page := v.arrive("ui_locales", "nl")
	client := clientCode(t, page)
	k.want(t, audit.CustomRegistrationInitSuccess)
	if !strings.Contains(page.Body, `lang="nl"`) || !strings.Contains(page.Body, "Bevestig dat u het bent") || !strings.Contains(page.Body, "The Shop") {
		t.Errorf("page %s", page.Body)
	}
	f := form(page, "000000")
	again := v.do("/oauth/two-way-otp?t="+f.Get("t"), nil)
	if got := clientCode(t, again); got != client {
		t.Errorf("the page shows %s at the second visit, %s at the first", got, client)
	}
	k.want(t)

	pending := v.do("/oauth/two-way-otp", f)
	if pending.Status != 200 || !strings.Contains(pending.Body, "nog niet in het portaal ingevoerd") {
		t.Errorf("pending: %d %s", pending.Status, pending.Body)
	}
	k.want(t, audit.OneTimePasswordAuthFailed)
	response := k.respond(t, client, "ann")
	wrong := v.do("/oauth/two-way-otp", form(page, other(response)))
	if wrong.Status != 200 || !strings.Contains(wrong.Body, "Deze code is niet juist") || !strings.Contains(wrong.Body, `aria-invalid="true"`) || clientCode(t, wrong) != client {
		t.Errorf("wrong: %d %s", wrong.Status, wrong.Body)
	}
	k.want(t, audit.OneTimePasswordAuthFailed)

	right := v.do("/oauth/two-way-otp", form(wrong, " "+response[:3]+"-"+response[3:]))
	if right.Status != http.StatusSeeOther || !strings.HasPrefix(right.Header.Get("Location"), "/oauth/authorize/continue?t=") {
		t.Errorf("right: %d %v", right.Status, right.Header)
	}
	k.want(t, audit.OneTimePasswordAuthSucceeded)
	if again := v.do("/oauth/two-way-otp", form(wrong, response)); again.Status != http.StatusSeeOther || !strings.HasPrefix(again.Header.Get("Location"), "/oauth/authorize/continue?t=") {
		t.Errorf("pressed twice: %d %v", again.Status, again.Header)
	}
	end := v.follow(right)
	u, err := url.Parse(end.Header.Get("Location"))
	if err != nil || u.Host != "shop.example" || u.Query().Get("code") == "" {
		t.Errorf("end: %d %v", end.Status, end.Header)
	}
	k.want(t, audit.AuthzRequestGrantCreated)
	if person, err := k.Store.Account(t.Context(), "ann"); err != nil || person.Namespace != "people" {
		t.Errorf("person %+v, %v", person, err)
	}
}

// TestPageRefuses: every other end of the page.
func TestPageRefuses(t *testing.T) {
	for _, tc := range []struct {
		name string
		run  func(t *testing.T, k *pageKit, v *visitor, page audittest.Answer) audittest.Answer
		// back is the error at the client; "" = a page, whose status and text are given.
		back   string
		status int
		text   string
		audit  []audit.Code
	}{
		{name: "three wrong codes", run: func(t *testing.T, k *pageKit, v *visitor, page audittest.Answer) audittest.Answer {
			response := k.respond(t, clientCode(t, page), "ann")
			for range 3 {
				v.do("/oauth/two-way-otp", form(page, other(response)))
			}
			k.Codes(t)
			return v.do("/oauth/two-way-otp", form(page, response))
		}, back: "access_denied", audit: []audit.Code{audit.OneTimePasswordAuthFailed}},
		{name: "expired", run: func(_ *testing.T, k *pageKit, v *visitor, page audittest.Answer) audittest.Answer {
			k.Clock.Advance(5 * time.Minute)
			return v.do("/oauth/two-way-otp", form(page, "000000"))
		}, back: "access_denied", audit: []audit.Code{audit.OneTimePasswordAuthFailed}},
		{name: "expired and reloaded", run: func(_ *testing.T, k *pageKit, v *visitor, page audittest.Answer) audittest.Answer {
			k.Clock.Advance(5 * time.Minute)
			return v.do("/oauth/two-way-otp?t="+form(page, "").Get("t"), nil)
		}, back: "access_denied", audit: []audit.Code{audit.OneTimePasswordAuthFailed}},
		{name: "the user is somebody else's", run: func(t *testing.T, k *pageKit, v *visitor, page audittest.Answer) audittest.Answer {
			if err := k.Store.PutAccount(t.Context(), store.Account{ID: "ann", Username: "ann"}); err != nil {
				t.Fatal(err)
			}
			response := k.respond(t, clientCode(t, page), "ann")
			return v.do("/oauth/two-way-otp", form(page, response))
		}, back: "access_denied", audit: []audit.Code{audit.OneTimePasswordAuthSucceeded, audit.IDPUserRefused}},
		{name: "form of another page", run: func(_ *testing.T, _ *pageKit, v *visitor, page audittest.Answer) audittest.Answer {
			f := form(page, "000000")
			f.Set("csrf_token", hex.EncodeToString(make([]byte, 32)))
			return v.follow(v.do("/oauth/two-way-otp", f))
		}, status: 200, text: "The page was open for too long", audit: []audit.Code{audit.CSRFInvalid}},
		{name: "no token", run: func(_ *testing.T, _ *pageKit, v *visitor, page audittest.Answer) audittest.Answer {
			f := form(page, "000000")
			f.Del("csrf_token")
			return v.follow(v.do("/oauth/two-way-otp", f))
		}, status: 200, text: "The page was open for too long", audit: []audit.Code{audit.CSRFInvalid}},
		{name: "another browser", run: func(t *testing.T, k *pageKit, _ *visitor, page audittest.Answer) audittest.Answer {
			return k.visitor(t).do("/oauth/two-way-otp", form(page, "000000"))
		}, status: 400, text: "This sign-in has ended", audit: []audit.Code{audit.CSRFInvalid}},
		{name: "another browser looks", run: func(t *testing.T, k *pageKit, _ *visitor, page audittest.Answer) audittest.Answer {
			return k.visitor(t).do("/oauth/two-way-otp?t="+form(page, "").Get("t"), nil)
		}, status: 400, text: "This sign-in has ended", audit: []audit.Code{audit.AuthzRequestInvalid}},
		{name: "no form", run: func(_ *testing.T, _ *pageKit, v *visitor, page audittest.Answer) audittest.Answer {
			return audittest.Do(v.t, v.k.browser, audittest.Request{Path: "/oauth/two-way-otp", JSON: "{}"})
		}, status: 400, text: "This sign-in has ended", audit: []audit.Code{audit.CSRFInvalid}},
		{name: "provider switched off meanwhile", run: func(_ *testing.T, k *pageKit, v *visitor, _ audittest.Answer) audittest.Answer {
			fresh := v.do("/oauth/v1/authorize?"+url.Values{
				"response_type": {"code"}, "client_id": {"shop"}, "redirect_uri": {"https://shop.example/back"}, "state": {"s1"},
				"code_challenge": {codeChallenge}, "code_challenge_method": {"S256"},
			}.Encode(), nil)
			k.document.IdentityProviders[len(k.document.IdentityProviders)-1].Disabled = true
			k.Settings.Set(k.document)
			return v.follow(fresh)
		}, back: "server_error", audit: []audit.Code{audit.UnableToDetermineIdentityProvider}},
		{name: "silent", run: func(_ *testing.T, _ *pageKit, v *visitor, _ audittest.Answer) audittest.Answer {
			return v.arrive("prompt", "none")
		}, back: "login_required", audit: []audit.Code{audit.AuthnRequestLoginRequired}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newPageKit(t)
			v := k.visitor(t)
			page := v.arrive()
			k.want(t, audit.CustomRegistrationInitSuccess)
			a := tc.run(t, k, v, page)
			if tc.back != "" {
				returned(t, a, tc.back)
			} else if a.Status != tc.status || !strings.Contains(a.Body, tc.text) {
				t.Errorf("%d %s\nwant %d %s", a.Status, a.Body, tc.status, tc.text)
			}
			k.want(t, tc.audit...)
		})
	}
}
