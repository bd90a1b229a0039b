package oauth_test

import (
	"context"
	"errors"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/hooks"
	"tokenserver/internal/keys"
	"tokenserver/internal/outbound"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/people"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/sessions"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/oauth"
	"tokenserver/store"
)

// The verifier of RFC 7636 appendix B and its S256 challenge.
const (
	goodVerifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	goodChallenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// The installations of the fixture: by API version, and one of a disabled app version.
var (
	phoneOne    = strings.Repeat("1", 64)
	phoneTwo    = strings.Repeat("2", 64)
	phoneNine   = strings.Repeat("9", 64)
	phoneOld    = strings.Repeat("D", 64)
	phoneQuick  = strings.Repeat("E", 64)
	phoneNoUser = strings.Repeat("F", 64)
)

const installedSecret = "what the installation sends"

func browserDocument() settings.Document {
	no := false
	code := []settings.Grant{settings.AuthorizationCode}
	version := []settings.AppVersion{
		{Platform: "ios", Version: "1.0"}, {Platform: "ios", Version: "0.9", Status: settings.VersionDisabled},
	}
	return settings.Document{
		IdentityProviders: []settings.IdentityProvider{
			{ID: "door", Type: "DOOR", Namespace: "people", Default: true},
			{ID: "window", Type: "DOOR", Namespace: "people"},
			{ID: "closed", Type: "DOOR", Namespace: "people", Disabled: true},
			{ID: "api", Type: "API"},
			{ID: "saml", Type: settings.SAMLProvider, Namespace: "people"},
			{ID: "oidc", Type: settings.OIDCProvider, Namespace: "people"},
			{ID: "proxy", Type: settings.HeaderProvider, Namespace: "people"},
		},
		Scopes: []settings.Scope{
			{ID: "read", PersistentConsent: true, Descriptions: map[string]string{"en": "read your letters", "nl": "uw brieven lezen"}},
			{ID: "pay", Descriptions: map[string]string{"en": "pay once"}},
			{ID: "silent", PersistentConsent: true},
		},
		Applications: []settings.Application{
			{
				ID: "app", Name: "The App", RedirectURL: "app://back", DefaultScopes: []string{"read"}, AdditionalScopes: []string{"pay"},
				Versions: version,
			},
			{ID: "quick", RedirectURL: "quick://back", SkipConsent: true, SkipAuthorizationComplete: true, Versions: version},
			{ID: "nouser", RedirectURL: "nouser://back", UserRegistration: &no, Versions: version},
		},
		WebClients: []settings.WebClient{
			{
				ID: "web", Name: "The Web", Grants: code, RedirectURLs: []string{"https://web.example/back"}, DefaultScopes: []string{"read"},
				AdditionalScopes: []string{"openid", "profile", "pay", "silent"}, AdditionalProviders: []string{"window", "closed", "saml", "oidc", "proxy"},
				IdentityProvider: "door", Authentication: settings.SecretBasic, SkipConsent: true,
			},
			{
				ID: "asking", Name: "Asking", Grants: code, RedirectURLs: []string{"https://asking.example/back?x=1"},
				DefaultScopes: []string{"read"}, AdditionalScopes: []string{"openid", "pay", "silent"}, Authentication: settings.PKCEOnly,
			},
			{
				ID: "native", Grants: code, RedirectURLs: []string{"http://127.0.0.1/back", "http://[::1]:5000/back"},
				DefaultScopes: []string{"read"}, Authentication: settings.PublicClient, SkipConsent: true,
			},
			{ID: "scopeless", Grants: code, RedirectURLs: []string{"https://scopeless.example/"}, AdditionalScopes: []string{"read"}},
			{ID: "grantless", RedirectURLs: []string{"https://grantless.example/"}, DefaultScopes: []string{"read"}},
			{ID: "off", Disabled: true, Grants: code, RedirectURLs: []string{"https://off.example/"}},
			{ID: "apionly", Grants: code, RedirectURLs: []string{"https://apionly.example/"}, DefaultScopes: []string{"read"}, IdentityProvider: "api"},
		},
	}
}

// browserServer is the browser half and the token endpoint over real stores.
type browserServer struct {
	*audittest.Env
	document settings.Document
	handler  http.Handler
	browser  *oauth.Browser
	tokens   *token.Service
	ring     *keys.Ring
	door     *door
	removed  []string // profiles that the lifecycle was asked to remove
}

func newBrowserServer(t *testing.T) *browserServer {
	t.Helper()
	e := audittest.New(t)
	s := &browserServer{Env: e, document: browserDocument()}
	for i := range s.document.WebClients {
		s.document.WebClients[i].Secret.Digest = e.Keys.MAC(secret.ForClientSecret, "web secret")
	}
	e.Settings.Set(s.document)
	for i, phone := range []struct {
		id, app, version string
		api              int
	}{
		{phoneOne, "app", "1.0", 1},
		{phoneTwo, "app", "1.0", 2},
		{phoneNine, "app", "1.0", 9},
		{phoneOld, "app", "0.9", 1},
		{phoneQuick, "quick", "1.0", 1},
		{phoneNoUser, "nouser", "1.0", 1},
	} {
		err := e.Store.AddInstallation(t.Context(), store.Installation{
			ClientID: phone.id, RegistrationID: string(rune('a' + i)), Application: phone.app, Platform: "ios", Version: phone.version,
			APIVersion: phone.api, SecretForm: store.SecretPlain, SecretDigest: e.Keys.MAC(secret.ForClientSecret, installedSecret),
			KeyID: "key" + phone.id, CreatedAt: e.Now(), LastSeen: e.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"ann", "bob"} {
		s.put(t, store.Account{ID: id, Username: id, Attributes: store.Attributes{"name": "Name of " + id}})
	}
	s.wire(t)
	return s
}

func (s *browserServer) put(t *testing.T, a store.Account) {
	t.Helper()
	a.CreatedAt, a.UpdatedAt, a.Namespace = s.Now(), s.Now(), "people"
	if err := s.Store.PutAccount(t.Context(), a); err != nil {
		t.Fatal(err)
	}
}

func (s *browserServer) wire(t *testing.T) {
	t.Helper()
	e := s.Env
	ring := &keys.Ring{Store: e.Store, Keys: e.Keys, Algorithm: keys.ES256, Now: e.Now, NewID: e.NewID}
	revocations := &token.Revocations{Store: e.Store, Hints: e.Redis, Now: e.Now}
	if err := errors.Join(ring.Load(t.Context()), revocations.Load(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.tokens = &token.Service{
		Access: e.Redis, Families: e.Store, Search: e.Store, Profiles: e.Store, Installations: e.Store, Revocations: revocations,
		Keys: e.Keys, Ring: ring, Issuer: e.Issuer, Now: e.Now, NewID: e.NewID,
	}
	set, err := pages.New(e.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	person := &people.Service{
		Accounts: e.Store, Settings: e.Settings, Clients: e.Store, Source: outbound.New(outbound.Config{AllowPrivate: outbound.Loopback()}),
		Cache: e.Redis, Keys: e.Keys, Log: e.Log, Now: e.Now,
	}
	s.browser = &oauth.Browser{
		Audit: e.Recorder, Now: e.Now, Keys: e.Keys, Issuer: e.Issuer, Log: e.Log, Settings: e.Settings, Store: e.Store,
		Authorizations: e.Redis, Codes: e.Redis, Logouts: e.Redis, Sessions: &sessions.Service{
			Store: e.Redis, Jobs: e.Store, Tokens: s.tokens, Marks: revocations, Settings: e.Settings, Wake: func(string) {}, Now: e.Now, NewID: e.NewID,
		}, Consents: e.Store, Installations: e.Store, Pages: set,
		Devices: e.Redis, WebEntries: e.Redis, Profiles: e.Store, Marks: e.Store, Guesses: limit(e, "user-codes", 5),
		People: person, Accounts: e.Store, Tokens: s.tokens, StepUps: e.Store, StepUpWrong: limit(e, "step-up", 10), Scopes: &entitlement.Service{Settings: e.Settings, Client: entitlement.NewClient(outbound.Loopback()), Now: e.Now},
		Hooks:   &hooks.Service{Client: hooks.NewClient(outbound.Loopback()), Sign: ring, Issuer: e.Issuer, Now: e.Now, NewID: e.NewID, Log: e.Log},
		Signing: ring, Starts: &ratelimit.Limiter{Counts: e.Redis, Name: "starts", Limit: 1000, Window: time.Minute, Now: e.Now},
	}
	s.ring = ring
	d := &door{s: s}
	s.door = d
	s.browser.Providers = oauth.Providers{"DOOR": d, settings.SAMLProvider: d, settings.OIDCProvider: d, settings.HeaderProvider: d}
	handler := &oauth.Handler{
		Scopes: s.browser.Scopes, Hooks: s.browser.Hooks, People: person,
		Audit: e.Recorder, Now: e.Now, NewID: e.NewID, Keys: e.Keys, Issuer: e.Issuer, Log: e.Log, Settings: e.Settings,
		Store: e.Store, Tokens: s.tokens, Signing: ring, Accounts: e.Store, Profiles: s,
		Clients: &clientauth.Service{
			Installations: e.Store, Once: e.Redis, Keys: e.Keys, Issuer: e.Issuer, Now: e.Now,
			Failures: &ratelimit.Limiter{Counts: e.Redis, Name: "test", Limit: 1000, Window: time.Minute, Now: e.Now},
		},
		Versions: &appgate.Gate{Installations: e.Store, Audit: e.Recorder}, Users: e.Store,
		Codes: e.Redis, Marks: e.Store, Book: e.Store, Logins: e.Store,
		Devices: e.Redis, WebEntries: e.Redis, Providers: s.browser.Providers, Starts: limit(e, "device-starts", 100), Guesses: s.browser.Guesses,
	}
	s.handler = e.Handler(s.browser.Routes, handler.Routes, func(g *echo.Group) { g.GET("/door", d.enter) })
}

// RemoveProfile is the lifecycle as far as these tests need it: tokens and record go.
func (s *browserServer) RemoveProfile(ctx context.Context, clientID, profileID, _ string) error {
	s.removed = append(s.removed, profileID)
	if _, err := s.tokens.RevokeProfile(ctx, clientID, profileID); err != nil {
		return err
	}
	return s.Store.DeleteProfile(ctx, clientID, profileID)
}

// door is an identity provider that lets in whoever the query names.
type door struct {
	s    *browserServer
	last store.Authorization // as the door saw it
}

func (d *door) SignInURL(transactionID string) string { return "/oauth/door?t=" + transactionID }

func (d *door) enter(c echo.Context) error {
	t, _, err := d.s.browser.Waiting(c, c.QueryParam("t"))
	if err != nil {
		return c.String(http.StatusTeapot, err.Error())
	}
	user := c.QueryParam("user")
	if user == "" {
		return c.HTML(http.StatusOK, "<p>door</p>")
	}
	id := store.Identity{UserID: user, AMR: []string{"pwd"}, Level: c.QueryParam("level"), ACR: c.QueryParam("acr"), ProviderSession: c.QueryParam("session")}
	if age, err := time.ParseDuration(c.QueryParam("age")); err == nil {
		id.AuthTime = d.s.Now().Add(-age)
	}
	for name, values := range c.QueryParams() {
		if attribute, is := strings.CutPrefix(name, "attribute."); is {
			if id.Attributes == nil {
				id.Attributes = store.Attributes{}
			}
			id.Attributes[attribute] = values[0]
		}
	}
	d.last = t
	err = d.s.browser.Identified(c, t, id)
	var failure outcome.Failure
	if errors.As(err, &failure) {
		return d.s.browser.Fail(c, t, failure)
	}
	if err != nil {
		return c.String(http.StatusTeapot, err.Error())
	}
	return c.Redirect(http.StatusSeeOther, d.s.browser.GoOnURL(t.ID))
}

// visitor is somebody at a browser that keeps its cookies.
type visitor struct {
	t       *testing.T
	server  *browserServer
	cookies map[string]string
	header  http.Header
}

func (s *browserServer) visitor(t *testing.T) *visitor {
	t.Helper()
	return &visitor{t, s, map[string]string{}, http.Header{}}
}

// do sends one request with the browser's cookies and keeps those of the answer.
func (v *visitor) do(method, path string, form url.Values) audittest.Answer {
	v.t.Helper()
	header := v.header.Clone()
	var cookies []string
	for name, value := range v.cookies {
		cookies = append(cookies, name+"="+value)
	}
	if len(cookies) > 0 {
		header.Set("Cookie", strings.Join(cookies, "; "))
	}
	a := audittest.Do(v.t, v.server.handler, audittest.Request{Method: method, Path: path, Header: header, Form: form})
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.MaxAge < 0 {
			delete(v.cookies, c.Name)
		} else {
			v.cookies[c.Name] = c.Value
		}
	}
	return a
}

func (v *visitor) get(path string) audittest.Answer {
	v.t.Helper()
	return v.do(http.MethodGet, path, nil)
}

// signIn walks an authorization request through the door, to the page or redirect after it. said is what the door says
// besides the user, by name and value.
func (v *visitor) signIn(request url.Values, user string, said ...string) audittest.Answer {
	v.t.Helper()
	a := v.get("/oauth/authorize?" + request.Encode())
	at := a.Header.Get("Location")
	if a.Status != http.StatusFound || !strings.HasPrefix(at, "/oauth/door?t=") {
		v.t.Fatalf("not sent to the door: %d %s %s", a.Status, at, a.Body)
	}
	return v.follow(v.get(at + "&user=" + user + saying(said)))
}

// saying encodes what the door says, for its address.
func saying(said []string) string {
	text := ""
	for i := 0; i < len(said); i += 2 {
		text += "&" + said[i] + "=" + url.QueryEscape(said[i+1])
	}
	return text
}

// follow goes where redirects lead, as long as that is this server.
func (v *visitor) follow(a audittest.Answer) audittest.Answer {
	v.t.Helper()
	for a.Status/100 == 3 && strings.HasPrefix(a.Header.Get("Location"), "/oauth/") && !strings.HasPrefix(a.Header.Get("Location"), "/oauth/door") {
		a = v.get(a.Header.Get("Location"))
	}
	return a
}

func (v *visitor) wantCodes(want ...audit.Code) {
	v.t.Helper()
	wantCodes(v.t, v.server, want...)
}

func wantCodes(t *testing.T, s *browserServer, want ...audit.Code) {
	t.Helper()
	if got := s.Codes(t); !slices.Equal(got, want) {
		t.Errorf("audit %v, want %v", got, want)
	}
}

// parameters returns a good request of a client, changed by name and value; an empty value removes the parameter.
func parameters(client string, change ...string) url.Values {
	q := url.Values{"response_type": {"code"}, "client_id": {client}, "state": {"s1"}}
	if client == "asking" || client == "native" || len(client) == 64 {
		q.Set("code_challenge", goodChallenge)
		q.Set("code_challenge_method", "S256")
	}
	for i := 0; i < len(change); i += 2 {
		if change[i+1] == "" {
			q.Del(change[i])
		} else {
			q.Set(change[i], change[i+1])
		}
	}
	return q
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// formOf returns the hidden fields of a page, changed by name and value.
func formOf(a audittest.Answer, change ...string) url.Values {
	form := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(a.Body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for i := 0; i < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

var continueLink = regexp.MustCompile(`id="continue"[^>]*href="([^"]*)"`)

// answerOf returns the authorization response: from a redirect, or from the link of the completion page.
func answerOf(t *testing.T, a audittest.Answer) *url.URL {
	t.Helper()
	target := a.Header.Get("Location")
	if m := continueLink.FindStringSubmatch(a.Body); m != nil {
		target = html.UnescapeString(m[1])
	}
	u, err := url.Parse(target)
	if err != nil || target == "" {
		t.Fatalf("no authorization response: %d %q %s", a.Status, target, a.Body)
	}
	return u
}
