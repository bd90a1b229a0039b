package registration_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/phone"
	"tokenserver/store"
)

const (
	textChallenge = "the challenge is unknown, expired or used, or its response is wrong"
	textRequest   = "the request is malformed, or identifier or proof are missing"
	textHeader    = "an identification header is missing, malformed or unknown"
)

func TestInit(t *testing.T) {
	for _, tc := range []struct {
		name   string
		api    string
		change []string
		body   string
		kind   string
		status int
		want   string
		audit  []audit.Code
	}{
		{
			name: "secret protocol", status: 200,
			want: `{"identifier":"ID","challenge":"CHALLENGE","suite":"OCRA-1:HOTP-SHA256-0:QH64-T1M","server_time":TIME,"expires_in":300}`,
		},
		{
			name: "key protocol", api: "2", status: 200,
			want: `{"identifier":"ID","challenge":"CHALLENGE","server_time":TIME,"expires_in":300,"attestation":{"policy":"OFF","methods":[]}}`,
		},
		{
			name: "wrong protocol", change: []string{"X-API-Version", "2"}, status: 403,
			want: refusal("api_version_not_allowed", "this API version is not open here"), audit: []audit.Code{audit.APIVersionNotAllowed},
		},
		{
			name: "secret protocol closed for the application", change: []string{"X-App-Identifier", "keys"}, status: 403,
			want: refusal("api_version_not_allowed", "this API version is not open here"), audit: []audit.Code{audit.APIVersionNotAllowed},
		},
		{
			name: "header missing, version disabled and OS too old", change: []string{"X-SDK-Version", "-", "X-App-Version", "off", "X-OS-Version", "1"}, status: 400,
			want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.DynamicRegInvalidHeader},
		},
		{
			name: "header repeated", change: []string{"X-App-Version", "1.0||1.0"}, status: 400,
			want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.DynamicRegInvalidHeader},
		},
		{
			name: "application unknown", change: []string{"X-App-Identifier", "shop"}, status: 400,
			want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.DynamicRegInvalidHeader},
		},
		{
			name: "debugger", change: []string{"X-Security-State", "debugger"}, status: 403,
			want: refusal("device_not_trusted", "debugger"), audit: []audit.Code{audit.ClientValidationDebuggerDetected},
		},
		{
			name: "jailbreak", change: []string{"X-Security-State", "jailbreak"}, status: 403,
			want: refusal("device_not_trusted", "jailbreak"), audit: []audit.Code{audit.ClientValidationJailbreakDetected},
		},
		{
			name: "version disabled", change: []string{"X-App-Version", "off"}, status: 403,
			want: refusal("version_disabled", "this version of the app is disabled"), audit: []audit.Code{audit.DynamicRegVersionDisabled},
		},
		{
			name: "login only", change: []string{"X-App-Version", "login only"}, status: 403,
			want: refusal("registration_disabled", "this version of the app takes no new registrations"), audit: []audit.Code{audit.DynamicRegNewRegistrationsDisabled},
		},
		{
			name: "OS too old", change: []string{"X-OS-Version", "11"}, status: 403,
			want: refusal("os_version_not_supported", "this version of the operating system is not supported"), audit: []audit.Code{audit.DynamicRegOSVersionInvalid},
		},
		{
			name: "OS not reported", change: []string{"X-OS-Version", "-"}, status: 403,
			want: refusal("os_version_missing", "this version of the app does not report the version of the operating system"), audit: []audit.Code{audit.DynamicRegOSVersionInvalid},
		},
		{
			name: "unknown member", body: `{"a":1}`, status: 400,
			want: refusal("invalid_request", "the body must be an empty JSON object"), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "wrong content type", body: "a=b", kind: "application/x-www-form-urlencoded", status: 415,
			want: refusal("invalid_request", "the content type must be application/json"), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "oversized", body: `{"a":"` + strings.Repeat("a", 64<<10) + `"}`, status: 413,
			want: refusal("invalid_request", "the body is too large"), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			api, body, kind := "1", "{}", "application/json"
			if tc.api != "" {
				api = tc.api
			}
			if tc.body != "" {
				body = tc.body
			}
			if tc.kind != "" {
				kind = tc.kind
			}
			got := f.do(t, audittest.Request{
				Path: "/oauth/v" + api + "/client/registration/init", Body: body, ContentType: kind, Header: headers(api, tc.change...),
			})
			f.want(t, got, tc.status, tc.want, tc.audit...)
		})
	}
}

func TestInitIsLimited(t *testing.T) {
	f := newFixture(t)
	ask := func(from string) audittest.Answer {
		return f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/init", JSON: "{}", Header: headers("1"), From: from})
	}
	for range 30 {
		if got := ask("192.0.2.7"); got.Status != 200 {
			t.Fatalf("got %+v", got)
		}
	}
	const text = "too many registrations from this address, try again in a minute"
	got := ask("192.0.2.7")
	f.want(t, got, 429, refusal("temporarily_unavailable", text), audit.RateLimitExceeded)
	if got.Header.Get("Retry-After") != "60" {
		t.Errorf("Retry-After %q", got.Header.Get("Retry-After"))
	}
	f.want(t, ask("192.0.2.7"), 429, refusal("temporarily_unavailable", text)) // summarised once a minute
	if got := ask("192.0.2.8"); got.Status != 200 {
		t.Fatalf("another address: %+v", got)
	}
	f.Clock.Advance(time.Minute)
	if got := ask("192.0.2.7"); got.Status != 200 {
		t.Fatalf("a minute later: %+v", got)
	}
}

func TestComplete(t *testing.T) {
	key := phone.SignatureKey
	for _, tc := range []struct {
		name   string
		begin  []string                                           // headers of the init step
		change []string                                           // headers of the second step, beside those
		body   func(t *testing.T, f *fixture, c handedOut) string // nil: the right response
		kind   string                                             // content type
		wait   time.Duration                                      // between the steps
		status int
		want   string
		audit  []audit.Code
	}{
		{
			name: "right", status: 201,
			want:  `{"client_id":"ID","client_secret":"SECRET","api_version":1,"configuration":` + configurationJSON + `}`,
			audit: []audit.Code{audit.DynamicRegSuccess},
		},
		{
			name: "second architecture, response in upper case", begin: []string{"X-App-Version", "2.0"}, status: 201,
			body: func(t *testing.T, f *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "response", strings.ToUpper(f.respond(t, key(newSignature), c.Challenge, f.Now())), "timestamp", "#1", "device_name", "x")
			},
			want:  `{"client_id":"ID","client_secret":"SECRET","api_version":1,"configuration":` + configurationJSON + `}`,
			audit: []audit.Code{audit.DynamicRegSuccess},
		},
		{
			name: "development mode takes any response", begin: []string{"X-App-Identifier", "lab", "X-App-Version", "1"}, status: 201,
			body: func(_ *testing.T, _ *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "response", "whatever")
			},
			want:  `{"client_id":"ID","client_secret":"SECRET","api_version":1,"configuration":` + configurationLab + `}`,
			audit: []audit.Code{audit.DynamicRegSuccess},
		},
		{
			name: "clock ten minutes behind", status: 201,
			body: func(t *testing.T, f *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "response", f.respond(t, key(oldSignature), c.Challenge, f.Now().Add(-10*time.Minute)))
			},
			want:  `{"client_id":"ID","client_secret":"SECRET","api_version":1,"configuration":` + configurationJSON + `}`,
			audit: []audit.Code{audit.DynamicRegSuccess},
		},
		{
			name: "clock ten minutes ahead", status: 201,
			body: func(t *testing.T, f *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "response", f.respond(t, key(oldSignature), c.Challenge, f.Now().Add(10*time.Minute)))
			},
			want:  `{"client_id":"ID","client_secret":"SECRET","api_version":1,"configuration":` + configurationJSON + `}`,
			audit: []audit.Code{audit.DynamicRegSuccess},
		},
		{
			name: "clock eleven minutes ahead, and it says so", status: 400,
			body: func(t *testing.T, f *fixture, c handedOut) string {
				at := f.Now().Add(11 * time.Minute)
				return object("identifier", c.Identifier, "response", f.respond(t, key(oldSignature), c.Challenge, at), "timestamp", "#"+strconv.FormatInt(at.Unix(), 10))
			},
			want:  `{"error":"invalid_datetime","error_description":"the clock of the device is wrong","server_time":TIME}`,
			audit: []audit.Code{audit.DynamicRegFailed},
		},
		{
			name: "clock eleven minutes behind, and it says nothing", status: 400,
			body: func(t *testing.T, f *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "response", f.respond(t, key(oldSignature), c.Challenge, f.Now().Add(-11*time.Minute)))
			},
			want: refusal("invalid_response", textChallenge), audit: []audit.Code{audit.DynamicRegFailed},
		},
		{
			name: "wrong signature, good clock", status: 400,
			body: func(t *testing.T, f *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "response", f.respond(t, key(newSignature), c.Challenge, f.Now()), "timestamp", "#"+strconv.FormatInt(f.Now().Unix(), 10))
			},
			want: refusal("invalid_response", textChallenge), audit: []audit.Code{audit.DynamicRegFailed},
		},
		{
			name: "another version than at init", change: []string{"X-App-Version", "bound 1"}, status: 400,
			want: refusal("invalid_response", textChallenge), audit: []audit.Code{audit.DynamicRegFailed},
		},
		{
			name: "unknown identifier", status: 400,
			body: func(t *testing.T, f *fixture, c handedOut) string {
				return object("identifier", randomHex(16), "response", f.respond(t, key(oldSignature), c.Challenge, f.Now()))
			},
			want: refusal("invalid_response", textChallenge), audit: []audit.Code{audit.DynamicRegFailed},
		},
		{
			name: "expired", wait: 300 * time.Second, status: 400,
			want: refusal("invalid_response", textChallenge), audit: []audit.Code{audit.DynamicRegFailed},
		},
		{
			name: "just in time", wait: 299 * time.Second, status: 201,
			want:  `{"client_id":"ID","client_secret":"SECRET","api_version":1,"configuration":` + configurationJSON + `}`,
			audit: []audit.Code{audit.DynamicRegSuccess},
		},
		{
			name: "no response", status: 400,
			body: func(_ *testing.T, _ *fixture, c handedOut) string { return object("identifier", c.Identifier) },
			want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "response malformed", status: 400,
			body: func(_ *testing.T, _ *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "response", strings.Repeat("g", 64))
			},
			want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "identifier malformed", status: 400,
			body: func(_ *testing.T, _ *fixture, c handedOut) string {
				return object("identifier", strings.ToUpper(c.Identifier)+"A", "response", randomHex(32))
			},
			want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "timestamp is a text", status: 400,
			body: func(_ *testing.T, _ *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "response", randomHex(32), "timestamp", "now")
			},
			want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "repeated member", status: 400,
			body: func(_ *testing.T, _ *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "identifier", c.Identifier, "response", randomHex(32))
			},
			want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "unknown member", status: 400,
			body: func(_ *testing.T, _ *fixture, c handedOut) string {
				return object("identifier", c.Identifier, "response", randomHex(32), "more", "x")
			},
			want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "not JSON", status: 400, body: func(*testing.T, *fixture, handedOut) string { return "identifier=1" },
			want: refusal("invalid_request", textRequest), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "wrong content type", kind: "text/plain", status: 415,
			want: refusal("invalid_request", "the content type must be application/json"), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "oversized", status: 413,
			body: func(*testing.T, *fixture, handedOut) string {
				return object("device_name", strings.Repeat("n", 64<<10))
			},
			want: refusal("invalid_request", "the body is too large"), audit: []audit.Code{audit.DynamicRegInvalidRequest},
		},
		{
			name: "header missing", change: []string{"X-App-Platform", "-"}, status: 400,
			want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.DynamicRegInvalidHeader},
		},
		{
			name: "in the other protocol", change: []string{"X-API-Version", "2"}, status: 403,
			want: refusal("api_version_not_allowed", "this API version is not open here"), audit: []audit.Code{audit.APIVersionNotAllowed},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			c := f.begin(t, "1", tc.begin...)
			body := object("identifier", c.Identifier, "response", f.respond(t, key(oldSignature), c.Challenge, f.Now()))
			if tc.body != nil {
				body = tc.body(t, f, c)
			}
			f.Clock.Advance(tc.wait)
			kind := tc.kind
			if kind == "" {
				kind = "application/json"
			}
			got := f.do(t, audittest.Request{
				Path: "/oauth/v1/client/registration/complete", Body: body, ContentType: kind,
				Header: headers("1", append(tc.begin, tc.change...)...),
			})
			f.want(t, got, tc.status, tc.want, tc.audit...)
		})
	}
}

func TestCompleteOnce(t *testing.T) {
	f := newFixture(t)
	complete := func(c handedOut, signature string) audittest.Answer {
		return f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/complete", Header: headers("1"), JSON: object(
			"identifier", c.Identifier, "response", f.respond(t, phone.SignatureKey(signature), c.Challenge, f.Now()))})
	}
	for _, first := range []struct {
		signature string
		status    int
		code      audit.Code
	}{{oldSignature, 201, audit.DynamicRegSuccess}, {newSignature, 400, audit.DynamicRegFailed}} {
		c := f.begin(t, "1")
		if got := complete(c, first.signature); got.Status != first.status {
			t.Fatalf("got %+v", got)
		}
		f.wantCodes(t, first.code)
		f.want(t, complete(c, oldSignature), 400, refusal("invalid_response", textChallenge), audit.DynamicRegFailed)
	}
}

// TestInitOfTheOtherProtocol: a challenge of one protocol does not serve the other, nor one of an upgrade a registration.
func TestInitOfTheOtherProtocol(t *testing.T) {
	f := newFixture(t)
	c := f.begin(t, "2")
	got := f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/complete", Header: headers("1"), JSON: object(
		"identifier", c.Identifier, "response", f.respond(t, phone.SignatureKey(oldSignature), c.Challenge, f.Now()))})
	f.want(t, got, 400, refusal("invalid_response", textChallenge), audit.DynamicRegFailed)

	i := f.withSecret(t, oldSignature)
	var due handedOut
	f.decode(t, f.validate(t, "1", i, "X-App-Version", "2.0"), 200, &due)
	f.Codes(t)
	got = f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/complete", Header: headers("1", "X-App-Version", "2.0"), JSON: object(
		"identifier", due.Identifier, "response", f.respond(t, phone.SignatureKey(newSignature), due.Challenge, f.Now()))})
	f.want(t, got, 400, refusal("invalid_response", textChallenge), audit.DynamicRegFailed)
}

func TestWhatRegistrationStores(t *testing.T) {
	f := newFixture(t)
	i := f.withSecret(t, newSignature, "X-App-Version", "bound 2", "X-Device-Model", " Pixel\t8 ")
	got := f.stored(t, i.id)
	bound := phone.BoundSecret(phone.SignatureKey(newSignature), i.secret)
	if !f.Keys.Equal("client-secret", got.SecretDigest, bound) || f.Keys.Equal("client-secret", got.SecretDigest, i.secret) {
		t.Error("the digest is not that of the bound secret")
	}
	if got.SecretForm != store.SecretBound || got.SignatureIndex != 0 || got.APIVersion != 1 || got.DeviceName != "Pixel8" || got.Model != "Pixel8" ||
		got.Application != "bank" || got.Platform != "android" || got.Version != "bound 2" || got.OSVersion != "14" || got.SDKVersion != "12.1.0" ||
		!got.CreatedAt.Equal(f.Now()) || !got.LastSeen.Equal(f.Now()) || got.KeyID != "" {
		t.Errorf("stored %+v", got)
	}
	if strings.Contains(string(got.UpgradeKey), i.secret) {
		t.Error("the upgrade key holds the secret")
	}
	lab := f.stored(t, f.withSecret(t, oldSignature, "X-App-Identifier", "lab", "X-App-Version", "1").id)
	if lab.SecretForm != store.SecretPlain {
		t.Error("development mode ignores tampering protection")
	}
	second := f.stored(t, f.withSecret(t, newSignature, "X-App-Version", "2.0").id)
	if second.SignatureIndex != 1 || second.SecretForm != store.SecretPlain {
		t.Errorf("stored %+v", second)
	}
}

func TestEventOfRegistration(t *testing.T) {
	f := newFixture(t)
	c := f.begin(t, "1")
	got := f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/complete", Header: headers("1", "X-Security-State", "hooked"), JSON: object(
		"identifier", c.Identifier, "response", f.respond(t, phone.SignatureKey(oldSignature), c.Challenge, f.Now()))})
	var done struct {
		ClientID string `json:"client_id"`
	}
	f.decode(t, got, 201, &done)
	events := f.Events(t)
	if len(events) != 1 {
		t.Fatalf("events %+v", events)
	}
	want := audittest.Event{
		Code: audit.DynamicRegSuccess, ClientID: done.ClientID, Application: "bank", Platform: "android", Version: "1.0", ClientIP: "192.0.2.1",
		Details: `{"api_version":1,"os_version":"14","sdk_version":"12.1.0","hooked":true,"secret_form":"plain","development_mode":false}`,
	}
	if events[0] != want {
		t.Errorf("got  %+v\nwant %+v", events[0], want)
	}
}

// TestWithoutRedis: nothing is handed out or made, and nothing is invented for the log.
func TestWithoutRedis(t *testing.T) {
	f := newFixture(t)
	i := f.withSecret(t, oldSignature)
	f.RedisServer.Close()
	const text = `{"error":"temporarily_unavailable","error_description":"the server cannot work right now, try again shortly"}`
	f.want(t, f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/init", JSON: "{}", Header: headers("1")}), 503, text)
	f.want(t, f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/complete", Header: headers("1"), JSON: object(
		"identifier", randomHex(16), "response", randomHex(32))}), 503, text)
	if got := f.validate(t, "1", i); got.Status != 200 {
		t.Errorf("validation of API version 1 needs no Redis: %+v", got)
	}
	f.wantCodes(t, audit.ClientCredentialsCheckSuccess)
}
