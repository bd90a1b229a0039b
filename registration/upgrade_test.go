package registration_test

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/clientauth"
	"tokenserver/phone"
	"tokenserver/store"
)

const (
	upgradedSecret = `{"client_secret":"SECRET","api_version":1,"configuration":` + configurationJSON + `}`
	upgradedKey    = `{"kid":"KID","api_version":2,"configuration":` + configurationJSON + `}`
)

// due runs the validation that hands out the challenge of an upgrade.
func (f *fixture) due(t testing.TB, api string, i installed, pairs ...string) handedOut {
	t.Helper()
	var c handedOut
	f.decode(t, f.validate(t, api, i, pairs...), 200, &c)
	f.wantCodes(t, audit.ClientValidationUpgradeInitialized)
	if c.Status != "UPGRADE_REQUIRED" {
		t.Fatalf("got %+v", c)
	}
	return c
}

// upgradeRequest is a good upgrade of an installation with a secret.
func (f *fixture) upgradeRequest(t testing.TB, i installed, c handedOut, signature string, pairs ...string) audittest.Request {
	t.Helper()
	return audittest.Request{Path: "/oauth/v1/client/upgrade", Header: headers("1", pairs...), Basic: basic(i), JSON: object(
		"identifier", c.Identifier, "response", f.respond(t, phone.UpgradeKey(signature, i.secret), c.Challenge, f.Now()))}
}

// upgraded upgrades an installation and returns it with its new secret.
func (f *fixture) upgraded(t testing.TB, i installed, c handedOut, signature string, pairs ...string) installed {
	t.Helper()
	var done struct {
		ClientSecret string `json:"client_secret"`
	}
	f.decode(t, f.do(t, f.upgradeRequest(t, i, c, signature, pairs...)), 200, &done)
	f.wantCodes(t, audit.DynamicUpSuccess)
	i.secret = done.ClientSecret
	return i
}

// accepts tells whether client authentication takes what the installation would send.
func (f *fixture) accepts(t testing.TB, i installed, wire string) bool {
	t.Helper()
	_, err := f.handler.Clients.Authenticate(context.WithoutCancel(t.Context()), f.Settings.Current(), clientauth.Credentials{
		Basic: true, BasicID: i.id, BasicSecret: wire,
	})
	return err == nil
}

func TestUpgradeWithSecret(t *testing.T) {
	failed := []audit.Code{audit.DynamicUpFailed}
	respond := func(t *testing.T, f *fixture, i installed, c handedOut, signature string, at time.Time) string {
		return f.respond(t, phone.UpgradeKey(signature, i.secret), c.Challenge, at)
	}
	for _, tc := range []struct {
		name   string
		to     []string // headers of validation and upgrade; nil = version 2.0
		change []string // headers of the upgrade, beside those
		spoil  func(t *testing.T, f *fixture, i installed, c handedOut, r *audittest.Request)
		status int // 0 = 400
		want   string
		audit  []audit.Code
		reason string
	}{
		{name: "good", status: 200, want: upgradedSecret, audit: []audit.Code{audit.DynamicUpSuccess}},
		{
			name: "without naming the client", status: 200, want: upgradedSecret, audit: []audit.Code{audit.DynamicUpSuccess},
			spoil: func(_ *testing.T, _ *fixture, _ installed, _ handedOut, r *audittest.Request) { r.Basic = nil },
		},
		{
			name: "into a version for logins only", to: []string{"X-App-Version", "login only"}, status: 200, want: upgradedSecret, audit: []audit.Code{audit.DynamicUpSuccess},
			spoil: func(t *testing.T, f *fixture, i installed, c handedOut, r *audittest.Request) {
				r.JSON = object("identifier", c.Identifier, "response", respond(t, f, i, c, oldSignature, f.Now()))
			},
		},
		{
			name: "old signature", want: refusal("invalid_response", textChallenge), audit: failed, reason: "invalid_response",
			spoil: func(t *testing.T, f *fixture, i installed, c handedOut, r *audittest.Request) {
				r.JSON = object("identifier", c.Identifier, "response", respond(t, f, i, c, oldSignature, f.Now()))
			},
		},
		{
			name: "another secret", want: refusal("invalid_response", textChallenge), audit: failed, reason: "invalid_response",
			spoil: func(t *testing.T, f *fixture, i installed, c handedOut, r *audittest.Request) {
				i.secret = strings.Repeat("0", 64)
				r.JSON = object("identifier", c.Identifier, "response", respond(t, f, i, c, newSignature, f.Now()))
			},
		},
		{
			name: "the response of a registration", want: refusal("invalid_response", textChallenge), audit: failed, reason: "invalid_response",
			spoil: func(t *testing.T, f *fixture, _ installed, c handedOut, r *audittest.Request) {
				r.JSON = object("identifier", c.Identifier, "response", f.respond(t, phone.SignatureKey(newSignature), c.Challenge, f.Now()))
			},
		},
		{
			name: "clock wrong", audit: failed, reason: "clock_skew",
			want: `{"error":"invalid_datetime","error_description":"the clock of the device is wrong","server_time":TIME}`,
			spoil: func(t *testing.T, f *fixture, i installed, c handedOut, r *audittest.Request) {
				at := f.Now().Add(-11 * time.Minute)
				r.JSON = object("identifier", c.Identifier, "response", respond(t, f, i, c, newSignature, at), "timestamp", "#"+strconv.FormatInt(at.Unix(), 10))
			},
		},
		{
			name: "unknown identifier", want: refusal("invalid_response", textChallenge), audit: failed, reason: "unknown_identifier",
			spoil: func(t *testing.T, f *fixture, i installed, c handedOut, r *audittest.Request) {
				r.JSON = object("identifier", randomHex(16), "response", respond(t, f, i, c, newSignature, f.Now()))
			},
		},
		{
			name: "identifier of a registration", want: refusal("invalid_response", textChallenge), audit: failed, reason: "unknown_identifier",
			spoil: func(t *testing.T, f *fixture, i installed, _ handedOut, r *audittest.Request) {
				c := f.begin(t, "1", "X-App-Version", "2.0")
				r.JSON = object("identifier", c.Identifier, "response", respond(t, f, i, c, newSignature, f.Now()))
			},
		},
		{
			name: "expired", want: refusal("invalid_response", textChallenge), audit: failed, reason: "unknown_identifier",
			spoil: func(_ *testing.T, f *fixture, _ installed, _ handedOut, _ *audittest.Request) {
				f.Clock.Advance(301 * time.Second)
			},
		},
		{
			name: "another version than at validation", change: []string{"X-App-Version", "bound 1"}, want: refusal("invalid_response", textChallenge), audit: failed, reason: "unknown_identifier",
		},
		{
			name: "another client", want: refusal("invalid_response", textChallenge), audit: failed, reason: "unknown_identifier",
			spoil: func(_ *testing.T, _ *fixture, _ installed, _ handedOut, r *audittest.Request) {
				r.Basic = []string{strings.Repeat("C", 64), "x"}
			},
		},
		{
			name: "removed meanwhile", status: 401, want: refusal("invalid_client", textCredentials), audit: failed, reason: "client_authentication",
			spoil: func(t *testing.T, f *fixture, i installed, _ handedOut, _ *audittest.Request) {
				if err := f.Store.DeleteInstallation(t.Context(), i.id); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "no response", want: refusal("invalid_request", textRequest), audit: failed, reason: "invalid_request",
			spoil: func(_ *testing.T, _ *fixture, _ installed, c handedOut, r *audittest.Request) {
				r.JSON = object("identifier", c.Identifier)
			},
		},
		{
			name: "repeated member", want: refusal("invalid_request", textRequest), audit: failed, reason: "invalid_request",
			spoil: func(_ *testing.T, _ *fixture, _ installed, c handedOut, r *audittest.Request) {
				r.JSON = object("identifier", c.Identifier, "identifier", c.Identifier, "response", randomHex(32))
			},
		},
		{
			name: "oversized", status: 413, want: refusal("invalid_request", "the body is too large"), audit: failed, reason: "invalid_request",
			spoil: func(_ *testing.T, _ *fixture, _ installed, _ handedOut, r *audittest.Request) {
				r.JSON = object("response", strings.Repeat("0", 64<<10))
			},
		},
		{
			name: "wrong content type", status: 415, want: refusal("invalid_request", "the content type must be application/json"), audit: failed, reason: "invalid_request",
			spoil: func(_ *testing.T, _ *fixture, _ installed, _ handedOut, r *audittest.Request) {
				r.Body, r.JSON, r.ContentType = "a=b", "", "application/x-www-form-urlencoded"
			},
		},
		{name: "header missing", change: []string{"X-SDK-Version", "-"}, want: refusal("invalid_header", textHeader), audit: failed, reason: "invalid_header"},
		{
			name: "debugger", change: []string{"X-Security-State", "debugger"}, status: 403,
			want: refusal("device_not_trusted", "debugger"), audit: failed, reason: "debugger",
		},
		{
			name: "jailbreak", change: []string{"X-Security-State", "jailbreak"}, status: 403,
			want: refusal("device_not_trusted", "jailbreak"), audit: failed, reason: "jailbreak",
		},
		{
			name: "disabled", change: []string{"X-App-Version", "off"}, status: 403,
			want: refusal("version_disabled", "this version of the app is disabled"), audit: failed, reason: "version_disabled",
		},
		{
			name: "OS too old", change: []string{"X-OS-Version", "11"}, status: 403,
			want: refusal("os_version_not_supported", "this version of the operating system is not supported"), audit: failed, reason: "os_version",
		},
		{
			name: "OS not reported", change: []string{"X-OS-Version", "-"}, status: 403,
			want: refusal("os_version_missing", "this version of the app does not report the version of the operating system"), audit: failed, reason: "os_version",
		},
		{
			name: "wrong protocol", change: []string{"X-API-Version", "2"}, status: 403,
			want: refusal("api_version_not_allowed", "this API version is not open here"), audit: []audit.Code{audit.APIVersionNotAllowed},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			i := f.withSecret(t, oldSignature)
			before := f.stored(t, i.id)
			to := tc.to
			if to == nil {
				to = []string{"X-App-Version", "2.0"}
			}
			c := f.due(t, "1", i, to...)
			r := f.upgradeRequest(t, i, c, newSignature, append(to, tc.change...)...)
			if tc.spoil != nil {
				tc.spoil(t, f, i, c, &r)
			}
			got := f.do(t, r)
			events := f.Events(t)
			if tc.status == 0 {
				tc.status = 400
			}
			if got.Status != tc.status || masked(got.Body) != tc.want {
				t.Errorf("got  %d %s\nwant %d %s", got.Status, masked(got.Body), tc.status, tc.want)
			}
			if len(events) != 1 || events[0].Code != tc.audit[0] {
				t.Fatalf("events %+v, want %v", events, tc.audit)
			}
			if tc.reason != "" && !strings.Contains(events[0].Details, `"reason":"`+tc.reason+`"`) {
				t.Errorf("details %s, want reason %s", events[0].Details, tc.reason)
			}
			after, err := f.Store.Installation(t.Context(), i.id)
			if err == nil && tc.status != 200 && (after.Version != before.Version || !f.accepts(t, i, i.secret)) {
				t.Errorf("a failed upgrade left %+v", after)
			}
		})
	}
}

// TestUpgradeKeepsTheInstallation: client id, profiles and registration survive, only the secret is new.
func TestUpgradeKeepsTheInstallation(t *testing.T) {
	f := newFixture(t)
	old := f.withSecret(t, oldSignature)
	if err := f.Store.AddProfile(t.Context(), store.Profile{ClientID: old.id, ProfileID: "AB12CD", UserID: "anna"}); err != nil {
		t.Fatal(err)
	}
	to := []string{"X-App-Version", "2.0", "X-OS-Version", "15"}
	i := f.upgraded(t, old, f.due(t, "1", old, to...), newSignature, to...)
	if !f.accepts(t, old, old.secret) {
		t.Error("the old secret must work until the new one has been used: the answer may have been lost")
	}
	f.want(t, f.validate(t, "1", i, to...), 200, strings.Replace(valid, `"profiles":[]`, `"profiles":["AB12CD"]`, 1), audit.ClientCredentialsCheckSuccess)
	if f.accepts(t, old, old.secret) {
		t.Error("the old secret works after the first use of the new one")
	}
	got := f.stored(t, i.id)
	if got.Version != "2.0" || got.OSVersion != "15" || got.SignatureIndex != 1 || got.PriorSecretDigest != nil || got.PriorUpgradeKey != nil {
		t.Errorf("stored %+v", got)
	}
}

// TestBoundSecretAfterUpdate is the life of a bound secret over two builds, with an answer that gets lost.
func TestBoundSecretAfterUpdate(t *testing.T) {
	f := newFixture(t)
	first, to := []string{"X-App-Version", "bound 1"}, []string{"X-App-Version", "bound 2"}
	wire := func(i installed, signature string) installed {
		i.secret = phone.BoundSecret(phone.SignatureKey(signature), i.secret)
		return i
	}
	old := f.withSecret(t, oldSignature, first...)
	// The new build computes another value from the same secret: the check asks for the upgrade all the same.
	c := f.due(t, "1", wire(old, newSignature), to...)
	lost := f.upgraded(t, old, c, newSignature, to...)
	// The answer is lost: the app asks again, with the old secret under the new signature.
	c = f.due(t, "1", wire(old, newSignature), to...)
	found := f.upgraded(t, old, c, newSignature, to...)
	if f.accepts(t, old, phone.BoundSecret(phone.SignatureKey(newSignature), lost.secret)) {
		t.Error("the secret that was lost still works")
	}
	f.want(t, f.validate(t, "1", wire(found, newSignature), to...), 200, valid, audit.ClientCredentialsCheckSuccess)
	// From now on the old secret is dead, for upgrades too.
	f.want(t, f.validate(t, "1", wire(old, newSignature), to...), 403, refusal("device_not_trusted", "integrity"), audit.ClientValidationAbuseDetected)
	back := f.due(t, "1", wire(found, oldSignature), first...)
	f.want(t, f.do(t, f.upgradeRequest(t, old, back, oldSignature, first...)), 400, refusal("invalid_response", textChallenge), audit.DynamicUpFailed)
	back = f.due(t, "1", wire(found, oldSignature), first...)
	f.upgraded(t, found, back, oldSignature, first...)
}

// TestPriorSecretEnds: a day after the upgrade the old secret opens nothing any more.
func TestPriorSecretEnds(t *testing.T) {
	f := newFixture(t)
	to := []string{"X-App-Version", "2.0"}
	old := f.withSecret(t, oldSignature)
	c := f.due(t, "1", old, to...)
	f.upgraded(t, old, c, newSignature, to...)
	f.Clock.Advance(24*time.Hour - time.Second)
	f.due(t, "1", old, to...)
	f.Clock.Advance(time.Second)
	f.want(t, f.validate(t, "1", old, to...), 401, refusal("invalid_client", textCredentials), audit.ClientCredentialsCheckFailed)
}

// statementBody is a good upgrade by a statement.
func (f *fixture) statementBody(t testing.TB, key *phone.Key, c handedOut, signature string, pairs ...string) map[string]any {
	t.Helper()
	return map[string]any{"identifier": c.Identifier, "client_statement": f.sign(t, key, f.claims(t, key, c, signature, pairs...))}
}

func TestUpgradeWithKey(t *testing.T) {
	failed := []audit.Code{audit.DynamicUpFailed}
	to := []string{"X-App-Version", "2.0"}
	for _, tc := range []struct {
		name   string
		change []string
		spoil  func(t *testing.T, f *fixture, i installed, c handedOut, body map[string]any)
		status int // 0 = 400
		want   string
		audit  []audit.Code
		reason string
	}{
		{name: "good", status: 200, want: upgradedKey, audit: []audit.Code{audit.DynamicUpSuccess}},
		{
			name: "another key", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:jwk",
			spoil: func(t *testing.T, f *fixture, _ installed, c handedOut, body map[string]any) {
				other, err := phone.NewKey()
				if err != nil {
					t.Fatal(err)
				}
				body["client_statement"] = f.sign(t, other, f.claims(t, other, c, newSignature, to...))
			},
		},
		{
			name: "old signature", status: 403, want: refusal("device_not_trusted", "integrity"), audit: failed, reason: "signature",
			spoil: func(t *testing.T, f *fixture, i installed, c handedOut, body map[string]any) {
				body["client_statement"] = f.sign(t, i.key, f.claims(t, i.key, c, oldSignature, to...))
			},
		},
		{
			name: "statement of another version", want: refusal("invalid_header", textHeader), audit: failed, reason: "invalid_header",
			spoil: func(t *testing.T, f *fixture, i installed, c handedOut, body map[string]any) {
				body["client_statement"] = f.sign(t, i.key, f.claims(t, i.key, c, newSignature))
			},
		},
		{
			name: "statement malformed", want: refusal("invalid_client_statement", textStatement), audit: failed, reason: "statement:format",
			spoil: func(_ *testing.T, _ *fixture, _ installed, _ handedOut, body map[string]any) {
				body["client_statement"] = "x"
			},
		},
		{
			name: "clock wrong", audit: failed, reason: "statement:iat",
			want: `{"error":"invalid_datetime","error_description":"the clock of the device is wrong","server_time":TIME}`,
			spoil: func(t *testing.T, f *fixture, i installed, c handedOut, body map[string]any) {
				claims := f.claims(t, i.key, c, newSignature, to...)
				claims["iat"], claims["exp"] = f.Now().Add(time.Hour).Unix(), f.Now().Add(time.Hour+time.Minute).Unix()
				body["client_statement"] = f.sign(t, i.key, claims)
			},
		},
		{
			name: "no statement", want: refusal("invalid_request", textRequest), audit: failed, reason: "invalid_request",
			spoil: func(_ *testing.T, _ *fixture, _ installed, _ handedOut, body map[string]any) {
				delete(body, "client_statement")
			},
		},
		{
			name: "unknown member", want: refusal("invalid_request", textRequest), audit: failed, reason: "invalid_request",
			spoil: func(_ *testing.T, _ *fixture, _ installed, _ handedOut, body map[string]any) {
				body["device_name"] = "x"
			},
		},
		{
			name: "no assertion", status: 401, want: refusal("invalid_client", textCredentials), audit: failed, reason: "client_authentication",
			spoil: func(_ *testing.T, _ *fixture, _ installed, _ handedOut, body map[string]any) {
				delete(body, "client_assertion")
				delete(body, "client_assertion_type")
			},
		},
		{
			name: "assertion by another key", status: 401, want: refusal("invalid_client", textCredentials), audit: failed, reason: "client_authentication",
			spoil: func(t *testing.T, f *fixture, i installed, _ handedOut, body map[string]any) {
				other, err := phone.NewKey()
				if err != nil {
					t.Fatal(err)
				}
				i.key = other
				body["client_assertion"] = f.assertion(t, i)
			},
		},
		{
			name: "challenge of another installation", want: refusal("invalid_response", textChallenge), audit: failed, reason: "unknown_identifier",
			spoil: func(t *testing.T, f *fixture, i installed, _ handedOut, body map[string]any) {
				other := f.withKey(t)
				c := f.due(t, "2", other, to...)
				body["identifier"] = c.Identifier
				body["client_statement"] = f.sign(t, i.key, f.claims(t, i.key, c, newSignature, to...))
			},
		},
		{
			name: "expired", want: refusal("invalid_response", textChallenge), audit: failed, reason: "unknown_identifier",
			spoil: func(t *testing.T, f *fixture, i installed, _ handedOut, body map[string]any) {
				f.Clock.Advance(301 * time.Second)
				body["client_assertion"] = f.assertion(t, i)
			},
		},
		{
			name: "disabled", change: []string{"X-App-Version", "off"}, status: 403,
			want: refusal("version_disabled", "this version of the app is disabled"), audit: failed, reason: "version_disabled",
		},
		{
			name: "wrong protocol", change: []string{"X-API-Version", "1"}, status: 403,
			want: refusal("api_version_not_allowed", "this API version is not open here"), audit: []audit.Code{audit.APIVersionNotAllowed},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			i := f.withKey(t)
			c := f.due(t, "2", i, to...)
			body := f.statementBody(t, i.key, c, newSignature, to...)
			body["client_assertion_type"], body["client_assertion"] = assertionType, f.assertion(t, i)
			if tc.spoil != nil {
				tc.spoil(t, f, i, c, body)
			}
			text, err := json.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			got := f.do(t, audittest.Request{Path: "/oauth/v2/client/upgrade", JSON: string(text), Header: headers("2", append(to, tc.change...)...)})
			events := f.Events(t)
			if tc.status == 0 {
				tc.status = 400
			}
			if got.Status != tc.status || masked(got.Body) != tc.want {
				t.Errorf("got  %d %s\nwant %d %s", got.Status, masked(got.Body), tc.status, tc.want)
			}
			if len(events) != 1 || events[0].Code != tc.audit[0] {
				t.Fatalf("events %+v, want %v", events, tc.audit)
			}
			if tc.reason != "" && !strings.Contains(events[0].Details, `"reason":"`+tc.reason+`"`) {
				t.Errorf("details %s, want reason %s", events[0].Details, tc.reason)
			}
			stored := f.stored(t, i.id)
			if want := map[bool]string{true: "2.0", false: "1.0"}[tc.status == 200]; stored.Version != want || stored.KeyID != i.kid {
				t.Errorf("stored %+v", stored)
			}
		})
	}
}

func TestUpgradeIsThrottled(t *testing.T) {
	f := newFixture(t)
	to := []string{"X-App-Version", "2.0"}
	i := f.withSecret(t, oldSignature)
	c := f.due(t, "1", i, to...)
	ask := func(secret string) audittest.Answer {
		return f.do(t, audittest.Request{
			Path: "/oauth/v2/client/upgrade", Basic: []string{i.id, secret}, Header: headers("2", to...),
			JSON: object("identifier", c.Identifier, "client_statement", "x"),
		})
	}
	for range 10 {
		f.want(t, ask("wrong"), 401, refusal("invalid_client", textCredentials), audit.DynamicUpFailed)
	}
	const text = "too many failed attempts for this client, try again in a minute"
	f.want(t, ask(i.secret), 429, refusal("temporarily_unavailable", text), audit.RateLimitExceeded)
}

// TestFromSecretToKey moves an installation to the key protocol: its secret is void afterwards.
func TestFromSecretToKey(t *testing.T) {
	f := newFixture(t)
	to := []string{"X-App-Version", "2.0"}
	i, taken := f.withSecret(t, oldSignature), f.withKey(t)
	send := func(key *phone.Key, secret string) audittest.Answer {
		c := f.due(t, "1", i, to...)
		text, err := json.Marshal(f.statementBody(t, key, c, newSignature, to...))
		if err != nil {
			t.Fatal(err)
		}
		return f.do(t, audittest.Request{Path: "/oauth/v2/client/upgrade", JSON: string(text), Basic: []string{i.id, secret}, Header: headers("2", to...)})
	}
	key, err := phone.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	f.want(t, send(key, "wrong"), 401, refusal("invalid_client", textCredentials), audit.DynamicUpFailed)
	f.want(t, send(taken.key, i.secret), 400, refusal("invalid_client_statement", textStatement), audit.DynamicUpFailed)
	f.want(t, send(key, i.secret), 200, upgradedKey, audit.DynamicUpSuccess)
	got := f.stored(t, i.id)
	if got.APIVersion != 2 || got.Version != "2.0" || got.SecretDigest != nil || got.UpgradeKey != nil || got.PriorSecretDigest != nil || got.SecretForm != "" {
		t.Errorf("stored %+v", got)
	}
	if f.accepts(t, i, i.secret) {
		t.Error("the secret still works")
	}
	moved := installed{id: i.id, key: key, kid: got.KeyID}
	f.want(t, f.validate(t, "2", moved, to...), 200, valid, audit.ClientCredentialsCheckSuccess)
	f.want(t, f.validate(t, "1", i, to...), 403, refusal("api_version_not_allowed", "this API version is not open here"), audit.APIVersionNotAllowed)
}
