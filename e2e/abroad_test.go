package e2e_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"tokenserver/internal/standin"
)

const (
	travelClient = "travel" // its users sign in elsewhere
	longestWay   = 20       // redirects
)

// traveller is a browser with cookies, whose user signs in at another server.
type traveller struct {
	*actor
	browser *http.Client
}

func newTraveller(t *testing.T, d *deployment) *traveller {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	a := newActor(t, d)
	browser := a.client()
	browser.Jar = jar
	return &traveller{a, browser}
}

// stop is where a journey of redirects has ended: at a page, or back at the client.
type stop struct {
	address *url.URL
	status  int
	page    string
	back    url.Values // what the client gets; nil: the journey has not come back
}

// visit opens an address, or sends a form to it, and follows redirects until there is a page or the client's own address.
func (b *traveller) visit(address string, form url.Values, headers ...string) stop {
	b.t.Helper()
	for range longestWay {
		method, body := http.MethodGet, ""
		if form != nil {
			method, body = http.MethodPost, form.Encode()
		}
		request, err := http.NewRequestWithContext(b.t.Context(), method, address, strings.NewReader(body))
		if err != nil {
			b.t.Fatal(err)
		}
		if form != nil {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		for i := 0; i < len(headers); i += 2 {
			request.Header.Add(headers[i], headers[i+1])
		}
		answer, err := b.browser.Do(request)
		if err != nil {
			b.t.Fatal(err)
		}
		text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
		_ = answer.Body.Close()
		if err != nil {
			b.t.Fatal(err)
		}
		location, err := answer.Location()
		if errors.Is(err, http.ErrNoLocation) {
			return stop{request.URL, answer.StatusCode, string(text), nil}
		}
		if err != nil {
			b.t.Fatal(err)
		}
		if strings.HasPrefix(location.String(), webAddress) {
			return stop{location, answer.StatusCode, "", location.Query()}
		}
		address, form = location.String(), nil
	}
	b.t.Fatalf("more than %d redirects, at %s", longestWay, address)
	return stop{}
}

var (
	formAction   = regexp.MustCompile(`<form[^>]* action="([^"]*)"`)
	foreignField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
	abortLink    = regexp.MustCompile(`href="([^"]*/abort)"`)
)

// submit fills in the form of a page.
func (b *traveller) submit(s stop, fields ...string) stop {
	b.t.Helper()
	action := formAction.FindStringSubmatch(s.page)
	if action == nil {
		b.t.Fatalf("no form at %s: %d\n%s", s.address, s.status, s.page)
	}
	target, err := s.address.Parse(html.UnescapeString(action[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	form := url.Values{}
	for _, m := range foreignField.FindAllStringSubmatch(s.page, -1) {
		form.Set(html.UnescapeString(m[1]), html.UnescapeString(m[2]))
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.visit(target.String(), form)
}

// authorize is an authorization request of the client.
func (b *traveller) authorize(provider string, more ...string) string {
	query := url.Values{
		"response_type": {"code"}, "client_id": {travelClient}, "redirect_uri": {webAddress}, "scope": {"openid read"}, "state": {"s"},
		"nonce": {"n"}, "idp": {provider},
	}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return b.d.base + "/v1/authorize?" + query.Encode()
}

// travel puts a client and identity providers into force, and waits until the server works with them.
func travel(t *testing.T, d *deployment, providers ...object) {
	t.Helper()
	names := []string{}
	for _, p := range providers {
		names = append(names, fmt.Sprint(p["id"]))
	}
	d.apply(t, func(document object) {
		document["identity_providers"] = append(document["identity_providers"].([]object), providers...)
		document["web_clients"] = append(document["web_clients"].([]object), object{
			"client_id": travelClient, "client_secret": d.world.secret, "grant_types": []string{"AUTHORIZATION_CODE"},
			"redirect_urls": []string{webAddress}, "default_scopes": []string{"openid", "read"}, "skip_consent": true,
			"identity_provider": "accounts", "additional_identity_providers": names,
			"open_id_connect": object{"post_logout_redirect_urls": []string{webAddress}},
		})
	})
	b := newTraveller(t, d)
	for deadline := time.Now().Add(spreadTime); ; time.Sleep(pollEvery) {
		if b.visit(b.authorize("accounts"), nil).status == http.StatusOK {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the settings are not in force after %v", spreadTime)
		}
	}
}

// redeem exchanges the code that the client has got, and returns the claims of the ID token.
func (b *traveller) redeem(s stop) (claims object, idToken string) {
	b.t.Helper()
	if s.back.Get("code") == "" || s.back.Get("state") != "s" || s.back.Get("iss") != b.d.base {
		b.t.Fatalf("no code came back: %s %d\n%s", s.address, s.status, s.page)
	}
	answer := b.send(request{
		path: "/v1/token", basic: []string{travelClient, b.d.world.secret},
		form: url.Values{"grant_type": {"authorization_code"}, "code": {s.back.Get("code")}, "redirect_uri": {webAddress}},
	})
	if answer.status != http.StatusOK {
		b.t.Fatalf("token: %d %s", answer.status, answer.body)
	}
	idToken = answer.member("id_token")
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(idToken, ".")[1])
	if err != nil {
		b.t.Fatal(err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		b.t.Fatal(err)
	}
	return claims, idToken
}

// TestForeignProvider: a person signs in at a provider that is none of ours, oidc-provider of npm, on its own pages.
func TestForeignProvider(t *testing.T) {
	t.Parallel()
	foreign := startScript(t, "provider.mjs")
	issuer := fmt.Sprint(foreign.hear()["issuer"])
	d := own(t, startEmbedded)
	secret := d.secret(randomText(24))
	foreign.say(object{
		"clients": []object{{
			"client_id": "ts", "client_secret": secret, "redirect_uris": []string{d.base + "/oauth-idp/callback"},
			"post_logout_redirect_uris": []string{d.base + "/v1/logout/complete"},
		}},
		"people": object{"ann-7": object{"name": "Ann Abroad", "email": "ann@abroad.example"}},
	})
	foreign.hear()
	travel(t, d, object{"id": "npm", "type": "OIDC", "oauth": object{
		"issuer": issuer, "client_id": "ts", "client_secret": secret, "scopes": []string{"profile", "email"},
	}})
	b := newTraveller(t, d)

	var idToken string
	b.step("sign in", "AUTHZ_REQUEST_GRANT_CREATED TOKEN_REQUEST_ACCESS_TOKEN_CREATED", func(context.Context) error {
		s := b.visit(b.authorize("npm"), nil)
		s = b.submit(s, "login", "ann-7", "password", "any")
		s = b.submit(s) // agrees there
		var claims object
		claims, idToken = b.redeem(s)
		if claims["sub"] != "ann-7" || claims["nonce"] != "n" || claims["auth_time"] == nil {
			return fmt.Errorf("claims %v", claims)
		}
		return nil
	})
	b.step("silently", "AUTHZ_REQUEST_GRANT_CREATED TOKEN_REQUEST_ACCESS_TOKEN_CREATED", func(context.Context) error {
		claims, _ := b.redeem(b.visit(b.authorize("npm", "prompt", "none"), nil))
		if claims["sub"] != "ann-7" {
			return fmt.Errorf("claims %v", claims)
		}
		return nil
	})
	other := newTraveller(t, d)
	other.step("silently by nobody", "IDP_OAUTH_MISSING_ACCESS_GRANT", func(context.Context) error {
		return other.wantError(other.visit(other.authorize("npm", "prompt", "none"), nil), "login_required")
	})
	other.step("given up", "IDP_OAUTH_MISSING_ACCESS_GRANT", func(context.Context) error {
		s := other.visit(other.authorize("npm"), nil)
		abort := abortLink.FindStringSubmatch(s.page)
		if abort == nil {
			return fmt.Errorf("no way out of %s:\n%s", s.address, s.page)
		}
		return other.wantError(other.visit(html.UnescapeString(abort[1]), nil), "access_denied")
	})
	b.step("log out there too", "OPENID_SESSION_LOGOUT_SUCCESS", func(context.Context) error {
		s := b.visit(d.base+"/v1/logout?"+url.Values{
			"id_token_hint": {idToken}, "post_logout_redirect_uri": {webAddress}, "state": {"bye"},
		}.Encode(), nil)
		if !strings.HasPrefix(s.address.String(), issuer) {
			return fmt.Errorf("the logout ends at %s: %d\n%s", s.address, s.status, s.page)
		}
		s = b.submit(s, "logout", "yes")
		if s.back.Get("state") != "bye" {
			return fmt.Errorf("the logout ends at %s: %d\n%s", s.address, s.status, s.page)
		}
		return nil
	})
	b.step("nobody is left", "IDP_OAUTH_MISSING_ACCESS_GRANT", func(context.Context) error {
		return b.wantError(b.visit(b.authorize("npm", "prompt", "none"), nil), "login_required")
	})
}

// wantError checks the error that comes back to the client.
func (b *traveller) wantError(s stop, want string) error {
	if s.back.Get("error") != want {
		return fmt.Errorf("%s %d: error %q, want %q\n%s", s.address, s.status, s.back.Get("error"), want, s.page)
	}
	return nil
}

// TestForeignAnswers: what goes wrong between the servers, and a reverse proxy that signs users in.
func TestForeignAnswers(t *testing.T) {
	t.Parallel()
	d := own(t, startEmbedded)
	lying := func(l standin.OpenIDLies) string { return startLiar(t, d, l) }
	oidc := func(id, issuer string) object {
		return object{"id": id, "type": "OIDC", "oauth": object{"issuer": issuer, "client_id": "ts", "client_secret": d.world.secret}}
	}
	header := func(id, network string) object {
		return object{"id": id, "type": "HEADER", "header": object{"trusted_proxies": []string{network}}}
	}
	travel(t, d,
		oidc("honest", lying(standin.OpenIDLies{})),
		oidc("unsigned", lying(standin.OpenIDLies{Algorithm: "none"})),
		oidc("mute", lying(standin.OpenIDLies{Endpoints: map[string]func(http.ResponseWriter, *http.Request, http.Handler){
			"/userinfo": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(http.StatusForbidden) },
		}})),
		oidc("closed", lying(standin.OpenIDLies{Metadata: func(m map[string]any) { delete(m, "token_endpoint") }})),
		header("gate", "127.0.0.1/32"),
		header("far-gate", "10.0.0.0/8"), // where X-Forwarded-For says that the callers are
	)
	ask := func(provider string, headers ...string) func(*actor) ending {
		return func(a *actor) ending {
			b := newTraveller(a.t, d)
			b.actor = a
			b.browser.Transport = a
			s := b.visit(b.authorize(provider), nil, headers...)
			return ending{s.status, s.back.Get("error")}
		}
	}
	runRows(t, d, []row{
		{"honest", ask("honest"), 302, "", "AUTHZ_REQUEST_GRANT_CREATED"},
		{"unsigned ID token", ask("unsigned"), 302, "server_error", "IDP_OAUTH_MISSING_ACCESS_TOKEN"},
		{"no profile", ask("mute"), 302, "server_error", "IDP_OAUTH_MISSING_USER_INFO"},
		{"no endpoints", ask("closed"), 302, "temporarily_unavailable", "IDP_OAUTH_DISCOVERY_FAILED"},
		{"state of nobody", func(a *actor) ending {
			return a.send(request{path: "/oauth-idp/callback?state=x&code=y"}).ended()
		}, 400, "", "IDP_OAUTH_STATE_MISMATCH"},
		{"through the gate", ask("gate", "iv-user", "gus"), 302, "", "AUTHZ_REQUEST_GRANT_CREATED"},
		{"through the gate without a name", ask("gate"), 302, "access_denied", "IDP_HEADER_USER_MISSING"},
		{"beside the gate", ask("far-gate", "iv-user", "gus"), 302, "access_denied", "IDP_HEADER_USER_MISSING"},
	})
}

// startLiar starts an OpenID provider that knows the deployment, and deviates.
func startLiar(t *testing.T, d *deployment, l standin.OpenIDLies) (issuer string) {
	t.Helper()
	p, err := standin.StartOpenID(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	p.Register(standin.OpenIDClient{
		ID: "ts", Secret: d.world.secret, RedirectURI: d.base + "/oauth-idp/callback", Authentication: "client_secret_basic",
	})
	p.SignIn(map[string]any{"sub": "otto", "name": "Otto"})
	p.Lie(l)
	return p.Issuer()
}
