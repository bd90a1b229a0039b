package oauth_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

const (
	badClient    = `{"error":"invalid_client","error_description":"the client could not be authenticated"}`
	badForm      = `{"error":"invalid_request","error_description":"the request must be one form without repeated parameters and without a query"}`
	twoMethods   = `{"error":"invalid_request","error_description":"use one way to authenticate the client"}`
	noGrantType  = `{"error":"invalid_request","error_description":"grant_type is missing"}`
	unknownGrant = `{"error":"unsupported_grant_type","error_description":"the grant type is not supported"}`
)

func TestTokenOrderOfChecks(t *testing.T) {
	k := newKit(t)
	const form = "application/x-www-form-urlencoded"
	good := []string{"shop", webSecret}
	for _, tc := range []struct {
		name   string
		r      audittest.Request
		status int
		want   string
		audit  []audit.Code
	}{
		{
			"wrong content type",
			audittest.Request{Path: "/oauth/token", Body: `{"grant_type":"client_credentials"}`, ContentType: "application/json", Basic: good},
			400, badForm,
			[]audit.Code{audit.TokenRequestInvalid},
		},
		{
			"no content type",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials", Basic: good},
			400, badForm,
			[]audit.Code{audit.TokenRequestInvalid},
		},
		{
			"query",
			audittest.Request{Path: "/oauth/token?grant_type=client_credentials", Body: "grant_type=client_credentials", ContentType: form, Basic: good},
			400, badForm,
			[]audit.Code{audit.TokenRequestInvalid},
		},
		{
			"secret in the query",
			audittest.Request{Path: "/oauth/token?client_id=shop&client_secret=x", Body: "grant_type=client_credentials", ContentType: form},
			400, badForm,
			[]audit.Code{audit.TokenRequestInvalid},
		},
		{
			"repeated parameter",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials&scope=read&scope=write", ContentType: form, Basic: good},
			400, badForm,
			[]audit.Code{audit.TokenRequestInvalid},
		},
		{
			"no grant type, wrong secret",
			audittest.Request{Path: "/oauth/token", Body: "scope=read", ContentType: form, Basic: []string{"shop", "wrong"}},
			400, noGrantType,
			[]audit.Code{audit.TokenRequestInvalid},
		},
		{
			"empty grant type",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=", ContentType: form, Basic: good},
			400, noGrantType,
			[]audit.Code{audit.TokenRequestInvalid},
		},
		{
			"unknown grant type, wrong secret",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=sorcery", ContentType: form, Basic: []string{"shop", "wrong"}},
			400, unknownGrant,
			[]audit.Code{audit.TokenRequestUnsupportedGrantType},
		},
		{
			"two methods",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials&client_id=shop&client_secret=" + webSecret, ContentType: form, Basic: good},
			400, twoMethods,
			[]audit.Code{audit.TokenRequestInvalid},
		},
		{
			"two names",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials&client_id=bare", ContentType: form, Basic: good},
			400, twoMethods,
			[]audit.Code{audit.TokenRequestInvalid},
		},
		{
			"no client",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials", ContentType: form},
			401, badClient,
			[]audit.Code{audit.TokenRequestInvalidClient},
		},
		{
			"malformed header",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials", ContentType: form, Header: http.Header{"Authorization": {"Basic !!!"}}},
			401, badClient,
			[]audit.Code{audit.TokenRequestInvalidClient},
		},
		{
			"unknown client",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials", ContentType: form, Basic: []string{"nobody", "x"}},
			401, badClient,
			[]audit.Code{audit.TokenRequestInvalidClient},
		},
		{
			"unknown installation",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials", ContentType: form, Basic: []string{secret.NewToken(), "x"}},
			401, badClient,
			[]audit.Code{audit.TokenRequestInvalidClient},
		},
		{
			"disabled client",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials", ContentType: form, Basic: []string{"off", webSecret}},
			401, badClient,
			[]audit.Code{audit.TokenRequestInvalidClient},
		},
		{
			"wrong secret, grant off",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials", ContentType: form, Basic: []string{"codes", "wrong"}},
			401, badClient,
			[]audit.Code{audit.TokenRequestInvalidClientCredentials},
		},
		{
			"no secret",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials&client_id=shop", ContentType: form},
			401, badClient,
			[]audit.Code{audit.TokenRequestInvalidClientCredentials},
		},
		{
			"secret of a client with a key",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=client_credentials", ContentType: form, Basic: []string{"signer", webSecret}},
			401, badClient,
			[]audit.Code{audit.TokenRequestInvalidClientCredentials},
		},
		{
			"secret of a public client",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=refresh_token", ContentType: form, Basic: []string{"spa", webSecret}},
			401, badClient,
			[]audit.Code{audit.TokenRequestInvalidClientCredentials},
		},
		{
			"too large",
			audittest.Request{Path: "/oauth/token", Body: "grant_type=" + strings.Repeat("x", 70_000), ContentType: form, Basic: good},
			400, badForm,
			[]audit.Code{audit.TokenRequestInvalid},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := audittest.Do(t, k.h, tc.r)
			bad(t, got, tc.status, tc.want)
			k.want(t, tc.audit...)
			challenged := got.Header.Get("WWW-Authenticate") == `Basic realm="token-server"`
			if withHeader := len(tc.r.Basic) > 0 || tc.r.Header != nil; challenged != (tc.status == 401 && withHeader) {
				t.Errorf("WWW-Authenticate %q", got.Header.Get("WWW-Authenticate"))
			}
			if got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Pragma") != "no-cache" {
				t.Errorf("headers %v", got.Header)
			}
		})
	}
}

func TestTokenOfInstallations(t *testing.T) {
	k := newKit(t)
	app, appSecret := k.installation(t, nil)
	old, oldSecret := k.installation(t, func(i *store.Installation) { i.Version = "0.9" })
	gone, goneSecret := k.installation(t, func(i *store.Installation) { i.Version = "7.7" })
	keyed, _ := k.installation(t, func(i *store.Installation) {
		i.APIVersion, i.KeyID, i.PublicJWK, i.SecretDigest = 2, "k1", []byte(`{}`), nil
	})
	headers := func(version, api string) http.Header {
		return http.Header{
			"X-App-Identifier": {"bank"}, "X-App-Platform": {"ios"}, "X-App-Version": {version},
			"X-Sdk-Version": {"1"}, "X-Api-Version": {api},
		}
	}
	const disabled = `{"error":"version_disabled","error_description":"this version of the app is disabled"}`
	for _, tc := range []struct {
		name   string
		basic  []string
		header http.Header
		status int
		want   string
		audit  []audit.Code
	}{
		{"its own version", []string{app, appSecret}, headers("1.0", "1"), 200, "", []audit.Code{audit.TokenRequestAccessTokenCreated}},
		{
			"other API version",
			[]string{app, appSecret},
			headers("1.0", "2"), 400,
			`{"error":"unauthorized_client","error_description":"the installation is registered with another API version"}`,
			[]audit.Code{audit.APIVersionNotAllowed},
		},
		{"disabled version", []string{old, oldSecret}, nil, 403, disabled, []audit.Code{audit.ClientValidationVersionDisabled}},
		{"removed version", []string{gone, goneSecret}, nil, 403, disabled, []audit.Code{audit.ClientValidationVersionDisabled}},
		{
			"a version that needs a proof is not entered by a header",
			[]string{old, oldSecret},
			headers("1.0", "1"), 403, disabled,
			[]audit.Code{audit.ClientValidationVersionDisabled},
		},
		{"secret of an installation with a key", []string{keyed, "x"}, nil, 401, badClient, []audit.Code{audit.TokenRequestInvalidClientCredentials}},
		{"wrong secret", []string{app, "x"}, nil, 401, badClient, []audit.Code{audit.TokenRequestInvalidClientCredentials}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := audittest.Do(t, k.h, audittest.Request{
				Path: "/oauth/v1/token", Basic: tc.basic, Header: tc.header,
				Form: pairs("grant_type", "client_credentials"),
			})
			if tc.want == "" && got.Status == tc.status {
				tc.want = got.Body
			}
			bad(t, got, tc.status, tc.want)
			k.want(t, tc.audit...)
		})
	}
}

func TestTokenMovesVersion(t *testing.T) {
	k := newKit(t)
	k.document.Applications[0].DevelopmentMode = true // no proof needed for API version 1
	k.Settings.Set(k.document)
	app, appSecret := k.installation(t, nil)
	got := audittest.Do(t, k.h, audittest.Request{
		Path: "/oauth/v1/token", Basic: []string{app, appSecret}, Form: pairs("grant_type", "client_credentials"),
		Header: http.Header{"X-App-Identifier": {"bank"}, "X-App-Platform": {"ios"}, "X-App-Version": {"2.0"}, "X-Sdk-Version": {"1"}, "X-Api-Version": {"1"}},
	})
	a := good(t, got)
	events := k.Events(t)
	if len(events) != 2 || events[0].Code != audit.MobileClientUpdatedPlatformVersion || events[1].Code != audit.TokenRequestAccessTokenCreated ||
		events[1].Version != "2.0" {
		t.Errorf("events %+v", events)
	}
	if body := k.introspect(t, a.AccessToken); !strings.Contains(body, `"app_version":"2.0"`) {
		t.Errorf("introspection %s", body)
	}
}

func TestPriorSecretDiesWithTheFirstUseOfTheNew(t *testing.T) {
	k := newKit(t)
	prior := secret.NewToken()
	app, appSecret := k.installation(t, func(i *store.Installation) {
		i.PriorSecretDigest, i.UpgradedAt = k.Keys.MAC(secret.ForClientSecret, prior), k.Now()
	})
	ask := func(s string) int {
		t.Helper()
		return k.post(t, "/v1/token", []string{app, s}, "grant_type", "client_credentials").Status
	}
	for i, step := range []struct {
		secret string
		want   int
	}{{prior, 200}, {prior, 200}, {appSecret, 200}, {prior, 401}, {appSecret, 200}} {
		if got := ask(step.secret); got != step.want {
			t.Errorf("step %d: %d, want %d", i, got, step.want)
		}
	}
}

func TestTokenThrottlesWrongSecrets(t *testing.T) {
	k := newKit(t)
	ask := func(s string) audittest.Answer {
		t.Helper()
		return k.post(t, "/v1/token", []string{"shop", s}, "grant_type", "client_credentials")
	}
	for range 10 {
		bad(t, ask("wrong"), 401, badClient)
	}
	k.Codes(t)
	const throttled = `{"error":"temporarily_unavailable","error_description":"too many failed attempts of this client, try again in a minute"}`
	for i := range 3 {
		got := ask(webSecret) // even the right one
		bad(t, got, 429, throttled)
		if got.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		if i == 0 {
			k.want(t, audit.RateLimitExceeded)
		} else {
			k.want(t)
		}
	}
	if got := k.post(t, "/v1/token", []string{"jwt", webSecret}, "grant_type", "client_credentials"); got.Status != 200 {
		t.Errorf("another client: %d", got.Status)
	}
	k.Clock.Advance(time.Minute)
	if got := ask(webSecret); got.Status != 200 {
		t.Errorf("a minute later: %d %s", got.Status, got.Body)
	}
}

func TestTokenWithoutStores(t *testing.T) {
	k := newKit(t)
	k.RedisServer.Close()
	got := k.post(t, "/v1/token", []string{"shop", webSecret}, "grant_type", "client_credentials")
	bad(t, got, 503, `{"error":"temporarily_unavailable","error_description":"the server cannot work right now, try again shortly"}`)
	k.want(t)
}

func TestTokenByAssertion(t *testing.T) {
	k := newKit(t)
	assertion := func(clientID string) string {
		t.Helper()
		text, err := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
			"iss": clientID, "sub": clientID, "aud": k.Issuer, "jti": k.NewID(), "exp": k.Now().Add(time.Minute).Unix(),
		}).SignedString(k.key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	once := assertion("signer")
	for _, tc := range []struct {
		name, assertion string
		status          int
		audit           audit.Code
	}{
		{"good", once, 200, audit.TokenRequestAccessTokenCreated},
		{"again", once, 401, audit.TokenRequestInvalidClientCredentials},
		{"of a client with a secret", assertion("shop"), 401, audit.TokenRequestInvalidClientCredentials},
		{"of nobody", assertion("nobody"), 401, audit.TokenRequestInvalidClient},
		{"garbage", "a.b.c", 401, audit.TokenRequestInvalidClient},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got := k.post(t, "/v1/token", nil, "grant_type", "client_credentials", "client_assertion", tc.assertion,
				"client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
			if got.Status != tc.status || tc.status == 401 && got.Body != badClient {
				t.Errorf("%d %s", got.Status, got.Body)
			}
			k.want(t, tc.audit)
		})
	}
}
