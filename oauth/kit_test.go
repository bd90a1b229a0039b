package oauth_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/url"
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
	"tokenserver/internal/people"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/oauth"
	"tokenserver/store"
)

// kit is the OAuth endpoints of one test, on real stores.
type kit struct {
	*audittest.Env
	h        http.Handler
	oauth    *oauth.Handler
	tokens   *token.Service
	document settings.Document
	key      *ecdsa.PrivateKey // of the web client "signer"
}

const (
	webSecret = "web secret of at least thirty-two characters"
	apiSecret = "api secret of at least thirty-two characters"
)

func newKit(t testing.TB) *kit {
	t.Helper()
	env := audittest.New(t)
	k := &kit{Env: env}
	var err error
	if k.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"ann", "bob"} {
		if err := env.Store.PutAccount(t.Context(), store.Account{ID: name, Username: name}); err != nil {
			t.Fatal(err)
		}
	}
	k.document = k.settings(t)
	env.Settings.Set(k.document)
	ring := &keys.Ring{Store: env.Store, Keys: env.Keys, Algorithm: keys.ES256, Now: env.Now, NewID: env.NewID}
	if err := ring.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	revocations := &token.Revocations{Store: env.Store, Hints: env.Redis, Now: env.Now}
	if err := revocations.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	k.tokens = &token.Service{
		Access: env.Redis, Families: env.Store, Search: env.Store, Profiles: env.Store, Installations: env.Store,
		Revocations: revocations, Keys: env.Keys, Ring: ring, Issuer: env.Issuer, Now: env.Now, NewID: env.NewID,
	}
	clients := &clientauth.Service{
		Installations: env.Store, Once: env.Redis, Keys: env.Keys, Issuer: env.Issuer, Now: env.Now,
		Failures: &ratelimit.Limiter{Counts: env.Redis, Name: "client", Limit: 10, Window: time.Minute, Now: env.Now},
	}
	k.oauth = &oauth.Handler{
		Audit: env.Recorder, Now: env.Now, NewID: env.NewID, Keys: env.Keys, Issuer: env.Issuer, Log: env.Log,
		Settings: env.Settings, Store: env.Store, Clients: clients, Tokens: k.tokens, Signing: ring, Accounts: env.Store,
		Profiles: profileRemover{k}, Users: env.Store, Versions: &appgate.Gate{Installations: env.Store, Audit: env.Recorder},
		Devices: env.Redis, WebEntries: env.Redis, Starts: limit(env, "device-starts", 100), Guesses: limit(env, "user-codes", 5), Marks: env.Store,
		Scopes: &entitlement.Service{Settings: env.Settings, Client: entitlement.NewClient(outbound.Loopback()), Now: env.Now},
		Logins: env.Store,
		Hooks: &hooks.Service{
			Client: hooks.NewClient(outbound.Loopback()), Sign: ring, Issuer: env.Issuer, Now: env.Now, NewID: env.NewID, Log: env.Log,
		},
		Book: env.Store,
		People: &people.Service{
			Accounts: env.Store, Settings: env.Settings, Clients: env.Store, Cache: env.Redis, Keys: env.Keys, Log: env.Log, Now: env.Now,
			Source: outbound.New(outbound.Config{AllowPrivate: outbound.Loopback()}),
		},
	}
	k.h = env.Handler(k.oauth.Routes, func(g *echo.Group) {
		k.oauth.APIRoutes(g.Group("", k.letIn))
	})
	return k
}

// limit is a limiter of a test: so many in ten minutes.
func limit(env *audittest.Env, name string, most int) *ratelimit.Limiter {
	return &ratelimit.Limiter{Counts: env.Redis, Name: name, Limit: most, Window: 10 * time.Minute, Now: env.Now}
}

// letIn stands where the access check of the server APIs stands. That check and its refusals have their own tests.
func (k *kit) letIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := c.Request().Context()
		audit.Know(ctx, audit.APIAgent("gateway"))
		k.Recorder.Record(ctx, audit.APIAccessGranted)
		return next(c)
	}
}

// profileRemover removes what this package knows of a profile; the enrollment has its own tests.
type profileRemover struct{ k *kit }

func (r profileRemover) RemoveProfile(ctx context.Context, clientID, profileID, _ string) error {
	if _, err := r.k.tokens.RevokeProfile(ctx, clientID, profileID); err != nil {
		return err
	}
	return r.k.Store.DeleteProfile(ctx, clientID, profileID)
}

func (k *kit) digest(s string) settings.ClientSecret {
	return settings.ClientSecret{Digest: k.Keys.MAC(secret.ForClientSecret, s)}
}

func (k *kit) settings(t testing.TB) settings.Document {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	off := false
	web := func(id string, change func(*settings.WebClient)) settings.WebClient {
		c := settings.WebClient{
			ID: id, Name: id, Authentication: settings.SecretBasic, Secret: k.digest(webSecret),
			Grants: []settings.Grant{settings.AuthorizationCode, settings.ClientCredentials}, AccessTokenExpiresIn: 900,
			RefreshTokenEnabled: true, DefaultScopes: []string{"read"}, AdditionalScopes: []string{"write", "openid", "profile", "twice"},
		}
		if change != nil {
			change(&c)
		}
		return c
	}
	return settings.Document{
		Scopes: []settings.Scope{{ID: "read"}, {ID: "write"}, {ID: "twice", UsageLimit: 2}, {ID: "openid"}, {ID: "profile"}},
		WebClients: []settings.WebClient{
			web("shop", nil),
			web("bare", func(c *settings.WebClient) { c.DefaultScopes = nil }),
			web("jwt", func(c *settings.WebClient) { c.AccessTokenFormat = settings.JWT }),
			web("off", func(c *settings.WebClient) { c.Disabled = true }),
			web("codes", func(c *settings.WebClient) { c.Grants = c.Grants[:1]; c.RefreshTokenEnabled = false }),
			web("fixed", func(c *settings.WebClient) { c.RotateRefreshTokens = &off }),
			web("brief", func(c *settings.WebClient) { c.RefreshTokenExpiresIn = 600; c.MaxRefreshValidity = 900 }),
			web("spa", func(c *settings.WebClient) { c.Authentication = settings.PKCEOnly; c.Secret = settings.ClientSecret{} }),
			web("signer", func(c *settings.WebClient) {
				c.Authentication, c.PublicKey, c.Secret = settings.PrivateKeyJWT, public, settings.ClientSecret{}
			}),
		},
		APIClients: []settings.APIClient{
			{ID: "gateway", Authentication: settings.SecretBasic, Secret: k.digest(apiSecret), Scopes: []string{settings.APITokenIntrospection}},
		},
		Applications: []settings.Application{
			{ID: "bank", FingerprintAuthentication: true, ImplicitAuthentication: true, DefaultScopes: []string{"read"}, AdditionalScopes: []string{"write", "profile"}, Versions: []settings.AppVersion{
				{Platform: "ios", Version: "1.0"},
				{Platform: "ios", Version: "2.0", Status: settings.LoginOnly, IntegrityLevel: settings.IntegrityNone},
				{Platform: "ios", Version: "0.9", Status: settings.VersionDisabled},
			}},
			{ID: "nofinger", Versions: []settings.AppVersion{{Platform: "ios", Version: "1.0"}}},
			{ID: "plain", AnonymousResourceCalls: &off, PINAuthentication: &off, Versions: []settings.AppVersion{{Platform: "ios", Version: "1.0"}}},
		},
	}
}

// installation registers an installation with a secret, which is returned with its client id.
func (k *kit) installation(t testing.TB, change func(*store.Installation)) (clientID, clientSecret string) {
	t.Helper()
	i := store.Installation{
		ClientID: secret.NewToken(), RegistrationID: k.NewID(), Application: "bank", Platform: "ios", Version: "1.0", APIVersion: 1,
		SecretForm: store.SecretPlain, CreatedAt: k.Now(), LastSeen: k.Now(),
	}
	clientSecret = secret.NewToken()
	i.SecretDigest = k.Keys.MAC(secret.ForClientSecret, clientSecret)
	if change != nil {
		change(&i)
	}
	if err := k.Store.AddInstallation(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	return i.ClientID, clientSecret
}

// profile adds a user to an installation.
func (k *kit) profile(t testing.TB, clientID, profileID, userID string) {
	t.Helper()
	err := k.Store.AddProfile(t.Context(), store.Profile{ClientID: clientID, ProfileID: profileID, UserID: userID, CreatedAt: k.Now()})
	if err != nil {
		t.Fatal(err)
	}
}

// issue makes the tokens of a sign-in, as the code grant does.
func (k *kit) issue(t testing.TB, g token.Grant) token.Issued {
	t.Helper()
	if g.Kind == "" {
		g.Kind = store.DefaultToken
	}
	if g.AccessLife == 0 {
		g.AccessLife = 900 * time.Second
	}
	if g.AuthTime.IsZero() {
		g.AuthTime = k.Now()
	}
	var issued token.Issued
	err := k.Store.InTx(t.Context(), func(ctx context.Context) (err error) {
		issued, err = k.tokens.Issue(ctx, g)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return issued
}

// post sends a form to a path under /oauth.
func (k *kit) post(t testing.TB, path string, basic []string, form ...string) audittest.Answer {
	t.Helper()
	return audittest.Do(t, k.h, audittest.Request{Path: "/oauth" + path, Basic: basic, Form: pairs(form...)})
}

// pairs makes a form of names and values in turn.
func pairs(form ...string) url.Values {
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	return values
}

// introspect asks version 2 about a token and returns the body.
func (k *kit) introspect(t testing.TB, bearer string) string {
	t.Helper()
	got := k.post(t, "/api/v2/token/introspect", []string{"gateway", apiSecret}, "token", bearer)
	if got.Status != http.StatusOK {
		t.Fatalf("introspect: %d %s", got.Status, got.Body)
	}
	return got.Body
}

func (k *kit) active(t testing.TB, bearer string) bool {
	t.Helper()
	return strings.HasPrefix(k.introspect(t, bearer), `{"active":true,`)
}

// want compares the stored codes with the whole list.
func (k *kit) want(t testing.TB, codes ...audit.Code) {
	t.Helper()
	if got := k.Codes(t); !slices.Equal(got, codes) {
		t.Errorf("codes %v, want %v", got, codes)
	}
}

// grantFor is a sign-in of a user at the web client "shop".
func grantFor(user string) token.Grant {
	return token.Grant{ClientID: "shop", ProfileID: token.StaticProfile, UserID: user, Scopes: []string{"read", "openid", "profile"}}
}
