package registration_test

import (
	"net/http"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/store"
)

func TestRename(t *testing.T) {
	for _, tc := range []struct {
		name    string
		body    string
		basic   func(installed) []string
		prepare func(t *testing.T, f *fixture, i installed)
		kind    string
		change  []string
		status  int
		want    string
		audit   []audit.Code
		stored  string // "" = as it was
	}{
		{name: "good", body: object("device_name", "Zoë's 📱"), status: 204, audit: []audit.Code{audit.MobileClientDeviceNameUpdated}, stored: "Zoë's 📱"},
		{
			name: "composed, trimmed, without control characters", body: object("device_name", "  Zoe\u0308\u0000\n\u202e "), status: 204,
			audit: []audit.Code{audit.MobileClientDeviceNameUpdated}, stored: "Zoë",
		},
		{
			name: "cut at 100 code points", body: object("device_name", strings.Repeat("é", 101)), status: 204,
			audit: []audit.Code{audit.MobileClientDeviceNameUpdated}, stored: strings.Repeat("é", 100),
		},
		{name: "empty", body: object("device_name", " \t"), status: 204, audit: []audit.Code{audit.MobileClientDeviceNameUpdated}, stored: "Pixel 8"},
		{
			name: "empty, and the user has another one of that model", body: "{}", status: 204, audit: []audit.Code{audit.MobileClientDeviceNameUpdated}, stored: "Pixel 8 (3)",
			prepare: func(t *testing.T, f *fixture, i installed) {
				for n, name := range []string{"Pixel 8", "Pixel 8 (2)", "other"} {
					other := store.Installation{ClientID: name, RegistrationID: name, DeviceName: name, CreatedAt: f.Now()}
					if err := f.Store.AddInstallation(t.Context(), other); err != nil {
						t.Fatal(n, err)
					}
					if err := f.Store.AddProfile(t.Context(), store.Profile{ClientID: name, ProfileID: "AAAAAA", UserID: "anna"}); err != nil {
						t.Fatal(n, err)
					}
				}
				if err := f.Store.AddProfile(t.Context(), store.Profile{ClientID: i.id, ProfileID: "AAAAAA", UserID: "anna"}); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "wrong secret", body: object("device_name", "x"), basic: func(i installed) []string { return []string{i.id, "wrong"} }, status: 401,
			want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
		},
		{
			name: "no credentials", body: object("device_name", "x"), basic: func(installed) []string { return nil }, status: 401,
			want: refusal("invalid_client", textCredentials), audit: []audit.Code{audit.ClientCredentialsCheckFailed},
		},
		{
			name: "version disabled", body: object("device_name", "x"), status: 403,
			want: refusal("version_disabled", "this version of the app is disabled"), audit: []audit.Code{audit.ClientValidationVersionDisabled},
			prepare: func(_ *testing.T, f *fixture, _ installed) {
				d := document()
				d.Applications[0].Versions[0].Status = "DISABLED"
				f.Settings.Set(d)
			},
		},
		{
			name: "wrong protocol", body: object("device_name", "x"), change: []string{"X-API-Version", "2"}, status: 403,
			want: refusal("api_version_not_allowed", "this API version is not open here"), audit: []audit.Code{audit.APIVersionNotAllowed},
		},
		{
			name: "not a text", body: object("device_name", "#1"), status: 400,
			want: refusal("invalid_request", "the body is malformed"), audit: []audit.Code{audit.MobileClientDeviceNameRefused},
		},
		{
			name: "unknown member", body: object("name", "x"), status: 400,
			want: refusal("invalid_request", "the body is malformed"), audit: []audit.Code{audit.MobileClientDeviceNameRefused},
		},
		{
			name: "repeated member", body: object("device_name", "x", "device_name", "y"), status: 400,
			want: refusal("invalid_request", "the body is malformed"), audit: []audit.Code{audit.MobileClientDeviceNameRefused},
		},
		{
			name: "oversized", body: object("device_name", strings.Repeat("x", 64<<10)), status: 413,
			want: refusal("invalid_request", "the body is too large"), audit: []audit.Code{audit.MobileClientDeviceNameRefused},
		},
		{
			name: "wrong content type", body: "{}", kind: "text/json", status: 415,
			want: refusal("invalid_request", "the content type must be application/json"), audit: []audit.Code{audit.MobileClientDeviceNameRefused},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			i := f.withSecret(t, oldSignature)
			if tc.prepare != nil {
				tc.prepare(t, f, i)
			}
			r := audittest.Request{
				Method: http.MethodPut, Path: "/oauth/v1/client/device-name", Body: tc.body, ContentType: "application/json",
				Header: headers("1", tc.change...), Basic: basic(i),
			}
			if tc.basic != nil {
				r.Basic = tc.basic(i)
			}
			if tc.kind != "" {
				r.ContentType = tc.kind
			}
			f.want(t, f.do(t, r), tc.status, tc.want, tc.audit...)
			want := tc.stored
			if want == "" {
				want = "Pixel 8"
			}
			if got := f.stored(t, i.id).DeviceName; got != want {
				t.Errorf("stored %q, want %q", got, want)
			}
		})
	}
}

func TestRenameWithKey(t *testing.T) {
	f := newFixture(t)
	i := f.withKey(t)
	got := f.do(t, audittest.Request{
		Method: http.MethodPut, Path: "/oauth/v1/client/device-name", Header: headers("2"),
		JSON: object("device_name", "mine", "client_assertion_type", assertionType, "client_assertion", f.assertion(t, i)),
	})
	f.want(t, got, 204, "", audit.MobileClientDeviceNameUpdated)
	if name := f.stored(t, i.id).DeviceName; name != "mine" {
		t.Errorf("stored %q", name)
	}
}

func TestGeneratedNames(t *testing.T) {
	f := newFixture(t)
	android := f.stored(t, f.withSecret(t, oldSignature, "X-Device-Model", "-").id)
	ios := f.stored(t, f.withSecret(t, newSignature, "X-Device-Model", "-", "X-App-Platform", "ios").id)
	if android.DeviceName != "Android device" || ios.DeviceName != "iOS device" {
		t.Errorf("%q and %q", android.DeviceName, ios.DeviceName)
	}
}
