package pages_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
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
	"tokenserver/idp"
	"tokenserver/internal/appgate"
	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/hooks"
	"tokenserver/internal/keys"
	"tokenserver/internal/outbound"
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

// verifier and its S256 challenge (RFC 7636 appendix B).
const (
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

// server is the browser half with everything that it stands on.
type server struct {
	*audittest.Env
	handler http.Handler
	tokens  *token.Service
	browser *oauth.Browser
}

func newServer(t *testing.T) *server {
	t.Helper()
	return newServerOn(t, audittest.New(t), "")
}

// newServerOn is newServer in an environment that is there already, with the template sets of a folder.
func newServerOn(t *testing.T, e *audittest.Env, sets string) *server {
	t.Helper()
	lasting := map[string]string{"en": "see your accounts", "nl": "uw rekeningen zien", "de": "Ihre Konten sehen", "fr": "voir vos comptes"}
	e.Settings.Set(settings.Document{
		IdentityProviders: []settings.IdentityProvider{{ID: "accounts", Type: settings.BuiltInAccounts, Default: true}},
		Scopes: []settings.Scope{
			{ID: "accounts:read", PersistentConsent: true, Descriptions: lasting},
			{ID: "transfer", Descriptions: map[string]string{"en": "make one transfer of up to 500 euros", "nl": "één overboeking doen"}},
		},
		Applications: []settings.Application{{
			ID: "bank", Name: "Rivermark Bank", RedirectURL: "rivermark://signed-in", DefaultScopes: []string{"accounts:read"},
			AdditionalScopes: []string{"transfer", "profile"},
			Versions:         []settings.AppVersion{{Platform: "android", Version: "1.0"}},
		}},
		WebClients: []settings.WebClient{{
			ID: "portal", Name: "Portal", Authentication: settings.PKCEOnly, Grants: []settings.Grant{settings.AuthorizationCode},
			RedirectURLs: []string{"https://portal.example/back"}, DefaultScopes: []string{"openid", "profile"}, RefreshTokenEnabled: true,
		}},
	})
	err := e.Store.AddInstallation(t.Context(), store.Installation{
		ClientID: strings.Repeat("A", 64), RegistrationID: "r1", Application: "bank", Platform: "android", Version: "1.0",
		APIVersion: 1, SecretForm: store.SecretPlain, SecretDigest: e.Keys.MAC(secret.ForClientSecret, "installed"), CreatedAt: e.Now(), LastSeen: e.Now(),
	})
	if err != nil {
		t.Fatal(err)
	}
	err = e.Store.PutAccount(t.Context(), store.Account{
		ID: "u-ann", Username: "ann", PasswordHash: secret.HashPassword("correct horse"), CreatedAt: e.Now(), UpdatedAt: e.Now(),
		Attributes: store.Attributes{"name": "Ann Jansen", "email": "ann@example.org"},
	})
	if err != nil {
		t.Fatal(err)
	}
	add, tokens, browser := routes(t, e, sets)
	return &server{e, e.Handler(add...), tokens, browser}
}

// routes connects the parts as the command does.
func routes(t *testing.T, e *audittest.Env, sets string) ([]func(*echo.Group), *token.Service, *oauth.Browser) {
	t.Helper()
	ring := &keys.Ring{Store: e.Store, Keys: e.Keys, Algorithm: keys.ES256, Now: e.Now, NewID: e.NewID}
	if err := ring.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	revocations := &token.Revocations{Store: e.Store, Hints: e.Redis, Now: e.Now}
	if err := revocations.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	tokens := &token.Service{
		Access: e.Redis, Families: e.Store, Search: e.Store, Profiles: e.Store, Installations: e.Store, Revocations: revocations,
		Keys: e.Keys, Ring: ring, Issuer: e.Issuer, Now: e.Now, NewID: e.NewID,
	}
	set, err := pages.Open(e.Issuer, sets)
	if err != nil {
		t.Fatal(err)
	}
	browser := &oauth.Browser{
		Audit: e.Recorder, Now: e.Now, Keys: e.Keys, Issuer: e.Issuer, Log: e.Log, Settings: e.Settings, Store: e.Store,
		Authorizations: e.Redis, Codes: e.Redis, Logouts: e.Redis, Sessions: &sessions.Service{
			Store: e.Redis, Jobs: e.Store, Tokens: tokens, Marks: revocations, Settings: e.Settings, Wake: func(string) {}, Now: e.Now, NewID: e.NewID,
		}, Consents: e.Store, Installations: e.Store, Pages: set,
		People:  &people.Service{Accounts: e.Store, Settings: e.Settings, Clients: e.Store, Now: e.Now},
		Devices: e.Redis, WebEntries: e.Redis, Profiles: e.Store, Marks: e.Store,
		Guesses:  &ratelimit.Limiter{Counts: e.Redis, Name: "user-codes", Limit: 5, Window: 10 * time.Minute, Now: e.Now},
		Accounts: e.Store, Tokens: tokens, StepUps: e.Store, StepUpWrong: &ratelimit.Limiter{Counts: e.Redis, Name: "step-up", Limit: 10, Window: time.Hour, Now: e.Now}, Scopes: &entitlement.Service{Settings: e.Settings, Client: entitlement.NewClient(outbound.Loopback()), Now: e.Now},
		Hooks:   &hooks.Service{Client: hooks.NewClient(outbound.Loopback()), Sign: ring, Issuer: e.Issuer, Now: e.Now, NewID: e.NewID, Log: e.Log},
		Signing: ring, Starts: &ratelimit.Limiter{Counts: e.Redis, Name: "starts", Limit: 1000, Window: time.Minute, Now: e.Now},
	}
	accounts := &idp.Accounts{
		Audit: e.Recorder, Now: e.Now, Keys: e.Keys, Issuer: e.Issuer, Store: e.Store, People: e.Store, Attempts: e.Store,
		Browsers: e.Store, Journey: browser, Passwords: idp.NewPasswords(2), Pages: set,
	}
	browser.Providers = oauth.Providers{settings.BuiltInAccounts: accounts, settings.SAMLProvider: accounts}
	handler := &oauth.Handler{
		Audit: e.Recorder, Now: e.Now, NewID: e.NewID, Keys: e.Keys, Issuer: e.Issuer, Log: e.Log, Settings: e.Settings,
		Store: e.Store, Tokens: tokens, Signing: ring, Accounts: e.Store, Profiles: noRemoval{t},
		Clients: &clientauth.Service{
			Installations: e.Store, Once: e.Redis, Failures: &ratelimit.Limiter{Counts: e.Redis, Name: "test", Limit: 1000, Window: time.Minute, Now: e.Now}, Keys: e.Keys, Issuer: e.Issuer, Now: e.Now,
		},
		Versions: &appgate.Gate{Installations: e.Store, Audit: e.Recorder}, Users: e.Store,
		Codes: e.Redis, Marks: e.Store, Book: e.Store,
		Devices: e.Redis, WebEntries: e.Redis, Providers: browser.Providers, Starts: browser.Starts, Guesses: browser.Guesses,
	}
	return []func(*echo.Group){browser.Routes, accounts.Routes, set.Routes, handler.Routes}, tokens, browser
}

// noRemoval fails a test in which a profile would have to go.
type noRemoval struct{ t *testing.T }

func (n noRemoval) RemoveProfile(context.Context, string, string, string) error {
	n.t.Error("a profile was removed")
	return nil
}

// person is somebody at a browser that keeps its cookies.
type person struct {
	t       *testing.T
	server  *server
	cookies map[string]string
	header  http.Header
}

func (s *server) person(t *testing.T) *person {
	t.Helper()
	return &person{t, s, map[string]string{}, http.Header{}}
}

// do sends one request; form nil means GET.
func (p *person) do(path string, form url.Values) audittest.Answer {
	p.t.Helper()
	header := p.header.Clone()
	for name, value := range p.cookies {
		header.Add("Cookie", name+"="+value)
	}
	if len(header["Cookie"]) > 0 {
		header.Set("Cookie", strings.Join(header["Cookie"], "; "))
	}
	r := audittest.Request{Method: http.MethodGet, Path: path, Header: header}
	if form != nil {
		r.Method, r.Form = http.MethodPost, form
	}
	a := audittest.Do(p.t, p.server.handler, r)
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.MaxAge < 0 {
			delete(p.cookies, c.Name)
		} else {
			p.cookies[c.Name] = c.Value
		}
	}
	return a
}

// follow goes where a redirect leads, as long as that is this server.
func (p *person) follow(a audittest.Answer) audittest.Answer {
	p.t.Helper()
	for range 10 {
		next := a.Header.Get("Location")
		if a.Status/100 != 3 || !strings.HasPrefix(next, "/oauth/") {
			return a
		}
		a = p.do(next, nil)
	}
	p.t.Fatal("redirects without end")
	return a
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// fields returns the hidden fields of a page and the values added to them.
func fields(a audittest.Answer, add ...string) url.Values {
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(a.Body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for i := 0; i < len(add); i += 2 {
		form.Set(add[i], add[i+1])
	}
	return form
}

func (p *person) wantCodes(want ...audit.Code) {
	p.t.Helper()
	if got := p.server.Codes(p.t); !slices.Equal(got, want) {
		p.t.Errorf("audit %v, want %v", got, want)
	}
}

func query(values ...string) string {
	q := url.Values{}
	for i := 0; i < len(values); i += 2 {
		q.Set(values[i], values[i+1])
	}
	return q.Encode()
}

// TestTheWholeWay walks an app's user from the authorization request to the tokens.
func TestTheWholeWay(t *testing.T) {
	sum := sha256.Sum256([]byte(verifier))
	if base64.RawURLEncoding.EncodeToString(sum[:]) != challenge {
		t.Fatal("verifier and challenge differ")
	}
	s := newServer(t)
	p := s.person(t)
	a := p.follow(p.do("/oauth/v1/authorize?"+query("response_type", "code", "client_id", strings.Repeat("A", 64),
		"redirect_uri", "rivermark://signed-in", "scope", "openid accounts:read profile", "state", "s t/+", "nonce", "n1",
		"code_challenge", challenge, "code_challenge_method", "S256"), nil))
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "Rivermark Bank") {
		t.Fatalf("sign-in page: %d %s", a.Status, a.Body)
	}
	p.wantCodes()

	again := p.do("/oauth/sign-in", fields(a, "username", "ann", "password", "wrong"))
	if again.Status != http.StatusOK || !strings.Contains(again.Body, "is not correct") {
		t.Fatalf("wrong password: %d %s", again.Status, again.Body)
	}
	p.wantCodes(audit.AccountSignInFailed)

	a = p.follow(p.do("/oauth/sign-in", fields(again, "username", "Ann", "password", "correct horse")))
	if a.Status != http.StatusOK || !strings.Contains(a.Body, "see your accounts") || !strings.Contains(a.Body, "Ann Jansen") {
		t.Fatalf("consent page: %d %s", a.Status, a.Body)
	}
	p.wantCodes(audit.AccountSignInSuccess)

	a = p.do("/oauth/consent", fields(a, "decision", "accept"))
	link := regexp.MustCompile(`id="continue"[^>]*href="([^"]*)"`).FindStringSubmatch(a.Body)
	if a.Status != http.StatusOK || link == nil {
		t.Fatalf("way back: %d %s", a.Status, a.Body)
	}
	p.wantCodes(audit.ConsentGiven, audit.AuthzRequestGrantCreated)
	back, err := url.Parse(html.UnescapeString(link[1]))
	if err != nil || back.Scheme != "rivermark" {
		t.Fatalf("link %q: %v", link[1], err)
	}
	if q := back.Query(); q.Get("state") != "s t/+" || q.Get("iss") != audittest.Issuer {
		t.Fatalf("answer %v", q)
	}

	redeem := audittest.Request{
		Path: "/oauth/v1/token", Basic: []string{strings.Repeat("A", 64), "installed"},
		Form: url.Values{
			"grant_type": {"authorization_code"}, "code": {back.Query().Get("code")}, "redirect_uri": {"rivermark://signed-in"},
			"code_verifier": {verifier}, "profile_id": {"AB12CD"},
		},
	}
	a = audittest.Do(t, s.handler, redeem)
	var tokens struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
		IDToken      string `json:"id_token"`
		Scope        string `json:"scope"`
		ProfileID    string `json:"profile_id"`
	}
	if err := json.Unmarshal([]byte(a.Body), &tokens); err != nil || a.Status != http.StatusOK {
		t.Fatalf("tokens: %d %s", a.Status, a.Body)
	}
	if len(tokens.AccessToken) != 64 || len(tokens.RefreshToken) != 64 || tokens.ProfileID != "AB12CD" || tokens.Scope != "openid accounts:read profile" {
		t.Errorf("tokens %s", a.Body)
	}
	p.wantCodes(audit.TokenRequestAccessTokenCreated)
	claims := map[string]any{}
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(tokens.IDToken, ".")[1])
	if err != nil || json.Unmarshal(body, &claims) != nil {
		t.Fatalf("ID token %q", tokens.IDToken)
	}
	if claims["name"] != "Ann Jansen" || claims["nonce"] != "n1" || claims["sub"] != "u-ann" || claims["email"] != nil {
		t.Errorf("claims %v", claims)
	}

	if a = audittest.Do(t, s.handler, redeem); a.Status != http.StatusBadRequest || !strings.Contains(a.Body, `"invalid_grant"`) {
		t.Errorf("second use: %d %s", a.Status, a.Body)
	}
	p.wantCodes(audit.TokenRequestInvalidGrant)
}
