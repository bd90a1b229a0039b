package registration_test

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/ocra"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/settings"
	"tokenserver/phone"
	"tokenserver/registration"
	"tokenserver/store"
)

// What builds of the app compute about themselves.
const (
	oldSignature = "3F:7A:0C:55:19:E2:D8:4B:6A:91:37:C0:FE:2D:5B:88:A4:C6:E1:90:7B:3D:2F:55:44:CC:01:AA:E8:7F:9B:63"
	newSignature = "Q7X2M9K4TB.example.bank.mobile"
	armSignature = "77c0de77c0de77c0de77c0de77c0de77"
)

// configurationJSON is the configuration of the application bank, configurationLab that of lab.
const (
	configurationJSON = `{"pin_policy":{"length":5,"max_similar_digits":2,"sequences_allowed":false,"blocked_pins":["12345"]},` +
		`"max_pin_failures":3,"registration_validity":86400,"authenticators":{"pin":true,"fingerprint":false,"implicit":false,"custom":[],"fido":[]},` +
		`"identity_providers":[{"id":"accounts","name":"Accounts","type":"ACCOUNTS"},{"id":"second","name":"Second","type":"ACCOUNTS"}],` +
		`"redirect_url":"bank://signed-in","resource_gateway_uris":["https://api.example"],"payload_encryption":{"enabled":false,"key_config":""},` +
		`"mobile_authentication":{"enrollment_enabled":true,"push_enabled":true,"otp_enabled":false},"configuration_version":"VERSION"}`
	configurationLab = `{"pin_policy":{"length":5,"max_similar_digits":2,"sequences_allowed":false,"blocked_pins":["12345"]},` +
		`"max_pin_failures":3,"registration_validity":null,"authenticators":{"pin":true,"fingerprint":false,"implicit":false,"custom":[],"fido":[]},` +
		`"identity_providers":[{"id":"accounts","name":"Accounts","type":"ACCOUNTS"}],` +
		`"redirect_url":"","resource_gateway_uris":[],"payload_encryption":{"enabled":false,"key_config":""},` +
		`"mobile_authentication":{"enrollment_enabled":true,"push_enabled":true,"otp_enabled":false},"configuration_version":"VERSION"}`
)

// document configures three applications; versions are named after what is special about them.
func document() settings.Document {
	android := func(version string, change func(*settings.AppVersion)) settings.AppVersion {
		v := settings.AppVersion{Platform: "android", Version: version, Signatures: []string{oldSignature}}
		if change != nil {
			change(&v)
		}
		return v
	}
	return settings.Document{
		OSRules:     []settings.OSRule{{Platform: "android", MinimumVersion: "12", BlockedVersions: []string{"13.1"}}},
		PINPolicies: []settings.PINPolicy{{Name: "default", Default: true, Length: 5, MaxSimilarDigits: 2, BlockedPINs: []string{"12345"}}},
		IdentityProviders: []settings.IdentityProvider{
			{ID: "off", Name: "Off", Type: settings.BuiltInAccounts, Disabled: true},
			{ID: "accounts", Name: "Accounts", Type: settings.BuiltInAccounts, Default: true},
			{ID: "second", Name: "Second", Type: settings.BuiltInAccounts},
		},
		Applications: []settings.Application{
			{
				ID: "bank", RedirectURL: "bank://signed-in", ResourceGateways: []string{"https://api.example"}, RegistrationValidity: 86400,
				AdditionalProviders: []string{"off", "second", "accounts"},
				Versions: []settings.AppVersion{
					android("1.0", nil),
					android("2.0", func(v *settings.AppVersion) { v.Signatures = []string{"unused", armSignature + "|" + newSignature} }),
					android("bound 1", func(v *settings.AppVersion) { v.TamperingProtection = true }),
					android("bound 2", func(v *settings.AppVersion) {
						v.TamperingProtection, v.Signatures = true, []string{armSignature + "|" + newSignature}
					}),
					android("open 1", func(v *settings.AppVersion) { v.IntegrityLevel = settings.IntegrityNone }),
					android("open 2", func(v *settings.AppVersion) { v.IntegrityLevel = settings.IntegrityNone }),
					android("login only", func(v *settings.AppVersion) { v.Status = settings.LoginOnly }),
					android("off", func(v *settings.AppVersion) { v.Status = settings.VersionDisabled }),
					{Platform: "ios", Version: "1.0", Signatures: []string{newSignature}},
				},
			},
			{ID: "lab", DevelopmentMode: true, Versions: []settings.AppVersion{
				android("1", func(v *settings.AppVersion) { v.TamperingProtection = true }), android("2", nil),
			}},
			{ID: "keys", MinAPIVersion: 2, Versions: []settings.AppVersion{android("1.0", nil)}},
		},
	}
}

type fixture struct {
	*audittest.Env
	routes  http.Handler
	handler *registration.Handler
}

func newFixture(t testing.TB) *fixture {
	t.Helper()
	env := audittest.New(t)
	env.Settings.Set(document())
	f := &fixture{Env: env, handler: &registration.Handler{
		Settings: env.Settings, Installations: env.Store, Devices: env.Store, Challenges: env.Redis, Once: env.Redis,
		Inits: limiter(env, "registration-init", 30),
		Clients: &clientauth.Service{
			Installations: env.Store, Once: env.Redis, Failures: limiter(env, "client-authentication", 10),
			Keys: env.Keys, Issuer: env.Issuer, Now: env.Now,
		},
		Gate:  &appgate.Gate{Installations: env.Store, Audit: env.Recorder},
		Audit: env.Recorder, Keys: env.Keys, Now: env.Now, Issuer: env.Issuer,
	}}
	f.routes = env.Handler(f.handler.Routes)
	return f
}

func limiter(env *audittest.Env, name string, limit int) *ratelimit.Limiter {
	return &ratelimit.Limiter{Counts: env.Redis, Name: name, Limit: limit, Window: time.Minute, Now: env.Now}
}

// headers returns good headers for an API version, changed by pairs of name and value: "-" removes a header, "a||b"
// repeats it.
func headers(api string, pairs ...string) http.Header {
	h := http.Header{}
	pairs = append([]string{
		"X-App-Identifier", "bank", "X-App-Platform", "android", "X-App-Version", "1.0", "X-OS-Version", "14",
		"X-Device-Model", "Pixel 8", "X-SDK-Version", "12.1.0", "X-API-Version", api,
	}, pairs...)
	for i := 0; i < len(pairs); i += 2 {
		h.Del(pairs[i])
		if pairs[i+1] != "-" {
			for value := range strings.SplitSeq(pairs[i+1], "||") {
				h.Add(pairs[i], value)
			}
		}
	}
	return h
}

func (f *fixture) do(t testing.TB, r audittest.Request) audittest.Answer {
	t.Helper()
	return audittest.Do(t, f.routes, r)
}

// handedOut is a challenge as the app sees it.
type handedOut struct {
	Status     string `json:"status"`
	Identifier string `json:"identifier"`
	Challenge  string `json:"challenge"`
}

func (f *fixture) begin(t testing.TB, api string, pairs ...string) handedOut {
	t.Helper()
	var c handedOut
	f.decode(t, f.do(t, audittest.Request{Path: "/oauth/v" + api + "/client/registration/init", JSON: "{}", Header: headers(api, pairs...)}), 200, &c)
	return c
}

func (f *fixture) decode(t testing.TB, a audittest.Answer, status int, into any) {
	t.Helper()
	if a.Status != status {
		t.Fatalf("status %d %s, want %d", a.Status, a.Body, status)
	}
	if err := json.Unmarshal([]byte(a.Body), into); err != nil {
		t.Fatalf("body %s: %v", a.Body, err)
	}
}

// respond computes what an app with that signature answers.
func (f *fixture) respond(t testing.TB, key []byte, challenge string, at time.Time) string {
	t.Helper()
	response, err := phone.OCRA(ocra.Registration, key, challenge, at)
	if err != nil {
		t.Fatal(err)
	}
	return response
}

// installed is one registered copy of the app, as the phone knows it.
type installed struct {
	id     string
	secret string
	key    *phone.Key
	kid    string
}

// withSecret registers an installation of API version 1.
func (f *fixture) withSecret(t testing.TB, signature string, pairs ...string) installed {
	t.Helper()
	c := f.begin(t, "1", pairs...)
	body := object("identifier", c.Identifier, "response", f.respond(t, phone.SignatureKey(signature), c.Challenge, f.Now()))
	var done struct {
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	}
	f.decode(t, f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/complete", JSON: body, Header: headers("1", pairs...)}), 201, &done)
	f.wantCodes(t, audit.DynamicRegSuccess)
	return installed{id: done.ClientID, secret: done.ClientSecret}
}

// withKey registers an installation of API version 2.
func (f *fixture) withKey(t testing.TB, pairs ...string) installed {
	t.Helper()
	key, err := phone.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	c := f.begin(t, "2", pairs...)
	body := object("identifier", c.Identifier, "client_statement", f.sign(t, key, f.claims(t, key, c, oldSignature, pairs...)))
	var done struct {
		ClientID string `json:"client_id"`
		KeyID    string `json:"kid"`
	}
	f.decode(t, f.do(t, audittest.Request{Path: "/oauth/v2/client/registration", JSON: body, Header: headers("2", pairs...)}), 201, &done)
	f.wantCodes(t, audit.DynamicRegSuccess)
	return installed{id: done.ClientID, key: key, kid: done.KeyID}
}

// claims are those of a good statement.
func (f *fixture) claims(t testing.TB, key *phone.Key, c handedOut, signature string, pairs ...string) phone.Claims {
	t.Helper()
	thumbprint, err := key.Thumbprint()
	if err != nil {
		t.Fatal(err)
	}
	h := headers("2", pairs...)
	return phone.Claims{
		"iss": h.Get("X-App-Identifier"), "sub": thumbprint, "aud": f.Issuer, "iat": f.Now().Unix(), "exp": f.Now().Add(5 * time.Minute).Unix(),
		"jti": f.NewID(), "identifier": c.Identifier, "challenge": c.Challenge,
		"app":           phone.Claims{"identifier": h.Get("X-App-Identifier"), "platform": h.Get("X-App-Platform"), "version": h.Get("X-App-Version")},
		"device":        phone.Claims{"os_version": h.Get("X-OS-Version"), "model": h.Get("X-Device-Model"), "sdk_version": h.Get("X-SDK-Version")},
		"app_signature": signature, "security_state": []string{},
	}
}

func (f *fixture) sign(t testing.TB, key *phone.Key, claims phone.Claims) string {
	t.Helper()
	statement, err := phone.SignStatement(key, claims)
	if err != nil {
		t.Fatal(err)
	}
	return statement
}

// assertion is a fresh private_key_jwt.
func (f *fixture) assertion(t testing.TB, i installed) string {
	t.Helper()
	signed, err := i.key.Sign(phone.Claims{"kid": i.kid}, phone.Claims{
		"iss": i.id, "sub": i.id, "aud": f.Issuer, "iat": f.Now().Unix(), "exp": f.Now().Add(time.Minute).Unix(), "jti": f.NewID(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// stored is what the server keeps of an installation.
func (f *fixture) stored(t testing.TB, id string) store.Installation {
	t.Helper()
	i, err := f.Store.Installation(context.WithoutCancel(t.Context()), id)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func (f *fixture) wantCodes(t testing.TB, want ...audit.Code) {
	t.Helper()
	if got := f.Codes(t); !slices.Equal(got, want) {
		t.Fatalf("codes %v, want %v", got, want)
	}
}

// want compares a whole answer and the whole list of codes. In the body VERSION, TIME, ID, CHALLENGE and SECRET stand
// for values that the server makes up; see masked.
func (f *fixture) want(t testing.TB, got audittest.Answer, status int, body string, codes ...audit.Code) {
	t.Helper()
	if got.Status != status || masked(got.Body) != body {
		t.Errorf("got  %d %s\nwant %d %s", got.Status, masked(got.Body), status, body)
	}
	if got.Body != "" && (got.Header.Get("Cache-Control") != "no-store" || got.Header.Get("Content-Type") != "application/json;charset=UTF-8") {
		t.Errorf("headers %v", got.Header)
	}
	f.wantCodes(t, codes...)
}

// masked replaces what the server makes up, provided that it has the right form.
func masked(body string) string {
	for _, m := range []struct{ form, name string }{
		{`"configuration_version":"[0-9a-f]{32}"`, `"configuration_version":"VERSION"`},
		{`"server_time":1795176000`, `"server_time":TIME`},
		{`"client_id_issued_at":1795176000`, `"client_id_issued_at":TIME`},
		{`"client_id":"[0-9A-F]{64}"`, `"client_id":"ID"`},
		{`"client_secret":"[0-9A-F]{64}"`, `"client_secret":"SECRET"`},
		{`"identifier":"[0-9a-f]{32}"`, `"identifier":"ID"`},
		{`"challenge":"[0-9a-f]{64}"`, `"challenge":"CHALLENGE"`},
		{`"kid":"[A-Za-z0-9_-]{43}"`, `"kid":"KID"`},
	} {
		body = regexp.MustCompile(m.form).ReplaceAllString(body, m.name)
	}
	return body
}

func refusal(code, text string) string {
	return `{"error":"` + code + `","error_description":"` + text + `"}`
}

// object encodes pairs of member name and value; a value that begins with "{", "[" or "#" is raw JSON, without the "#".
func object(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		b.WriteString(map[bool]string{true: "{", false: ","}[i == 0])
		name, _ := json.Marshal(pairs[i])
		value, _ := json.Marshal(pairs[i+1])
		if strings.HasPrefix(pairs[i+1], "{") || strings.HasPrefix(pairs[i+1], "[") || strings.HasPrefix(pairs[i+1], "#") {
			value = []byte(strings.TrimPrefix(pairs[i+1], "#"))
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	return b.String() + "}"
}

func randomHex(n int) string { return hex.EncodeToString(make([]byte, n)) }

// basic is what a phone sends as its Basic credentials.
func basic(i installed) []string { return []string{url.QueryEscape(i.id), i.secret} }
