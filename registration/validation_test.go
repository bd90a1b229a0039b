package registration_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/phone"
	"tokenserver/store"
)

const (
	textCredentials = "the installation is not registered, or its credentials are wrong"
	valid           = `{"status":"VALID","configuration":` + configurationJSON + `,"profiles":[],"server_time":TIME}`
	validLab        = `{"status":"VALID","configuration":` + configurationLab + `,"profiles":[],"server_time":TIME}`
	upgradeDue1     = `{"status":"UPGRADE_REQUIRED","identifier":"ID","challenge":"CHALLENGE","suite":"OCRA-1:HOTP-SHA256-0:QH64-T1M","server_time":TIME,"expires_in":300}`
	upgradeDue2     = `{"status":"UPGRADE_REQUIRED","identifier":"ID","challenge":"CHALLENGE","server_time":TIME,"expires_in":300}`
)

// validate sends the check at app start with the installation's own credentials.
func (f *fixture) validate(t testing.TB, api string, i installed, pairs ...string) audittest.Answer {
	t.Helper()
	r := audittest.Request{Path: "/oauth/v" + api + "/client/validation", JSON: "{}", Header: headers(api, pairs...)}
	if i.key != nil {
		r.JSON = object("client_assertion_type", assertionType, "client_assertion", f.assertion(t, i))
	} else {
		r.Basic = basic(i)
	}
	return f.do(t, r)
}

const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

func TestValidationWithSecret(t *testing.T) {
	lab := []string{"X-App-Identifier", "lab", "X-App-Version", "1"}
	wrong := func(i installed) []string { return []string{i.id, strings.Repeat("0", 64)} }
	for _, tc := range []struct {
		name    string
		install []string // headers at registration
		change  []string // headers of the check, beside those
		basic   func(installed) []string
		body    string
		kind    string
		prepare func(t *testing.T, f *fixture, i installed)
		status  int
		want    string
		audit   []audit.Code
		version string // stored afterwards; "" = that of install
	}{
		{name: "good", status: 200, want: valid, audit: []audit.Code{audit.ClientCredentialsCheckSuccess}},
		{
			name: "profiles", status: 200, want: strings.Replace(valid, `[]`+`,"server`, `["AB12CD","ab12cd"],"server`, 1), audit: []audit.Code{audit.ClientCredentialsCheckSuccess},
			prepare: func(t *testing.T, f *fixture, i installed) {
				for n, id := range []string{"AB12CD", "ab12cd"} {
					p := store.Profile{ClientID: i.id, ProfileID: id, UserID: id, CreatedAt: f.Now().Add(time.Duration(n))}
					if err := f.Store.AddProfile(t.Context(), p); err != nil {
						t.Fatal(err)
					}
				}
			},
		},
		{
			name: "login only is enough", status: 200, want: valid, audit: []audit.Code{audit.ClientCredentialsCheckSuccess},
			prepare: func(_ *testing.T, f *fixture, _ installed) {
				d := document()
				d.Applications[0].Versions[0].Status = "LOGIN_ONLY"
				f.Settings.Set(d)
			},
		},
		{name: "wrong secret", basic: wrong, status: 401, want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed}},
		{
			name: "no credentials", basic: func(installed) []string { return nil }, status: 401,
			want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
		},
		{
			name: "unknown client", basic: func(i installed) []string { return []string{strings.Repeat("A", 64), i.secret} }, status: 401,
			want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
		},
		{
			name: "client id is not text", basic: func(i installed) []string { return []string{strings.Repeat("\xff\x00", 32), i.secret} }, status: 401,
			want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
		},
		{
			name: "deleted client", status: 401, want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
			prepare: func(t *testing.T, f *fixture, i installed) {
				if err := f.Store.DeleteInstallation(t.Context(), i.id); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "another platform", change: []string{"X-App-Platform", "ios"}, status: 400,
			want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.ClientValidationInvalidHeader},
		},
		{
			name: "another application", change: lab, status: 400,
			want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.ClientValidationInvalidHeader},
		},
		{
			name: "new version, whatever the credentials", change: []string{"X-App-Version", "2.0"}, basic: wrong, status: 200,
			want: upgradeDue1, audit: []audit.Code{audit.ClientValidationUpgradeInitialized},
		},
		{
			name: "a downgrade is an upgrade", install: []string{"X-App-Version", "2.0"}, change: []string{"X-App-Version", "1.0"}, status: 200,
			want: upgradeDue1, audit: []audit.Code{audit.ClientValidationUpgradeInitialized},
		},
		{name: "development mode does not look", install: lab, basic: wrong, status: 200, want: validLab, audit: []audit.Code{audit.ClientCredentialsCheckSkipped}},
		{
			name: "development mode, new version", install: lab, change: []string{"X-App-Version", "2"}, status: 200, want: validLab, version: "2",
			audit: []audit.Code{audit.ClientCredentialsCheckSkipped, audit.MobileClientUpdatedPlatformVersion},
		},
		{
			name: "development mode, new version, wrong secret", install: lab, change: []string{"X-App-Version", "2"}, basic: wrong, status: 200,
			want: validLab, audit: []audit.Code{audit.ClientCredentialsCheckSkipped},
		},
		{
			name: "changed binary", install: []string{"X-App-Version", "bound 1"}, status: 403,
			basic: func(i installed) []string {
				return []string{i.id, phone.BoundSecret(phone.SignatureKey("repacked"), i.secret)}
			},
			want: refusal("device_not_trusted", "integrity"), audit: []audit.Code{audit.ClientValidationAbuseDetected},
		},
		{
			name: "the plain secret where it is bound", install: []string{"X-App-Version", "bound 1"}, status: 403,
			want: refusal("device_not_trusted", "integrity"), audit: []audit.Code{audit.ClientValidationAbuseDetected},
		},
		{
			name: "bound secret", install: []string{"X-App-Version", "bound 1"}, status: 200,
			basic: func(i installed) []string {
				return []string{i.id, phone.BoundSecret(phone.SignatureKey(oldSignature), i.secret)}
			},
			want: valid, audit: []audit.Code{audit.ClientCredentialsCheckSuccess},
		},
		{
			name: "header missing", change: []string{"X-App-Version", "-"}, status: 400,
			want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.ClientValidationInvalidHeader},
		},
		{
			name: "header repeated", change: []string{"X-API-Version", "1||1"}, status: 400,
			want: refusal("invalid_header", textHeader), audit: []audit.Code{audit.ClientValidationInvalidHeader},
		},
		{
			name: "wrong protocol", change: []string{"X-API-Version", "2"}, status: 403,
			want: refusal("api_version_not_allowed", "this API version is not open here"), audit: []audit.Code{audit.APIVersionNotAllowed},
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
			name: "disabled", change: []string{"X-App-Version", "off"}, status: 403,
			want: refusal("version_disabled", "this version of the app is disabled"), audit: []audit.Code{audit.ClientValidationVersionDisabled},
		},
		{
			name: "OS blocked", change: []string{"X-OS-Version", "13.1"}, status: 403,
			want: refusal("os_version_not_supported", "this version of the operating system is not supported"), audit: []audit.Code{audit.ClientValidationOSVersionInvalid},
		},
		{
			name: "OS not reported", change: []string{"X-OS-Version", "-"}, status: 403,
			want: refusal("os_version_missing", "this version of the app does not report the version of the operating system"), audit: []audit.Code{audit.ClientValidationOSVersionInvalid},
		},
		{name: "unknown member", body: `{"a":1}`, status: 400, want: refusal("invalid_request", "the body is malformed"), audit: []audit.Code{audit.ClientCredentialsCheckFailed}},
		{
			name: "wrong content type", kind: "text/plain", status: 415,
			want: refusal("invalid_request", "the content type must be application/json"), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
		},
		{
			name: "oversized", body: `{"a":"` + strings.Repeat("a", 64<<10) + `"}`, status: 413,
			want: refusal("invalid_request", "the body is too large"), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			signature := oldSignature
			if strings.Contains(strings.Join(tc.install, " "), "2.0") {
				signature = newSignature
			}
			i := f.withSecret(t, signature, tc.install...)
			before := f.stored(t, i.id)
			if tc.prepare != nil {
				tc.prepare(t, f, i)
			}
			r := audittest.Request{
				Path: "/oauth/v1/client/validation", Body: "{}", ContentType: "application/json",
				Header: headers("1", append(tc.install, tc.change...)...), Basic: basic(i),
			}
			if tc.basic != nil {
				r.Basic = tc.basic(i)
			}
			if tc.body != "" {
				r.Body = tc.body
			}
			if tc.kind != "" {
				r.ContentType = tc.kind
			}
			f.want(t, f.do(t, r), tc.status, tc.want, tc.audit...)
			if tc.version == "" {
				tc.version = before.Version
			}
			if after, err := f.Store.Installation(t.Context(), i.id); err == nil && after.Version != tc.version {
				t.Errorf("stored version %q, want %q", after.Version, tc.version)
			}
		})
	}
}

func TestValidationWithKey(t *testing.T) {
	for _, tc := range []struct {
		name    string
		install []string
		change  []string
		body    func(t *testing.T, f *fixture, i installed) string
		status  int
		want    string
		audit   []audit.Code
		version string
	}{
		{name: "good", status: 200, want: valid, audit: []audit.Code{audit.ClientCredentialsCheckSuccess}},
		{
			name: "new version that needs a proof", change: []string{"X-App-Version", "2.0"}, status: 200,
			want: upgradeDue2, audit: []audit.Code{audit.ClientValidationUpgradeInitialized},
		},
		{
			name: "new version that needs no proof", install: []string{"X-App-Version", "open 1"}, change: []string{"X-App-Version", "open 2"}, status: 200,
			want: valid, audit: []audit.Code{audit.ClientCredentialsCheckSuccess, audit.MobileClientUpdatedPlatformVersion}, version: "open 2",
		},
		{
			name: "new version that needs no proof, foreign key", install: []string{"X-App-Version", "open 1"}, change: []string{"X-App-Version", "open 2"},
			body: func(t *testing.T, f *fixture, i installed) string {
				other, err := phone.NewKey()
				if err != nil {
					t.Fatal(err)
				}
				i.key = other
				return object("client_assertion_type", assertionType, "client_assertion", f.assertion(t, i))
			},
			status: 401, want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
		},
		{
			name: "wrong kid", status: 401, want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
			body: func(t *testing.T, f *fixture, i installed) string {
				i.kid = "other"
				return object("client_assertion_type", assertionType, "client_assertion", f.assertion(t, i))
			},
		},
		{
			name: "assertion of nobody", status: 401, want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
			body: func(t *testing.T, f *fixture, i installed) string {
				i.id = strings.Repeat("B", 64)
				return object("client_assertion_type", assertionType, "client_assertion", f.assertion(t, i))
			},
		},
		{
			name: "no assertion", status: 401, want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
			body: func(*testing.T, *fixture, installed) string { return "{}" },
		},
		{
			name: "garbage", status: 401, want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
			body: func(*testing.T, *fixture, installed) string {
				return object("client_assertion_type", assertionType, "client_assertion", "a.b.c")
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			i := f.withKey(t, tc.install...)
			body := object("client_assertion_type", assertionType, "client_assertion", f.assertion(t, i))
			if tc.body != nil {
				body = tc.body(t, f, i)
			}
			got := f.do(t, audittest.Request{Path: "/oauth/v2/client/validation", JSON: body, Header: headers("2", append(tc.install, tc.change...)...)})
			f.want(t, got, tc.status, tc.want, tc.audit...)
			if tc.version != "" && f.stored(t, i.id).Version != tc.version {
				t.Errorf("stored version %q, want %q", f.stored(t, i.id).Version, tc.version)
			}
		})
	}
}

func TestValidationInTheOtherProtocol(t *testing.T) {
	f := newFixture(t)
	withSecret, withKey := f.withSecret(t, oldSignature), f.withKey(t)
	got := f.do(t, audittest.Request{Path: "/oauth/v2/client/validation", JSON: "{}", Basic: basic(withSecret), Header: headers("2")})
	f.want(t, got, 403, refusal("api_version_not_allowed", "this API version is not open here"), audit.APIVersionNotAllowed)
	got = f.do(t, audittest.Request{Path: "/oauth/v1/client/validation", JSON: "{}", Basic: []string{withKey.id, "x"}, Header: headers("1")})
	f.want(t, got, 403, refusal("api_version_not_allowed", "this API version is not open here"), audit.APIVersionNotAllowed)
}

func TestEventOfTheOtherProtocol(t *testing.T) {
	f := newFixture(t)
	i := f.withSecret(t, oldSignature)
	f.validate(t, "1", i, "X-API-Version", "3")
	f.do(t, audittest.Request{Path: "/oauth/v2/client/validation", JSON: "{}", Basic: basic(i), Header: headers("2")})
	want := []audittest.Event{
		{
			Code: audit.APIVersionNotAllowed, ClientIP: "192.0.2.1",
			Details: `{"endpoint":"/oauth/v1/client/validation","presented":3,"allowed":"1"}`,
		},
		{
			Code: audit.APIVersionNotAllowed, ClientID: i.id, Application: "bank", Platform: "android", Version: "1.0", ClientIP: "192.0.2.1",
			Details: `{"api_version":2,"os_version":"14","sdk_version":"12.1.0","endpoint":"/oauth/v2/client/validation","presented":2,"registered":1}`,
		},
	}
	if got := f.Events(t); !slices.Equal(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestValidationReplayed(t *testing.T) {
	f := newFixture(t)
	i := f.withKey(t)
	r := audittest.Request{
		Path: "/oauth/v2/client/validation", Header: headers("2"),
		JSON: object("client_assertion_type", assertionType, "client_assertion", f.assertion(t, i)),
	}
	f.want(t, f.do(t, r), 200, valid, audit.ClientCredentialsCheckSuccess)
	f.want(t, f.do(t, r), 401, refusal("invalid_client", textCredentials), audit.ClientCredentialsCheckFailed)
}

func TestValidationIsThrottled(t *testing.T) {
	f := newFixture(t)
	i := f.withSecret(t, oldSignature)
	wrong := installed{id: i.id, secret: "wrong"}
	for range 10 {
		f.want(t, f.validate(t, "1", wrong), 401, refusal("invalid_client", textCredentials), audit.ClientCredentialsCheckFailed)
	}
	const text = "too many failed attempts for this client, try again in a minute"
	f.want(t, f.validate(t, "1", i), 429, refusal("temporarily_unavailable", text), audit.RateLimitExceeded)
	f.want(t, f.validate(t, "1", i), 429, refusal("temporarily_unavailable", text))
	f.Clock.Advance(time.Minute)
	if got := f.validate(t, "1", i); got.Status != 200 {
		t.Fatalf("a minute later: %+v", got)
	}
}

func TestValidationRefreshesTheDevice(t *testing.T) {
	f := newFixture(t)
	i := f.withSecret(t, oldSignature)
	f.Clock.Advance(time.Hour)
	f.validate(t, "1", i, "X-OS-Version", "15", "X-Device-Model", "Pixel 9", "X-SDK-Version", "13.0.0")
	got := f.stored(t, i.id)
	if got.OSVersion != "15" || got.Model != "Pixel 9" || got.SDKVersion != "13.0.0" || !got.LastSeen.Equal(f.Now()) {
		t.Errorf("stored %+v", got)
	}
	if got.CreatedAt.Equal(f.Now()) || got.DeviceName != "Pixel 8" {
		t.Errorf("stored %+v", got)
	}
}

func TestConfigurationIsSentOnce(t *testing.T) {
	f := newFixture(t)
	i := f.withSecret(t, oldSignature)
	tag := f.validate(t, "1", i).Header.Get("ETag")
	const without = `{"status":"VALID","profiles":[],"server_time":TIME}`
	f.Codes(t)
	for value, want := range map[string]string{
		tag: without, "W/" + tag: without, strings.Trim(tag, `"`): without, `"x", ` + tag: without, `"x"`: valid,
	} {
		got := f.validate(t, "1", i, "If-None-Match", value)
		f.want(t, got, 200, want, audit.ClientCredentialsCheckSuccess)
		if got.Header.Get("ETag") != tag {
			t.Errorf("ETag %q, want %q", got.Header.Get("ETag"), tag)
		}
	}
	d := document()
	d.Applications[0].RedirectURL = "bank://elsewhere"
	f.Settings.Set(d)
	if got := f.validate(t, "1", i, "If-None-Match", tag); got.Header.Get("ETag") == tag || !strings.Contains(got.Body, "bank://elsewhere") {
		t.Errorf("changed settings: %+v", got)
	}
}
