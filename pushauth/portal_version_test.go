package pushauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/pushauth"
	"tokenserver/store"
)

// secondApplication lets the user u-1 enroll the app "marina" on the iPhone instead of "harbour".
func (b *portalBench) secondApplication(t *testing.T) {
	t.Helper()
	b.doc.Applications = append(slices.Clone(b.doc.Applications), settings.Application{
		ID: "marina", Name: "Marina", Versions: []settings.AppVersion{
			{Platform: "ios", Version: "3.0", PushConfiguration: "apple", BundleIdentifier: topic},
		},
	})
	b.Settings.Set(b.doc)
	const client = "CCCC000000000000000000000000000000000000000000000000000000000003"
	now := b.Now()
	b.must(t, b.Store.AddInstallation(t.Context(), store.Installation{
		ClientID: client, RegistrationID: "r-marina", Application: "marina", Platform: "ios", Version: "3.0",
		APIVersion: 2, KeyID: "k-marina", PublicJWK: []byte("{}"), CreatedAt: now, LastSeen: now,
	}))
	b.must(t, b.Store.AddProfile(t.Context(), store.Profile{ClientID: client, ProfileID: "MARINA", UserID: "u-1", CreatedAt: now}))
	e := store.Enrollment{
		ID: "6d2e8a2a-8a8d-4c77-9e65-2f8c7c319a43", ClientID: client, UserID: "u-1", ProfileID: "MARINA",
		Application: "marina", Platform: "ios", SigningKey: []byte("{}"), PushState: store.PushActive,
		DeviceName: "Kim's iPad", CreatedAt: now, UpdatedAt: now,
	}
	e.PushToken = b.Keys.Seal([]byte(iphoneToken), e.PushTokenPlace())
	e.PushTokenHash = []byte("h")
	b.must(t, b.Store.AddEnrollment(t.Context(), e))
}

func TestOlderVersions(t *testing.T) {
	const invalid = "A request parameter is invalid or missing"
	granted := []audit.Code{audit.APIAccessGranted}
	form := loginForm("device_id", "", "language_code", "nl", "message", "")
	with := func(name, value string) url.Values {
		changed := url.Values{name: {value}}
		for k, v := range form {
			if k != name {
				changed[k] = v
			}
		}
		return changed
	}
	vendors := startVendors(t)
	for _, tc := range []struct {
		name    string
		version string
		request audittest.Request
		several bool // the user has enrollments on two applications
		status  int
		want    string
		audit   []audit.Code
		message string // of the transaction
	}{
		{
			name: "v3 narrow", version: "v3", request: audittest.Request{Method: http.MethodGet, Path: "user/u-1/application/harbour/enabled"},
			status: 200, want: `{"enabled":["login","pay_pin"]}`, audit: granted,
		},
		{
			name: "v3 narrow, other application", version: "v3", several: true,
			request: audittest.Request{Method: http.MethodGet, Path: "user/u-1/application/marina/enabled"},
			status:  200, want: `{"enabled":["login"]}`, audit: granted,
		},
		{
			name: "v3 wide", version: "v3", several: true, request: audittest.Request{Method: http.MethodGet, Path: "user/u-1/enabled"},
			status: 200, audit: granted,
			want: `{"enabled":[{"type":"login","method":"PUSH","sms_fallback_allowed":false,"apps_enrolled_for_push":[{"id":"harbour","name":"Harbour Bank"},{"id":"marina","name":"Marina"}]},` +
				`{"type":"pay_pin","method":"PUSH_WITH_PIN","sms_fallback_allowed":false,"apps_enrolled_for_push":[{"id":"harbour","name":"Harbour Bank"}]}]}`,
		},
		{
			name: "v3 start", version: "v3", request: audittest.Request{Path: "user", Form: with("app_id", "harbour")}, several: true,
			status: 200, audit: []audit.Code{audit.APIAccessGranted, audit.PushAuthInitialized}, message: "Inloggen?",
			want: `{"transaction_id":"TX","auth_method":"push","time_to_live":120000,"device":{"name":"Kim's iPhone","platform":"ios"}}`,
		},
		{
			name: "v3 start without application", version: "v3", request: audittest.Request{Path: "user", Form: form},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: []audit.Code{audit.APIAccessGranted, audit.PushAuthInitFailureInvalidReq},
		},
		{
			name: "v3 start on an application without enrollment", version: "v3", request: audittest.Request{Path: "user", Form: with("app_id", "marina")},
			status: 404, want: failureBody("1001", "No authentication possibilities for user, or user not found", "not_found"),
			audit: []audit.Code{audit.APIAccessGranted, audit.PushAuthInitFailureNoAppInstance},
		},
		{
			name: "v2 narrow", version: "v2", request: audittest.Request{Method: http.MethodGet, Path: "user/u-1/enabled/pay_pin"},
			status: 200, want: `{"enabled":true}`, audit: granted,
		},
		{
			name: "v2 narrow, unknown type", version: "v2", request: audittest.Request{Method: http.MethodGet, Path: "user/u-1/enabled/x"},
			status: 200, want: `{"enabled":false}`, audit: granted,
		},
		{
			name: "v2 narrow, unknown user", version: "v2", request: audittest.Request{Method: http.MethodGet, Path: "user/u-9/enabled/login"},
			status: 200, want: `{"enabled":false}`, audit: granted,
		},
		{
			name: "v2 wide", version: "v2", request: audittest.Request{Method: http.MethodGet, Path: "user/u-1/enabled"},
			status: 200, want: `{"enabled":["login","pay_pin"]}`, audit: granted,
		},
		{
			name: "v2 start", version: "v2", request: audittest.Request{Path: "user", Form: with("app_id", "unknown")},
			status: 200, audit: []audit.Code{audit.APIAccessGranted, audit.PushAuthInitialized}, message: "Sign in?",
			want: `{"transaction_id":"TX","auth_method":"push","time_to_live":120000}`,
		},
		{
			name: "v2 start, several applications", version: "v2", request: audittest.Request{Path: "user", Form: form}, several: true,
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: []audit.Code{audit.APIAccessGranted, audit.PushAuthInitFailureInvalidReq},
		},
		{
			name: "v1 is gone", version: "v1", request: audittest.Request{Path: "user", Form: form},
			status: 404, want: `{"error":"not_found","error_description":"there is nothing at this address"}`, audit: nil,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newPortalBenchWith(t, vendors)
			if tc.several {
				b.secondApplication(t)
			}
			answer := b.callVersion(t, tc.version, tc.request)
			if tc.message != "" {
				id := idIn(t, answer.Body)
				tc.want = strings.ReplaceAll(tc.want, "TX", id)
				if tx := b.transaction(t, id); tx.Message != tc.message || "v"+string(rune('0'+tx.APIVersion)) != tc.version {
					t.Errorf("transaction %+v, want message %s", tx, tc.message)
				}
			}
			if answer.Status != tc.status || answer.Body != tc.want {
				t.Errorf("%d %s, want %d %s", answer.Status, answer.Body, tc.status, tc.want)
			}
			if codes := b.Codes(t); tc.audit != nil && !slices.Equal(codes, tc.audit) {
				t.Errorf("codes %v, want %v", codes, tc.audit)
			}
		})
	}
}

// TestOlderVersionsAreClosedForSeveralDevices: they could not say which device is meant.
func TestOlderVersionsAreClosedForSeveralDevices(t *testing.T) {
	b := newPortalBench(t)
	b.change(func(d *settings.Document) { d.MobileAuthentication.PushEnrollmentMode = settings.MultipleDevices })
	tx := b.begin(t)
	for _, version := range []string{"v2", "v3"} {
		for _, request := range []audittest.Request{
			{Path: "user", Form: loginForm("type", "")},
			{Path: "user/u-1/push/resend", Form: url.Values{}},
			{Method: http.MethodGet, Path: "user/u-1/enabled"},
			{Method: http.MethodGet, Path: "transaction/" + tx.ID},
		} {
			answer := b.callVersion(t, version, request)
			want := failureBody("4001", "Server configuration demands API version 4 or above", "not_found")
			if answer.Status != http.StatusNotFound || answer.Body != want {
				t.Errorf("%s %s: %d %s, want %s", version, request.Path, answer.Status, answer.Body, want)
			}
			b.wantCodes(t, audit.APIAccessGranted, audit.APIVersionNotAllowed)
		}
	}
	if answer := b.call(t, audittest.Request{Method: http.MethodGet, Path: "transaction/" + tx.ID}); answer.Status != http.StatusOK {
		t.Errorf("v4: %d %s", answer.Status, answer.Body)
	}
}

// TestResultOfVersion2 has the key under both of its names.
func TestResultOfVersion2(t *testing.T) {
	b := newPortalBench(t)
	tx := b.begin(t, "type", "pay_pin", "signing_data", "x")
	b.must(t, b.end(t, tx, pushauth.Ending{
		State: store.Authenticated, Signed: &pushauth.Signed{Signature: "S", SignedData: "D", UserPublicKey: "K", Verified: true},
	}))
	answer := b.callVersion(t, "v2", audittest.Request{Method: http.MethodGet, Path: "transaction/" + tx.ID})
	want := `"signature":"S","signed_data":"D","user_public_key":"K","signature_verified":true,"public_key":"K"}`
	if !strings.HasSuffix(answer.Body, want) {
		t.Errorf("%s, want %s", answer.Body, want)
	}
}
