package idp_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/idp"
	"tokenserver/idp/oidc"
	"tokenserver/internal/audittest"
	"tokenserver/internal/outbound"
	"tokenserver/internal/remotejwks"
	"tokenserver/internal/settings"
	"tokenserver/internal/standin"
	"tokenserver/store"
)

// abroad is a server whose users sign in at a foreign provider.
type abroad struct {
	*audittest.Env
	hall     *hall
	handler  http.Handler
	oauth    *idp.OAuth
	provider *standin.OpenID
	http     *http.Client
}

const upstreamSecret = "secret of the server at the provider"

func newAbroad(t testing.TB) *abroad {
	t.Helper()
	e := audittest.New(t)
	provider, err := standin.StartOpenID(e.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Close() })
	client := outbound.New(outbound.Config{AllowPrivate: outbound.Loopback(), Timeout: 5 * time.Second})
	s := &abroad{Env: e, hall: newHall(e.Now), provider: provider, http: client}
	s.oauth = &idp.OAuth{
		Audit: e.Recorder, Now: e.Now, Keys: e.Keys, Issuer: e.Issuer, Settings: e.Settings, Once: e.Redis, Journey: s.hall,
		Client: &oidc.Client{
			HTTP: client, Directory: &oidc.Directory{HTTP: client, Now: e.Now}, Now: e.Now, NewID: e.NewID,
			Keys:              &remotejwks.Sets{Client: client, Private: outbound.Loopback(), Now: e.Now},
			TransactionHeader: "X-Request-Id",
		},
	}
	s.handler = e.Handler(s.oauth.Routes)
	provider.Register(standin.OpenIDClient{
		ID: "ts", Secret: upstreamSecret, RedirectURI: e.Issuer + "/oauth-idp/callback", Authentication: "client_secret_basic",
	})
	provider.SignIn(map[string]any{"sub": "ann", "name": "Ann", "email": "ann@example.org", "amr": []string{"pwd", "otp"}})
	base := provider.Issuer()
	s.configure(
		settings.IdentityProvider{ID: "oidc", Type: settings.OIDCProvider, OAuth: &settings.OAuthSection{
			Issuer: base, ClientID: "ts", ClientSecret: settings.NewSecret(upstreamSecret), Scopes: []string{"profile"},
		}},
		settings.IdentityProvider{ID: "plain", Type: settings.OAuthProvider, OAuth: &settings.OAuthSection{
			AuthorizationURL: base + "/authorize", TokenURL: base + "/token", ProfileURL: base + "/profile", ClientID: "ts",
			ClientSecret: settings.NewSecret(upstreamSecret),
		}},
	)
	return s
}

func (s *abroad) configure(providers ...settings.IdentityProvider) {
	s.Settings.Set(settings.Document{IdentityProviders: providers})
}

// visit is one request of a browser.
func (s *abroad) visit(t *testing.T, browser, address string) audittest.Answer {
	t.Helper()
	return audittest.Do(t, s.handler, audittest.Request{
		Method: http.MethodGet, Path: strings.TrimPrefix(address, "https://ts.example"), Header: http.Header{"Cookie": {"browser=" + browser}},
	})
}

// depart begins at the transaction "t1" and goes as far as the provider sends the browser: the address of our callback.
func (s *abroad) depart(t *testing.T) string {
	t.Helper()
	a := s.visit(t, "ann's", s.oauth.SignInURL("t1"))
	if a.Status != http.StatusFound || a.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("start: %d %s", a.Status, a.Body)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.Header.Get("Location"), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := s.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	back := answer.Header.Get("Location")
	if !strings.HasPrefix(back, s.Issuer+"/oauth-idp/callback?") {
		t.Fatalf("provider: %s %q", answer.Status, back)
	}
	return back
}

// signIn goes all the way for a new transaction "t1".
func (s *abroad) signIn(t *testing.T, provider string, change func(*store.Authorization)) audittest.Answer {
	t.Helper()
	s.hall.open("t1", provider, change)
	return s.visit(t, "ann's", s.depart(t))
}

// with changes the parameters of an address; "" removes one.
func with(t *testing.T, address string, change ...string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := u.Query()
	for i := 0; i < len(change); i += 2 {
		query.Set(change[i], change[i+1])
		if change[i+1] == "" {
			query.Del(change[i])
		}
	}
	u.RawQuery = query.Encode()
	return u.String()
}

func codes(list ...audit.Code) []audit.Code { return append([]audit.Code{}, list...) }
