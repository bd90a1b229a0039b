package customregistration_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
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
	"tokenserver/internal/standin"
	"tokenserver/internal/token"
	"tokenserver/oauth"
	"tokenserver/oauth/customregistration"
	"tokenserver/store"
	"tokenserver/store/sqlstore"
)

const (
	appSecret = "what the installation sends"
	webSecret = "web secret of at least thirty-two characters"
)

// The installations: of the application bank by both protocols, and of others.
var (
	phoneV1    = strings.Repeat("1", 64)
	phoneV2    = strings.Repeat("2", 64)
	phoneOther = strings.Repeat("3", 64)
	phoneNobdy = strings.Repeat("4", 64) // its application registers nobody
	phoneOld   = strings.Repeat("5", 64) // of a disabled version
)

// kit is registration by API on real stores, with an operator's service.
type kit struct {
	*audittest.Env
	h         http.Handler
	tokens    *token.Service
	registrar *standin.Registrar
	document  settings.Document
	key       *ecdsa.PrivateKey // of phoneV2
	webKey    *ecdsa.PrivateKey // of the web client "signer"
	verdicts  entitled
	crowd     crowd
	hook      tokenHook
}

// entitled says what scope verification says.
type entitled struct {
	mu      sync.Mutex
	refusal entitlement.Refusal
	err     error
	asked   []string
}

func (e *entitled) Check(_ context.Context, userID, externalID string, scopes []string) (entitlement.Refusal, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.asked = append(e.asked, userID+" "+externalID+" "+strings.Join(scopes, ","))
	return e.refusal, e.err
}

// crowd is the store, in which so many more client codes are in use than stand there.
type crowd struct {
	*sqlstore.Store
	more int
}

func (c *crowd) LiveClientCodes(ctx context.Context, now time.Time) (int, error) {
	n, err := c.Store.LiveClientCodes(ctx, now)
	return n + c.more, err
}

// tokenHook asks the real service about registrations, and answers about tokens itself.
type tokenHook struct {
	*hooks.Service
	answer *hooks.TokenAnswer
	err    error
	asked  []hooks.TokenQuestion
}

func (h *tokenHook) CustomizeToken(_ context.Context, hook *settings.WebHook, q hooks.TokenQuestion) (hooks.TokenAnswer, error) {
	if hook == nil {
		return hooks.TokenAnswer{Scopes: q.Scopes}, nil
	}
	h.asked = append(h.asked, q)
	if h.answer != nil || h.err != nil {
		return *h.answer, h.err
	}
	return hooks.TokenAnswer{Scopes: q.Scopes}, nil
}

func newKit(t testing.TB) *kit {
	t.Helper()
	env := audittest.New(t)
	k := &kit{Env: env}
	var err error
	if k.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if k.webKey, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if k.registrar, err = standin.StartRegistrar(env.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.registrar.Close() })
	k.document = k.settings(t)
	env.Settings.Set(k.document)
	k.install(t)
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
	endpoint := &oauth.Handler{
		Audit: env.Recorder, Now: env.Now, NewID: env.NewID, Keys: env.Keys, Issuer: env.Issuer, Log: env.Log,
		Settings: env.Settings, Store: env.Store, Tokens: k.tokens, Signing: ring, Accounts: env.Store, Book: env.Store,
		Profiles: remover{k}, Users: env.Store, Versions: &appgate.Gate{Installations: env.Store, Audit: env.Recorder},
		Clients: &clientauth.Service{
			Installations: env.Store, Once: env.Redis, Keys: env.Keys, Issuer: env.Issuer, Now: env.Now,
			Failures: &ratelimit.Limiter{Counts: env.Redis, Name: "client", Limit: 10, Window: time.Minute, Now: env.Now},
		},
	}
	k.hook.Service = &hooks.Service{
		Client: hooks.NewClient(outbound.Loopback()), Sign: ring, Issuer: env.Issuer, Now: env.Now, NewID: env.NewID, Log: env.Log,
	}
	h := &customregistration.Handler{
		Settings: env.Settings, Tokens: endpoint, People: &people.Service{Accounts: env.Store, Settings: env.Settings, Clients: env.Store, Now: env.Now},
		Accounts: env.Store, Registrations: &k.crowd, Entitlement: &k.verdicts, Hooks: &k.hook, Keys: env.Keys, Audit: env.Recorder, Now: env.Now,
		Misses: &ratelimit.Limiter{Counts: env.Redis, Name: "misses", Limit: 3, Window: time.Minute, Now: env.Now},
	}
	k.crowd.Store = env.Store
	env.Shell.BodyLimits = customregistration.BodyLimits("/oauth")
	k.h = env.Handler(h.Routes, func(g *echo.Group) {
		api := g.Group("", k.letIn)
		h.BackChannelRoutes(api)
		h.PortalRoutes(api)
	})
	return k
}

// letIn stands where the access check of the server APIs stands. That check and its refusals have their own tests.
func (k *kit) letIn(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		ctx := clientauth.WithAPIClient(c.Request().Context(), &settings.APIClient{ID: "portal"})
		audit.Admit(ctx)
		audit.Know(ctx, audit.APIAgent("portal"))
		k.Recorder.Record(ctx, audit.APIAccessGranted)
		c.SetRequest(c.Request().WithContext(ctx))
		return next(c)
	}
}

// remover removes what this package knows of a profile; the enrollment has its own tests.
type remover struct{ k *kit }

func (r remover) RemoveProfile(ctx context.Context, clientID, profileID, _ string) error {
	if _, err := r.k.tokens.RevokeProfile(ctx, clientID, profileID); err != nil {
		return err
	}
	return r.k.Store.DeleteProfile(ctx, clientID, profileID)
}

func (k *kit) settings(t testing.TB) settings.Document {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k.webKey.Public())
	if err != nil {
		t.Fatal(err)
	}
	no := false
	versions := []settings.AppVersion{{Platform: "ios", Version: "1.0"}, {Platform: "ios", Version: "0.9", Status: settings.VersionDisabled}}
	custom := func(id string, kind settings.IdentityProviderType, change func(*settings.IdentityProvider)) settings.IdentityProvider {
		p := settings.IdentityProvider{ID: id, Type: kind, Namespace: "people"}
		if kind != settings.TwoWayOTPByAPI {
			p.Custom = &settings.CustomSection{Endpoint: k.registrar.URL(), SigningSecret: settings.NewSecret(k.registrar.Secret()), BackChannel: true}
		}
		if change != nil {
			change(&p)
		}
		return p
	}
	providers := []string{"two", "codes", "closed", "strong", "mapped", "nowhere"}
	digest := settings.ClientSecret{Digest: k.Keys.MAC(secret.ForClientSecret, webSecret)}
	return settings.Document{
		IdentityProviders: []settings.IdentityProvider{
			{ID: "accounts", Type: settings.BuiltInAccounts},
			custom("one", settings.CustomOneStep, func(p *settings.IdentityProvider) { p.Default = true }),
			custom("two", settings.CustomTwoStep, nil),
			custom("alone", settings.CustomTwoStep, func(p *settings.IdentityProvider) { p.Custom.BackChannel = false }),
			custom("closed", settings.CustomTwoStep, func(p *settings.IdentityProvider) { p.Disabled = true }),
			custom("strong", settings.CustomOneStep, func(p *settings.IdentityProvider) { p.Custom.AuthenticationLevel = 3 }),
			custom("mapped", settings.CustomOneStep, func(p *settings.IdentityProvider) {
				p.AttributeMappings = []settings.AttributeMapping{{From: "mail", To: "email"}}
			}),
			custom("nowhere", settings.CustomOneStep, func(p *settings.IdentityProvider) { p.Custom.Endpoint = "http://127.0.0.1:1" }),
			custom("codes", settings.TwoWayOTPByAPI, nil),
		},
		Scopes: []settings.Scope{
			{ID: "read", PersistentConsent: true}, {ID: "write", PersistentConsent: true}, {ID: "each"}, {ID: "high", PersistentConsent: true, Level: 3},
		},
		WebHooks: []settings.WebHook{{ID: "cut", Type: settings.CustomizeToken}},
		Applications: []settings.Application{
			{
				ID: "bank", IdentityProvider: "one", AdditionalProviders: providers, DefaultScopes: []string{"read"},
				AdditionalScopes: []string{"write", "each", "high", "profile", "email"}, StatelessAuthentication: true, AccessTokenExpiresIn: 900, Versions: versions,
			},
			{ID: "other", AdditionalProviders: []string{"two"}, Versions: versions},
			{ID: "nobody", IdentityProvider: "one", UserRegistration: &no, Versions: versions},
		},
		WebClients: []settings.WebClient{
			{
				ID: "web", Authentication: settings.SecretBasic, Secret: digest, IdentityProvider: "one", AdditionalProviders: providers,
				DefaultScopes: []string{"read"}, RefreshTokenEnabled: true, AccessTokenExpiresIn: 600, WebHooks: []string{"cut"},
			},
			{
				ID: "signer", Authentication: settings.PrivateKeyJWT, IdentityProvider: "one", AdditionalProviders: providers, DefaultScopes: []string{"read"},
				PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), AccessTokenExpiresIn: 600,
			},
			{ID: "default", Authentication: settings.SecretBasic, Secret: digest, DefaultScopes: []string{"each"}, SkipConsent: true, AccessTokenExpiresIn: 600},
		},
	}
}

// install registers the installations.
func (k *kit) install(t testing.TB) {
	t.Helper()
	for _, i := range []store.Installation{
		{ClientID: phoneV1, Application: "bank", Version: "1.0", APIVersion: 1},
		{ClientID: phoneV2, Application: "bank", Version: "1.0", APIVersion: 2},
		{ClientID: phoneOther, Application: "other", Version: "1.0", APIVersion: 1},
		{ClientID: phoneNobdy, Application: "nobody", Version: "1.0", APIVersion: 1},
		{ClientID: phoneOld, Application: "bank", Version: "0.9", APIVersion: 1},
	} {
		i.RegistrationID, i.Platform, i.CreatedAt, i.LastSeen = i.ClientID, "ios", k.Now(), k.Now()
		if i.APIVersion == 1 {
			i.SecretForm, i.SecretDigest = store.SecretPlain, k.Keys.MAC(secret.ForClientSecret, appSecret)
		} else {
			i.PublicJWK, i.KeyID = k.jwk(t), "key-1"
		}
		if err := k.Store.AddInstallation(t.Context(), i); err != nil {
			t.Fatal(err)
		}
	}
}

func (k *kit) jwk(t testing.TB) []byte {
	t.Helper()
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	text, err := json.Marshal(map[string]string{"kty": "EC", "crv": "P-256", "x": encode(point[1:33]), "y": encode(point[33:])})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// assertion proves a client of version 2; change may spoil it.
func (k *kit) assertion(t testing.TB, clientID string, change func(*jwt.Token)) string {
	t.Helper()
	key := k.key
	if clientID == "signer" {
		key = k.webKey
	}
	text := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": clientID, "sub": clientID, "aud": k.Issuer, "jti": k.NewID(), "exp": k.Now().Add(time.Minute).Unix(),
	})
	text.Header["kid"] = "key-1"
	if change != nil {
		change(text)
	}
	signed, err := text.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// proved is a body of version 2: members, and the proof of a client.
func (k *kit) proved(t testing.TB, clientID, members string) string {
	t.Helper()
	if members != "" {
		members += ","
	}
	return `{` + members + `"client_assertion_type":"` + clientauth.AssertionType + `","client_assertion":"` + k.assertion(t, clientID, nil) + `"}`
}

// post sends JSON with Basic credentials, nil = none.
func (k *kit) post(t testing.TB, path string, basic []string, body string) audittest.Answer {
	t.Helper()
	return audittest.Do(t, k.h, audittest.Request{Path: "/oauth" + path, Basic: basic, JSON: body})
}

// begin runs the first step as phoneV1 and returns its answer.
func (k *kit) begin(t testing.TB, idp string) (transactionID, data string) {
	t.Helper()
	a := k.post(t, "/custom-registration/"+idp+"/init", app, `{}`)
	var answer struct {
		TransactionID string `json:"transaction_id"`
		Data          string `json:"data"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || a.Status != 200 || answer.TransactionID == "" {
		t.Fatalf("init: %d %s", a.Status, a.Body)
	}
	k.Codes(t)
	return answer.TransactionID, answer.Data
}

// app is how phoneV1 proves itself; webBasic the web client.
var (
	app      = []string{phoneV1, appSecret}
	webBasic = []string{"web", webSecret}
)

// want compares the events since the last look, all of them.
func (k *kit) want(t testing.TB, codes ...audit.Code) {
	t.Helper()
	if got := k.Codes(t); !slices.Equal(got, codes) {
		t.Errorf("events %v, want %v", got, codes)
	}
}

// tokensOf reads the tokens of an answer.
func tokensOf(t testing.TB, a audittest.Answer) (access, refresh, id string) {
	t.Helper()
	var answer struct {
		Token struct {
			Access  string `json:"access_token"`
			Refresh string `json:"refresh_token"`
			ID      string `json:"id_token"`
		} `json:"oauth_token"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
	return answer.Token.Access, answer.Token.Refresh, answer.Token.ID
}

// masked replaces what is random in an answer, so that the rest can be compared whole.
func masked(t testing.TB, a audittest.Answer) string {
	t.Helper()
	body := a.Body
	access, refresh, id := tokensOf(t, a)
	for text, name := range map[string]string{access: "ACCESS", refresh: "REFRESH", id: "ID"} {
		if text != "" {
			body = strings.ReplaceAll(body, `"`+text+`"`, `"`+name+`"`)
		}
	}
	return body
}

var errOutside = errors.New("outside")
