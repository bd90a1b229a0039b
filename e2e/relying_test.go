package e2e_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"

	"tokenserver/phone"
)

// What the relying party of the tests is registered with.
const (
	rpBasic  = "rp"        // CLIENT_SECRET_BASIC, every scope of OpenID Connect, refresh tokens
	rpOther  = "rp-other"  // the same; the second client of a test
	rpNative = "rp-native" // public, with PKCE

	rpRedirect  = "https://rp.example.org/cb"
	rpKey       = "rp-key"    // PRIVATE_KEY_JWT with a JWK set of its own
	rpDevice    = "rp-device" // public, device flow
	rpLoopback  = "http://127.0.0.1/cb"
	rpLoggedOut = "https://rp.example.org/bye"
	rpUser      = "zoe" // has every attribute that a scope carries
	allScopes   = "openid profile email address phone"
)

// fullAttributes are those of rpUser.
func fullAttributes() object {
	return object{
		"name": "Zoe of Harbour", "given_name": "Zoe", "family_name": "Harbour", "nickname": "Zo", "gender": "female",
		"birthdate": "1987-06-05", "locale": "nl-NL", "email": "zoe@example.org", "email_verified": "true",
		"phone_number": "+31612345678", "phone_number_verified": "true", "street_name": "Quay", "house_number": "7",
		"city": "Rotterdam", "postal_code": "3011 AA", "country": "NL",
	}
}

// relyingParties are the web clients that relyingParty speaks for. notified is where logout notices go.
func (w *world) relyingParties() []object {
	party := func(id string, more object) object {
		o := object{
			"client_id": id, "name": "Relying party " + id, "client_secret": w.secret, "grant_types": []string{"AUTHORIZATION_CODE"},
			"redirect_urls": []string{rpRedirect}, "default_scopes": []string{"openid"},
			"additional_scopes": []string{"profile", "email", "address", "phone"}, "refresh_token_enabled": true, "skip_consent": true,
			"identity_provider": "accounts",
			"open_id_connect":   object{"post_logout_redirect_urls": []string{rpLoggedOut}},
		}
		for name, value := range more {
			o[name] = value
		}
		return o
	}
	return slices.Concat(w.legacyParties(party), w.toldParties(party), []object{
		party(rpBasic, nil),
		party(rpOther, nil),
		party(rpKey, object{"client_authentication_method": "PRIVATE_KEY_JWT", "client_secret": nil, "jwks_uri": w.others.url + "/jwks"}),
		party(rpDevice, object{"client_authentication_method": "PUBLIC", "client_secret": nil, "grant_types": []string{"DEVICE_CODE"}, "redirect_urls": nil}),
		party(rpNative, object{"client_authentication_method": "PKCE", "client_secret": nil, "redirect_urls": []string{rpLoopback}}),
	})
}

// relyingParty is a web client with one user at one browser.
type relyingParty struct {
	*actor
	id       string
	redirect string
	person   *phone.Person
	mode     string            // response_mode of its requests; "" = none is asked for
	post     bool              // send the secret in the form
	via      http.RoundTripper // between the browser and the server; nil = nothing
}

// newRelyingParty returns a relying party of a test, with a fresh browser.
func newRelyingParty(t *testing.T, d *deployment, id string) *relyingParty {
	t.Helper()
	a := newActor(t, d)
	return &relyingParty{actor: a, id: id, redirect: rpRedirect, person: a.person(rpUser)}
}

// tokens is the answer of the token endpoint.
type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
	Scope   string `json:"scope"`
	Expires int    `json:"expires_in"`
}

// request is an authorization request with what every one needs; change alters it, "" takes a parameter away.
func (rp *relyingParty) request(change map[string]string) url.Values {
	query := url.Values{
		"response_type": {"code"}, "client_id": {rp.id}, "redirect_uri": {rp.redirect}, "scope": {"openid"}, "state": {randomText(9)},
		"nonce": {randomText(9)},
	}
	if rp.mode != "" {
		query.Set("response_mode", rp.mode)
	}
	for name, value := range change {
		if value == "" {
			query.Del(name)
			continue
		}
		query.Set(name, value)
	}
	return query
}

// answered opens an authorization request in the browser and returns what the client gets. The state must come back.
func (rp *relyingParty) answered(query url.Values) url.Values {
	rp.t.Helper()
	back, err := rp.open(query)
	if err != nil {
		rp.t.Fatalf("authorization request: %v", err)
	}
	if back.Get("state") != query.Get("state") {
		rp.t.Fatalf("state %q came back as %q", query.Get("state"), back.Get("state"))
	}
	if back.Get("iss") != rp.d.base {
		rp.t.Fatalf("iss of the answer is %q, want %q (RFC 9207)", back.Get("iss"), rp.d.base)
	}
	return back
}

// open is answered without any expectation.
func (rp *relyingParty) open(query url.Values) (url.Values, error) {
	rp.t.Helper()
	var next http.RoundTripper = rp.actor
	if rp.via != nil {
		next = rp.via
	}
	catcher := &catcher{next: next, target: query.Get("redirect_uri")}
	if catcher.target == "" {
		catcher.target = rp.redirect
	}
	rp.person.Transport = catcher
	end := catcher.target
	if query.Get("response_mode") == "form_post" {
		end = "none:" // the browser does post there
	}
	got, err := rp.person.Open(rp.t.Context(), rp.d.base+"/v1/authorize?"+query.Encode(), end)
	if catcher.posted != nil {
		return catcher.posted, nil
	}
	if err != nil {
		return nil, err
	}
	address, err := url.Parse(got)
	if err != nil {
		return nil, fmt.Errorf("redirect address: %w", err)
	}
	return address.Query(), nil
}

// catcher is the client's end of a form post: it keeps what the browser posts to the redirect address.
type catcher struct {
	next   http.RoundTripper
	target string
	posted url.Values
}

// RoundTrip implements http.RoundTripper.
func (c *catcher) RoundTrip(r *http.Request) (*http.Response, error) {
	if !strings.HasPrefix(r.URL.String(), c.target) || r.Method != http.MethodPost {
		return c.next.RoundTrip(r)
	}
	text, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if c.posted, err = url.ParseQuery(string(text)); err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
}

// token makes a token request as this client.
func (rp *relyingParty) token(form url.Values) *answer {
	rp.t.Helper()
	r := request{path: "/v1/token", form: form}
	if rp.post {
		form.Set("client_id", rp.id)
		form.Set("client_secret", rp.d.world.secret)
	} else {
		r.basic = []string{rp.id, rp.d.world.secret}
	}
	return rp.send(r)
}

// redeem exchanges the code of an answer.
func (rp *relyingParty) redeem(back url.Values, more ...string) (tokens, *answer) {
	rp.t.Helper()
	form := url.Values{"grant_type": {"authorization_code"}, "code": {back.Get("code")}, "redirect_uri": {rp.redirect}}
	for i := 0; i+1 < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return rp.tokens(form)
}

func (rp *relyingParty) tokens(form url.Values) (tokens, *answer) {
	rp.t.Helper()
	response := rp.token(form)
	var got tokens
	if response.status == http.StatusOK {
		if err := json.Unmarshal(response.body, &got); err != nil {
			rp.t.Fatalf("token answer: %v", err)
		}
		rp.keepSecret(got.Access, got.Refresh, got.ID)
	}
	return got, response
}

// keepSecret notes what must appear in no log and no event.
func (rp *relyingParty) keepSecret(secrets ...string) {
	rp.d.mu.Lock()
	defer rp.d.mu.Unlock()
	for _, s := range secrets {
		if s != "" {
			rp.d.secrets = append(rp.d.secrets, s)
		}
	}
}

// signedIn is one whole sign-in: request, code, tokens, verified ID token.
func (rp *relyingParty) signedIn(change map[string]string) (tokens, *idToken) {
	rp.t.Helper()
	query := rp.request(change)
	back := rp.answered(query)
	if back.Get("code") == "" {
		rp.t.Fatalf("no code in the answer: %v", back)
	}
	got, response := rp.redeem(back)
	if response.status != http.StatusOK {
		rp.t.Fatalf("token request: %d %s", response.status, response.body)
	}
	id := rp.verified(got)
	if id.Nonce != query.Get("nonce") {
		rp.t.Fatalf("nonce %q, want %q", id.Nonce, query.Get("nonce"))
	}
	return got, id
}

// idToken is a verified ID token.
type idToken struct {
	*oidc.IDToken
	claims map[string]any
}

func (t *idToken) text(name string) string {
	s, _ := t.claims[name].(string)
	return s
}

// authTime is when the user signed in, in seconds since 1970; 0 = it is not said.
func (t *idToken) authTime() float64 {
	n, _ := t.claims["auth_time"].(float64)
	return n
}

// provider is the server as go-oidc discovers it.
func (rp *relyingParty) provider() (context.Context, *oidc.Provider) {
	rp.t.Helper()
	ctx := oidc.ClientContext(rp.t.Context(), &http.Client{Transport: rp.actor, Timeout: requestTime})
	provider, err := oidc.NewProvider(ctx, rp.d.base)
	if err != nil {
		rp.t.Fatal(err)
	}
	return ctx, provider
}

// verified checks the ID token as OpenID Connect Core §3.1.3.7 says.
func (rp *relyingParty) verified(got tokens) *idToken {
	rp.t.Helper()
	id, err := rp.verify(got)
	if err != nil {
		rp.t.Fatal(err)
	}
	return id
}

func (rp *relyingParty) verify(got tokens) (*idToken, error) {
	rp.t.Helper()
	ctx, provider := rp.provider()
	if got.ID == "" {
		return nil, errors.New("there is no ID token")
	}
	verifier := provider.Verifier(&oidc.Config{ClientID: rp.id, SupportedSigningAlgs: []string{oidc.ES256, oidc.RS256, oidc.PS256}})
	parsed, err := verifier.Verify(ctx, got.ID)
	if err != nil {
		return nil, fmt.Errorf("verify ID token: %w", err)
	}
	if err := parsed.VerifyAccessToken(got.Access); err != nil {
		return nil, fmt.Errorf("at_hash: %w", err)
	}
	id := &idToken{IDToken: parsed}
	return id, parsed.Claims(&id.claims)
}

// userinfo asks for the claims about the user.
func (rp *relyingParty) userinfo(r request) map[string]any {
	rp.t.Helper()
	r.path = "/v1/userinfo"
	response := rp.send(r)
	if response.status != http.StatusOK {
		rp.t.Fatalf("userinfo: %d %s", response.status, response.body)
	}
	var claims map[string]any
	if err := json.Unmarshal(response.body, &claims); err != nil {
		rp.t.Fatal(err)
	}
	return claims
}

// document is the discovery document.
func (rp *relyingParty) document() map[string]any {
	rp.t.Helper()
	response := rp.send(request{path: "/.well-known/openid-configuration"})
	if response.status != http.StatusOK {
		rp.t.Fatalf("discovery: %d", response.status)
	}
	var document map[string]any
	if err := json.Unmarshal(response.body, &document); err != nil {
		rp.t.Fatal(err)
	}
	return document
}
