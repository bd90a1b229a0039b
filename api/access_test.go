package api_test

import (
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

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"tokenserver/api"
	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

const accessSecret = "api secret of at least thirty-two characters"

// accessKit serves one route behind each of three API scopes. It answers with the client's id and the form it read.
type accessKit struct {
	*audittest.Env
	h   http.Handler
	key *ecdsa.PrivateKey
	app [2]string // an installation and its secret
}

func newAccessKit(t *testing.T) *accessKit {
	t.Helper()
	k := &accessKit{Env: audittest.New(t)}
	var err error
	if k.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(k.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	digest := settings.ClientSecret{Digest: k.Keys.MAC(secret.ForClientSecret, accessSecret)}
	k.Settings.Set(settings.Document{
		APIClients: []settings.APIClient{
			{ID: "portal", Authentication: settings.SecretBasic, Secret: digest, Scopes: []string{settings.APIMobileAuthentication}},
			{ID: "desk", Authentication: settings.SecretBasic, Secret: digest, Scopes: []string{settings.APIEndUser, settings.APIEvents}},
			{
				ID: "signer", Authentication: settings.PrivateKeyJWT, Scopes: []string{settings.APIMobileAuthentication},
				PublicKey: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})),
			},
			{ID: "quay", Authentication: settings.SecretBasic, Secret: digest, Scopes: []string{settings.APIUserRegistration}},
			{ID: "former", Authentication: settings.SecretBasic, Secret: digest, Scopes: []string{settings.APITwoWayOTP}},
			{ID: "off", Authentication: settings.SecretBasic, Secret: digest, Disabled: true},
		},
		WebClients: []settings.WebClient{
			{ID: "shop", Authentication: settings.SecretBasic, Secret: digest, Grants: []settings.Grant{settings.AuthorizationCode}},
			{ID: "batch", Authentication: settings.SecretBasic, Secret: digest, Grants: []settings.Grant{settings.ClientCredentials}},
		},
		Applications: []settings.Application{{ID: "bank"}},
	})
	k.app = [2]string{secret.NewToken(), secret.NewToken()}
	err = k.Store.AddInstallation(t.Context(), store.Installation{
		ClientID: k.app[0], RegistrationID: "r", Application: "bank",
		Platform: "ios", Version: "1", APIVersion: 1, SecretDigest: k.Keys.MAC(secret.ForClientSecret, k.app[1]),
	})
	if err != nil {
		t.Fatal(err)
	}
	access := &api.Access{Settings: k.Settings, Audit: k.Recorder, Clients: &clientauth.Service{
		Installations: k.Store, Once: k.Redis, Keys: k.Keys, Issuer: k.Issuer, Now: k.Now,
		Failures: &ratelimit.Limiter{Counts: k.Redis, Name: "client", Limit: 20, Window: time.Minute, Now: k.Now},
	}}
	answer := func(c echo.Context) error {
		form, err := web.BindForm(c)
		if err != nil {
			return c.String(http.StatusOK, clientauth.APIClientOf(c.Request().Context()).ID)
		}
		return c.String(http.StatusOK, clientauth.APIClientOf(c.Request().Context()).ID+" "+form["user"])
	}
	k.h = k.Handler(func(g *echo.Group) {
		g.POST("/portal", answer, access.Require(settings.APIMobileAuthentication))
		g.POST("/users", answer, access.Require(settings.APIEndUser))
		g.POST("/events", answer, access.Require(settings.APIEvents))
		g.POST("/devices", answer, access.RequireAPIStyle(settings.APIEndUser))
		g.POST("/introspect", answer, access.Require(settings.APITokenIntrospection))
		g.POST("/backchannel", answer, access.Require(settings.APIUserRegistration))
		g.POST("/two-way-otp", answer, access.Require(settings.APIUserRegistration, settings.APITwoWayOTP))
	})
	return k
}

func (k *accessKit) assertion(t *testing.T, clientID string) string {
	t.Helper()
	text, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss": clientID, "sub": clientID, "aud": k.Issuer,
		"jti": k.NewID(), "exp": k.Now().Add(time.Minute).Unix(),
	}).SignedString(k.key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestAccess(t *testing.T) {
	k := newAccessKit(t)
	const (
		oauth401 = `{"error":"invalid_client","error_description":"the API client could not be authenticated"}`
		api401   = `{"code":"unauthorized","message":"the API client could not be authenticated","details":[]}`
		grantOff = `{"error":"unauthorized_client","error_description":"the client may not call server APIs"}`
		noScope  = `{"error":"invalid_scope","error_description":"the API client may not call this API"}`
	)
	portal := []string{"portal", accessSecret}
	replay := k.assertion(t, "signer")
	for _, tc := range []struct {
		name   string
		r      audittest.Request
		status int
		want   string
		audit  audit.Code
		reason string
	}{
		{"Basic", audittest.Request{Path: "/oauth/portal", Basic: portal}, 200, "portal", audit.APIAccessGranted, ""},
		{
			"form; the handler reads it too",
			audittest.Request{Path: "/oauth/portal", Form: url.Values{"client_id": {"portal"}, "client_secret": {accessSecret}, "user": {"ann"}}},
			200, "portal ann", audit.APIAccessGranted, "",
		},
		{"assertion", audittest.Request{Path: "/oauth/portal", Bearer: replay}, 200, "signer", audit.APIAccessGranted, ""},
		{"assertion again", audittest.Request{Path: "/oauth/portal", Bearer: replay}, 401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "assertion_replayed"},
		{"nothing", audittest.Request{Path: "/oauth/portal"}, 401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "missing"},
		{"malformed", audittest.Request{Path: "/oauth/portal", Header: http.Header{"Authorization": {"Basic %"}}}, 401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "malformed"},
		{"repeated client_id", audittest.Request{Path: "/oauth/portal", Form: url.Values{"client_id": {"portal", "x"}}}, 401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "malformed"},
		{
			"two methods",
			audittest.Request{Path: "/oauth/portal", Basic: portal, Form: url.Values{"client_id": {"portal"}, "client_secret": {accessSecret}}},
			401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "ambiguous",
		},
		{"unknown", audittest.Request{Path: "/oauth/portal", Basic: []string{"nobody", "x"}}, 401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "unknown_client"},
		{"disabled", audittest.Request{Path: "/oauth/portal", Basic: []string{"off", accessSecret}}, 401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "disabled"},
		{"wrong secret", audittest.Request{Path: "/oauth/portal", Basic: []string{"portal", "x"}}, 401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "wrong_secret"},
		{"wrong method", audittest.Request{Path: "/oauth/portal", Basic: []string{"signer", "x"}}, 401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "wrong_method"},
		{"access token as assertion", audittest.Request{Path: "/oauth/portal", Bearer: secret.NewToken()}, 401, oauth401, audit.APIAccessNotAllowedInvalidCredentials, "malformed"},
		{"web client without client credentials", audittest.Request{Path: "/oauth/portal", Basic: []string{"shop", accessSecret}}, 400, grantOff, audit.APIAccessNotAllowedDisabledGrantType, ""},
		{"web client with client credentials", audittest.Request{Path: "/oauth/portal", Basic: []string{"batch", accessSecret}}, 400, noScope, audit.APIAccessNotAllowedInvalidScopes, ""},
		{"installation", audittest.Request{Path: "/oauth/portal", Basic: k.app[:]}, 400, noScope, audit.APIAccessNotAllowedInvalidScopes, ""},
		{"other API scope", audittest.Request{Path: "/oauth/portal", Basic: []string{"desk", accessSecret}}, 400, noScope, audit.APIAccessNotAllowedInvalidScopes, ""},
		{
			"introspection",
			audittest.Request{Path: "/oauth/introspect", Basic: portal},
			403,
			`{"error":"insufficient_scope","error_description":"the API client may not call this API"}`, audit.APIAccessNotAllowedInvalidScopes, "",
		},
		{"registration", audittest.Request{Path: "/oauth/backchannel", Basic: []string{"quay", accessSecret}}, 200, "quay", audit.APIAccessGranted, ""},
		{
			"registration, wrong secret",
			audittest.Request{Path: "/oauth/backchannel", Basic: []string{"quay", "x"}},
			400,
			oauth401, audit.APIAccessNotAllowedInvalidCredentials, "wrong_secret",
		},
		{
			"registration, scope",
			audittest.Request{Path: "/oauth/backchannel", Basic: portal},
			403,
			`{"error":"insufficient_permissions","error_description":"the API client may not call this API"}`, audit.APIAccessNotAllowedInvalidScopes, "",
		},
		{
			"registration, former scope",
			audittest.Request{Path: "/oauth/backchannel", Basic: []string{"former", accessSecret}},
			403,
			`{"error":"insufficient_permissions","error_description":"the API client may not call this API"}`, audit.APIAccessNotAllowedInvalidScopes, "",
		},
		{"two-way OTP", audittest.Request{Path: "/oauth/two-way-otp", Basic: []string{"quay", accessSecret}}, 200, "quay", audit.APIAccessGranted, ""},
		{"two-way OTP, former scope", audittest.Request{Path: "/oauth/two-way-otp", Basic: []string{"former", accessSecret}}, 200, "former", audit.APIAccessGranted, ""},
		{"end-user API", audittest.Request{Path: "/oauth/users", Basic: []string{"desk", "x"}}, 401, oauth401, audit.APIAuthenticationFailed, "wrong_secret"},
		{"end-user API, scope", audittest.Request{Path: "/oauth/users", Basic: portal}, 400, noScope, audit.APIAccessNotAllowedInvalidScopes, ""},
		{"events", audittest.Request{Path: "/oauth/events", Basic: []string{"desk", "x"}}, 401, api401, audit.APIAccessNotAllowedInvalidCredentials, "wrong_secret"},
		{
			"events, grant",
			audittest.Request{Path: "/oauth/events", Basic: []string{"shop", accessSecret}},
			403,
			`{"code":"forbidden","message":"the client may not call server APIs","details":[]}`, audit.APIAccessNotAllowedDisabledGrantType, "",
		},
		{
			"events, scope",
			audittest.Request{Path: "/oauth/events", Basic: portal},
			403,
			`{"code":"forbidden","message":"the API client may not call this API","details":[]}`, audit.APIAccessNotAllowedInvalidScopes, "",
		},
		{"devices", audittest.Request{Path: "/oauth/devices", Basic: []string{"desk", "x"}}, 401, api401, audit.APIAuthenticationFailed, "wrong_secret"},
		{
			"devices, scope",
			audittest.Request{Path: "/oauth/devices", Basic: portal},
			403,
			`{"code":"insufficient_permissions","message":"the API client may not call this API","details":[]}`, audit.APIAccessNotAllowedInvalidScopes, "",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := audittest.Do(t, k.h, tc.r)
			if got.Status != tc.status || got.Body != tc.want {
				t.Errorf("got %d %s, want %d %s", got.Status, got.Body, tc.status, tc.want)
			}
			challenge := ""
			if tc.status == 401 {
				challenge = `Basic realm="token-server-api"`
			}
			if c := got.Header.Get("WWW-Authenticate"); c != challenge {
				t.Errorf("WWW-Authenticate %q, want %q", c, challenge)
			}
			events := k.Events(t)
			if len(events) != 1 || events[0].Code != tc.audit || !strings.Contains(events[0].Details, tc.reason) {
				t.Errorf("events %+v, want %s %s", events, tc.audit, tc.reason)
			}
			if tc.status == 200 && !strings.HasPrefix(events[0].Agent, "api:") {
				t.Errorf("agent %q", events[0].Agent)
			}
		})
	}
}

func TestAccessThrottles(t *testing.T) {
	k := newAccessKit(t)
	ask := func(s string) int {
		return audittest.Do(t, k.h, audittest.Request{Path: "/oauth/portal", Basic: []string{"portal", s}}).Status
	}
	for range 20 {
		ask("wrong")
	}
	k.Codes(t)
	if got := ask(accessSecret); got != 401 {
		t.Errorf("the right secret after 20 wrong ones: %d", got)
	}
	if events := k.Events(t); len(events) != 1 || events[0].Code != audit.APIAccessNotAllowedInvalidCredentials || !strings.Contains(events[0].Details, "throttled") {
		t.Errorf("events %+v", events)
	}
	k.Clock.Advance(time.Minute)
	if got := ask(accessSecret); got != 200 {
		t.Errorf("a minute later: %d", got)
	}
	if want := []audit.Code{audit.APIAccessGranted}; !slices.Equal(k.Codes(t), want) {
		t.Error("not let in")
	}
}
