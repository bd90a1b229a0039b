package oidc_test

import (
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"tokenserver/idp/oidc"
	"tokenserver/internal/audittest"
	"tokenserver/internal/outbound"
	"tokenserver/internal/remotejwks"
	"tokenserver/internal/standin"
)

const (
	clientID = "our client"
	secret   = "a secret: with / and +"
	callback = "https://ts.example/oauth/oauth-idp/callback"
	nonce    = "the nonce"
	verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk" // RFC 7636 appendix B
)

// world is one provider and our client of it.
type world struct {
	*audittest.Env
	provider *standin.OpenID
	client   *oidc.Client
	config   oidc.Provider
}

func newWorld(t *testing.T) *world {
	t.Helper()
	e := audittest.New(t)
	provider, err := standin.StartOpenID(e.Now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Close() })
	provider.Register(standin.OpenIDClient{
		ID: clientID, Secret: secret, RedirectURI: callback, Authentication: "client_secret_basic",
	})
	provider.SignIn(map[string]any{"sub": "ann", "name": "Ann", "amr": []string{"pwd", "otp"}})
	client := outbound.New(outbound.Config{AllowPrivate: outbound.Loopback(), Timeout: 5 * time.Second})
	return &world{
		Env: e, provider: provider,
		client: &oidc.Client{
			HTTP: client, Directory: &oidc.Directory{HTTP: client, Now: e.Now}, Now: e.Now, NewID: e.NewID,
			Keys: &remotejwks.Sets{Client: client, Private: outbound.Loopback(), Now: e.Now},
		},
		config: oidc.Provider{
			Issuer: provider.Issuer(), ClientID: clientID, Secret: secret, Authentication: oidc.SecretBasic, Scopes: []string{"profile"},
		},
	}
}

// code walks a browser through the provider and returns what it brings back.
func (w *world) code(t *testing.T, m oidc.Metadata, ask oidc.Ask) url.Values {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, oidc.AuthorizationURL(w.config, m, ask), nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := w.client.HTTP.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	back, err := answer.Location()
	if err != nil {
		t.Fatalf("%s: %v", answer.Status, err)
	}
	return back.Query()
}

// signIn does all of it, as the callback does.
func (w *world) signIn(t *testing.T, maxAge int) (oidc.Claims, map[string]any, error) {
	t.Helper()
	ctx := t.Context()
	m, err := w.client.Directory.Metadata(ctx, w.config)
	if err != nil {
		return oidc.Claims{}, nil, err
	}
	code := w.code(t, m, oidc.Ask{RedirectURI: callback, State: "s", Verifier: verifier, Nonce: nonce, MaxAge: -1}).Get("code")
	tokens, err := w.client.Exchange(ctx, w.config, m, code, verifier, callback)
	if err != nil {
		return oidc.Claims{}, nil, err
	}
	var claims oidc.Claims
	if w.config.OpenID() {
		claims, err = w.client.IDToken(ctx, w.config, m, tokens.ID, oidc.Expected{Nonce: nonce, AccessToken: tokens.Access, MaxAge: maxAge})
		if err != nil {
			return oidc.Claims{}, nil, err
		}
	}
	profile, err := w.client.Profile(ctx, w.config, m, tokens.Access)
	return claims, profile, err
}

// wantReason checks why something was refused; "" = it was not.
func wantReason(t *testing.T, err error, reason string) {
	t.Helper()
	var refusal *oidc.Refusal
	switch {
	case reason == "" && err != nil:
		t.Errorf("refused: %v", err)
	case reason != "" && !errors.As(err, &refusal):
		t.Errorf("error %v, want the refusal %q", err, reason)
	case reason != "" && refusal.Reason != reason:
		t.Errorf("refused because %q (%v), want %q", refusal.Reason, err, reason)
	}
}

// restricted is a client that may reach nothing private.
func restricted() *http.Client { return outbound.New(outbound.Config{AllowPrivate: []netip.Prefix{}}) }
