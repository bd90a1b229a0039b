package standin

import (
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// OpenID is an OpenID provider on loopback: discovery, authorization, token, userinfo, key set and logout endpoints. It shows
// no page: whoever was named by SignIn is signed in. Its profile endpoint makes it a plain OAuth 2.0 server too.
//
// It keeps to the rules until Lie tells it not to.
type OpenID struct {
	server  *http.Server
	address string
	now     func() time.Time

	mu      sync.Mutex
	clients map[string]OpenIDClient
	person  map[string]any // claims of whoever is signed in; nil = nobody
	grants  map[string]openIDGrant
	tokens  map[string]map[string]any // claims by access token
	keys    *openIDKeys
	lies    OpenIDLies
	asked   []url.Values // authorization requests, oldest first
	logouts []url.Values
}

// OpenIDClient is a client that the provider knows.
type OpenIDClient struct {
	ID             string
	Secret         string
	RedirectURI    string
	Authentication string        // client_secret_basic, client_secret_post or private_key_jwt
	KeySet         func() []byte // of a client with private_key_jwt
}

// OpenIDLies say where the provider deviates. A handler takes the place of a whole endpoint.
type OpenIDLies struct {
	Algorithm string                                                            // of ID tokens; "" = ES256; none and HS256 are lies
	IDToken   func(header, claims map[string]any)                               // changed before signing
	Redirect  func(answer url.Values)                                           // of the authorization endpoint
	Tokens    func(answer map[string]any)                                       // of the token endpoint
	Metadata  func(document map[string]any)                                     // of discovery
	Endpoints map[string]func(http.ResponseWriter, *http.Request, http.Handler) // by path, for example "/token"; the handler is the honest one
}

// openIDGrant is what a code stands for.
type openIDGrant struct {
	client, redirectURI, challenge, nonce, acr string
	openID                                     bool
	person                                     map[string]any
}

// StartOpenID starts the provider on a free port. now is its clock.
func StartOpenID(now func() time.Time) (*OpenID, error) {
	keys, err := newOpenIDKeys()
	if err != nil {
		return nil, err
	}
	p := &OpenID{
		now: now, clients: map[string]OpenIDClient{}, grants: map[string]openIDGrant{}, tokens: map[string]map[string]any{}, keys: keys,
	}
	mux := http.NewServeMux()
	for path, handler := range map[string]http.HandlerFunc{
		"/.well-known/openid-configuration": p.discovery, "/jwks": p.keySet, "/authorize": p.authorize, "/token": p.token,
		"/userinfo": p.userinfo, "/profile": p.profile, "/logout": p.logout,
	} {
		mux.HandleFunc(path, p.honestly(path, handler))
	}
	p.server = &http.Server{Handler: mux}
	if p.address, err = serve(p.server, nil); err != nil {
		return nil, fmt.Errorf("start OpenID provider: %w", err)
	}
	return p, nil
}

// Issuer is the issuer identifier; the endpoints lie below it.
func (p *OpenID) Issuer() string { return "http://" + p.address }

// Close stops the provider.
func (p *OpenID) Close() error {
	if err := p.server.Close(); err != nil {
		return fmt.Errorf("close OpenID provider: %w", err)
	}
	return nil
}

// Register makes a client known.
func (p *OpenID) Register(c OpenIDClient) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clients[c.ID] = c
}

// SignIn says who sits at the browsers from now on: claims, sub among them; nil = nobody.
func (p *OpenID) SignIn(claims map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.person = maps.Clone(claims)
}

// Lie says how the provider deviates from now on; the zero value = not at all.
func (p *OpenID) Lie(l OpenIDLies) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lies = l
}

// Asked returns the authorization requests so far, oldest first.
func (p *OpenID) Asked() []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// Logouts returns the logout requests so far, oldest first.
func (p *OpenID) Logouts() []url.Values {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.logouts)
}

func (p *OpenID) honestly(path string, honest http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		lie := p.lies.Endpoints[path]
		p.mu.Unlock()
		if lie != nil {
			lie(w, r, honest)
			return
		}
		honest(w, r)
	}
}

func (p *OpenID) discovery(w http.ResponseWriter, _ *http.Request) {
	document := map[string]any{
		"issuer": p.Issuer(), "authorization_endpoint": p.Issuer() + "/authorize", "token_endpoint": p.Issuer() + "/token",
		"userinfo_endpoint": p.Issuer() + "/userinfo", "jwks_uri": p.Issuer() + "/jwks", "end_session_endpoint": p.Issuer() + "/logout",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"}, "authorization_response_iss_parameter_supported": true,
	}
	p.mu.Lock()
	change := p.lies.Metadata
	p.mu.Unlock()
	if change != nil {
		change(document)
	}
	writeJSON(w, http.StatusOK, document)
}

// Rotate signs with new keys from now on, and publishes only these.
func (p *OpenID) Rotate() error {
	keys, err := newOpenIDKeys()
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	keys.generation = p.keys.generation + 1
	p.keys = keys
	return nil
}

func (p *OpenID) keySet(w http.ResponseWriter, _ *http.Request) {
	p.mu.Lock()
	set := p.keys.set()
	p.mu.Unlock()
	writeJSON(w, http.StatusOK, set)
}

// authorize signs in whoever was named and sends the browser back with a code.
func (p *OpenID) authorize(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	p.mu.Lock()
	p.asked = append(p.asked, query)
	client, known := p.clients[query.Get("client_id")]
	person, change := p.person, p.lies.Redirect
	p.mu.Unlock()
	if !known || query.Get("redirect_uri") != client.RedirectURI {
		http.Error(w, "unknown client or redirect_uri", http.StatusBadRequest)
		return
	}
	answer := url.Values{"iss": {p.Issuer()}}
	if query.Has("state") {
		answer.Set("state", query.Get("state"))
	}
	switch {
	case query.Get("response_type") != "code":
		answer.Set("error", "unsupported_response_type")
	case query.Get("code_challenge_method") != "S256" || len(query.Get("code_challenge")) != 43:
		answer.Set("error", "invalid_request")
	case person == nil && query.Get("prompt") == "none":
		answer.Set("error", "login_required")
	case person == nil:
		answer.Set("error", "access_denied")
	default:
		code := rand.Text()
		p.mu.Lock()
		p.grants[code] = openIDGrant{
			client: client.ID, redirectURI: client.RedirectURI, challenge: query.Get("code_challenge"), nonce: query.Get("nonce"),
			acr: query.Get("acr_values"), openID: slices.Contains(strings.Fields(query.Get("scope")), "openid"), person: person,
		}
		p.mu.Unlock()
		answer.Set("code", code)
	}
	if change != nil {
		change(answer)
	}
	http.Redirect(w, r, client.RedirectURI+"?"+answer.Encode(), http.StatusFound)
}

// userinfo answers GET and POST with the claims of the token's user (OpenID Connect Core §5.3).
func (p *OpenID) userinfo(w http.ResponseWriter, r *http.Request) {
	person := p.bearer(r)
	if person == nil {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
		return
	}
	writeJSON(w, http.StatusOK, person)
}

// profile answers POST alone, with userId in place of sub, as servers without OpenID do.
func (p *OpenID) profile(w http.ResponseWriter, r *http.Request) {
	person := maps.Clone(p.bearer(r))
	switch {
	case r.Method != http.MethodPost:
		w.WriteHeader(http.StatusMethodNotAllowed)
	case person == nil:
		writeJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
	default:
		person["userId"] = person["sub"]
		delete(person, "sub")
		writeJSON(w, http.StatusOK, person)
	}
}

func (p *OpenID) bearer(r *http.Request) map[string]any {
	token, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	p.mu.Lock()
	defer p.mu.Unlock()
	if !found {
		return nil
	}
	return p.tokens[token]
}

func (p *OpenID) logout(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	p.mu.Lock()
	p.logouts = append(p.logouts, query)
	p.person = nil
	p.mu.Unlock()
	if to := query.Get("post_logout_redirect_uri"); to != "" {
		http.Redirect(w, r, to+"?"+url.Values{"state": query["state"]}.Encode(), http.StatusFound)
		return
	}
	w.WriteHeader(http.StatusOK)
}
