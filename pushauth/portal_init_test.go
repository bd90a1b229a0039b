package pushauth_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/internal/standin"
	"tokenserver/store"
)

func TestInitialize(t *testing.T) {
	off := false
	const (
		invalid  = "A request parameter is invalid or missing"
		nobody   = "No authentication possibilities for user, or user not found"
		disabled = "Mobile authentication is disabled"
		provider = "Authentication provider failed"
	)
	long := func(n int) string { return strings.Repeat("é", n) }
	vendors := startVendors(t)
	for _, tc := range []struct {
		name   string
		form   []string // pairs, see loginForm
		raw    string   // in place of the form
		kind   string   // content type of raw
		change func(*settings.Document)
		before func(*testing.T, *portalBench)
		status int
		want   string // body, TX stands for the transaction
		audit  audit.Code
		detail string // part of the details of the last event
	}{
		{
			name: "push", status: 200, audit: audit.PushAuthInitialized,
			want:   `{"transaction_id":"TX","auth_method":"push","time_to_live":120000,"device":{"name":"Kim's Pixel","platform":"android"}}`,
			detail: `"type":"login","api_version":4,"method":"PUSH","transaction_id":"TX","provider":"fcm","provider_status":200`,
		},
		{
			name: "push to the other device", form: []string{"device_id", iphone}, status: 200, audit: audit.PushAuthInitialized,
			want: `{"transaction_id":"TX","auth_method":"push","time_to_live":120000,"device":{"name":"Kim's iPhone","platform":"ios"}}`,
		},
		{
			name: "push with PIN", form: []string{"type", "pay_pin"}, status: 200, audit: audit.PushAuthInitialized,
			want: `{"transaction_id":"TX","auth_method":"push","time_to_live":300000,"device":{"name":"Kim's Pixel","platform":"android"}}`,
		},
		{
			name: "default message", form: []string{"message", ""}, status: 200, audit: audit.PushAuthInitialized,
			want: `{"transaction_id":"TX","auth_method":"push","time_to_live":120000,"device":{"name":"Kim's Pixel","platform":"android"}}`,
		},
		{
			name: "message just fits", form: []string{"message", long(155), "secure_message", long(4096)}, status: 200, audit: audit.PushAuthInitialized,
			want: `{"transaction_id":"TX","auth_method":"push","time_to_live":120000,"device":{"name":"Kim's Pixel","platform":"android"}}`,
		},
		{
			name: "unknown parameter", form: []string{"colour", "red", "app_id", "x"}, status: 200, audit: audit.PushAuthInitialized,
			want: `{"transaction_id":"TX","auth_method":"push","time_to_live":120000,"device":{"name":"Kim's Pixel","platform":"android"}}`,
		},

		{
			name: "mobile authentication off", change: func(d *settings.Document) { d.Features.MobileAuthentication = &off },
			status: 404, want: failureBody("1000", disabled, "not_found"), audit: audit.PushAuthInitFailureDisabled, detail: `"reason":"disabled"`,
		},
		{
			name: "not a form", raw: `{"type":"login"}`, kind: "application/json",
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq,
		},
		{
			name: "repeated parameter", raw: "type=login&user_id=a&user_id=b", kind: "application/x-www-form-urlencoded",
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq,
		},
		{
			name: "no type", form: []string{"type", ""},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"parameter":"type"`,
		},
		{
			name: "unknown type", form: []string{"type", "Login"},
			status: 404, want: failureBody("4000", "Authentication type not found", "not_found"), audit: audit.AuthInitFailureInvalidAuthPropertiesName,
		},
		{
			name: "type before user", form: []string{"type", "Login", "user_id", ""},
			status: 404, want: failureBody("4000", "Authentication type not found", "not_found"), audit: audit.AuthInitFailureInvalidAuthPropertiesName,
		},
		{
			name: "no user", form: []string{"user_id", ""},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"parameter":"user_id"`,
		},
		{
			name: "no device", form: []string{"device_id", ""},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"parameter":"device_id"`,
		},
		{
			name: "no callback", form: []string{"callback_uri", ""},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"reason":"missing","parameter":"callback_uri"`,
		},
		{
			name: "callback not listed", form: []string{"callback_uri", callback + "/"},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"reason":"callback_not_allowed"`,
		},
		{
			name: "callback in other letters", form: []string{"callback_uri", strings.Replace(callback, "portal", "Portal", 1)},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"reason":"callback_not_allowed"`,
		},
		{
			name: "callback not listed, list off", form: []string{"callback_uri", callback + "/"},
			change: func(d *settings.Document) { d.MobileAuthentication.PreconfiguredCallbacksOnly = &off },
			status: 200, want: `{"transaction_id":"TX","auth_method":"push","time_to_live":120000,"device":{"name":"Kim's Pixel","platform":"android"}}`, audit: audit.PushAuthInitialized,
		},
		{
			name: "callback relative", form: []string{"callback_uri", "/cb"},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"reason":"malformed"`,
		},
		{
			name: "callback with fragment", form: []string{"callback_uri", callback + "#x"},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"reason":"malformed"`,
		},
		{
			name: "callback too long", form: []string{"callback_uri", callback + strings.Repeat("x", 2048)},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"reason":"too_long"`,
		},
		{
			name: "callback without TLS", form: []string{"callback_uri", "http://portal.example.org/ma/cb"},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"reason":"scheme"`,
		},
		{
			name: "no message and no default", form: []string{"type", "pay_pin", "message", ""},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"parameter":"message"`,
		},
		{
			name: "message not UTF-8", form: []string{"message", "\xff"},
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `{}`,
		},
		{
			name: "message too long", form: []string{"message", long(156)},
			status: 400, want: failureBody("1005", "Message content too long", "invalid_request"), audit: audit.PushAuthInitFailureMessageTooLong, detail: `"parameter":"message","length":156,"max":155`,
		},
		{
			name: "secure message too long", form: []string{"secure_message", long(4097)},
			status: 400, want: failureBody("1005", "Message content too long", "invalid_request"), audit: audit.PushAuthInitFailureMessageTooLong, detail: `"parameter":"secure_message"`,
		},
		{
			name: "signing data too long", form: []string{"signing_data", long(4097)},
			status: 400, want: failureBody("1005", "Message content too long", "invalid_request"), audit: audit.PushAuthInitFailureMessageTooLong, detail: `"parameter":"signing_data"`,
		},

		{
			name: "push off", change: func(d *settings.Document) { d.MobileAuthentication.PushAuthenticationEnabled = &off },
			status: 404, want: failureBody("1000", disabled, "not_found"), audit: audit.PushAuthInitFailureDisabled,
		},
		{
			name: "unknown user", form: []string{"user_id", "u-9"},
			status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthInitFailureNoAppInstance,
		},
		{
			name: "device of somebody else", form: []string{"user_id", "u-2", "device_id", iphone},
			status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthInitFailureNoAppInstance,
		},
		{
			name: "push token dead", before: func(t *testing.T, b *portalBench) { b.markStale(t) },
			status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthInitFailureNoAppInstance, detail: `"push":"stale"`,
		},
		{
			name: "version disabled", change: func(d *settings.Document) { d.Applications[0].Versions[0].Status = settings.VersionDisabled },
			status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthInitFailureNoAppInstance,
		},
		{
			name: "version removed", change: func(d *settings.Document) { d.Applications[0].Versions = d.Applications[0].Versions[1:] },
			status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthInitFailureNoAppInstance,
		},
		{
			name: "no refresh token", form: []string{"type", "pay_pin", "device_id", iphone},
			status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthInitFailureAuthMethodNotAvailable,
		},
		{
			name: "PIN off", form: []string{"type", "pay_pin"}, change: func(d *settings.Document) { d.Applications[0].PINAuthentication = &off },
			status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthInitFailureAuthMethodNotAvailable,
		},
		{
			name: "method that nothing offers", form: []string{"type", "pay_voice"},
			status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthInitFailureAuthMethodNotAvailable,
		},

		{
			name: "no push configuration", change: func(d *settings.Document) { d.Applications[0].Versions[0].PushConfiguration = "" },
			status: 503, want: failureBody("1002", provider, "service_unavailable"), audit: audit.PushAuthInitFailure, detail: `"reason":"not_configured"`,
		},
		{
			name: "push configuration of the other platform", change: func(d *settings.Document) { d.Applications[0].Versions[0].PushConfiguration = "apple" },
			status: 503, want: failureBody("1002", provider, "service_unavailable"), audit: audit.PushAuthInitFailure, detail: `"reason":"not_configured"`,
		},
		{
			name: "service account unusable", change: func(d *settings.Document) { d.PushConfigurations[1].ServiceAccount = settings.NewSecret("{}") },
			status: 503, want: failureBody("1002", provider, "service_unavailable"), audit: audit.PushAuthInitFailure, detail: `"reason":"not_configured"`,
		},
		{
			name: "FCM refuses", before: func(_ *testing.T, b *portalBench) { b.fcm.FailNext(1, 403, "SENDER_ID_MISMATCH") },
			status: 503, want: failureBody("1002", provider, "service_unavailable"), audit: audit.PushAuthInitFailure,
			detail: `"provider":"fcm","provider_status":403,"provider_reason":"SENDER_ID_MISMATCH"`,
		},
		{
			name: "APNs refuses", form: []string{"device_id", iphone}, before: func(_ *testing.T, b *portalBench) { b.apns.FailNext(1, 403, "InvalidProviderToken") },
			status: 503, want: failureBody("1002", provider, "service_unavailable"), audit: audit.PushAuthInitFailure,
			detail: `"provider":"apns","provider_status":403,"provider_reason":"InvalidProviderToken"`,
		},
		{
			name: "APNs unreachable", form: []string{"device_id", iphone}, change: func(d *settings.Document) { d.Applications[0].Versions[1].APNsDevelopment = true },
			status: 503, want: failureBody("1002", provider, "service_unavailable"), audit: audit.PushAuthInitFailure,
			detail: `"provider":"apns","provider_reason":"unreachable"`,
		},
		{
			name: "APNs works at the third try", form: []string{"device_id", iphone}, before: func(_ *testing.T, b *portalBench) { b.apns.FailNext(2, 503, "ServiceUnavailable") },
			status: 200, want: `{"transaction_id":"TX","auth_method":"push","time_to_live":120000,"device":{"name":"Kim's iPhone","platform":"ios"}}`, audit: audit.PushAuthInitialized,
		},
		{
			name: "APNs fails three times", form: []string{"device_id", iphone}, before: func(_ *testing.T, b *portalBench) { b.apns.FailNext(3, 429, "TooManyRequests") },
			status: 503, want: failureBody("1002", provider, "service_unavailable"), audit: audit.PushAuthInitFailure,
			detail: `"provider":"apns","provider_status":429,"provider_reason":"TooManyRequests"`,
		},
		{
			name: "too many open", before: func(t *testing.T, b *portalBench) { b.fill(t) },
			status: 400, want: failureBody("1003", invalid, "invalid_request"), audit: audit.PushAuthInitFailureInvalidReq, detail: `"reason":"too_many_open"`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newPortalBenchWith(t, vendors)
			if tc.change != nil {
				b.change(tc.change)
			}
			if tc.before != nil {
				tc.before(t, b)
			}
			request := audittest.Request{Path: "user", Form: loginForm(tc.form...)}
			if tc.raw != "" {
				request.Form, request.Body, request.ContentType = nil, tc.raw, tc.kind
			}
			answer := b.call(t, request)
			if tc.status == http.StatusOK {
				tc.want = strings.ReplaceAll(tc.want, "TX", idIn(t, answer.Body))
				tc.detail = strings.ReplaceAll(tc.detail, "TX", idIn(t, answer.Body))
			}
			if answer.Status != tc.status || answer.Body != tc.want {
				t.Errorf("%d %s, want %d %s", answer.Status, answer.Body, tc.status, tc.want)
			}
			if got := answer.Header.Get("Cache-Control"); got != "no-cache, no-store, must-revalidate" {
				t.Errorf("Cache-Control %q", got)
			}
			events := b.Events(t)
			codes := []audit.Code{}
			for _, e := range events {
				codes = append(codes, e.Code)
			}
			if want := []audit.Code{audit.APIAccessGranted, tc.audit}; !slices.Equal(codes, want) {
				t.Fatalf("codes %v, want %v", codes, want)
			}
			if last := events[len(events)-1]; !strings.Contains(last.Details, tc.detail) || last.Agent != "api:portal" {
				t.Errorf("details %s of %s, want %s", last.Details, last.Agent, tc.detail)
			}
			if tc.status != http.StatusOK && tc.name != "too many open" {
				if open, err := b.Redis.CountOpen(t.Context(), pixel); err != nil || open != 0 {
					t.Errorf("%d transactions stay open, %v", open, err)
				}
			}
		})
	}
}

// markStale marks the Pixel's push token as dead.
func (b *portalBench) markStale(t *testing.T) {
	t.Helper()
	e, err := b.Store.Enrollment(t.Context(), pixelEnrollment)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Store.MarkPushStale(t.Context(), e.ID, e.PushTokenHash, b.Now()); err != nil {
		t.Fatal(err)
	}
}

// fill starts as many transactions as one installation may have open.
func (b *portalBench) fill(t *testing.T) {
	t.Helper()
	for range b.portal.Limits.Open {
		b.begin(t)
	}
}

func TestInitializeWritesTheTransaction(t *testing.T) {
	b := newPortalBench(t)
	tx := b.begin(t, "type", "pay_pin", "language_code", "nl", "secure_message", "125 EUR", "signing_data", `{"amount":125}`)
	for _, sealed := range []string{tx.SecureMessage, tx.SigningData} {
		if sealed == "" || strings.Contains(sealed, "125") {
			t.Errorf("a text is not sealed: %q", sealed)
		}
	}
	tx.SecureMessage, tx.SigningData = "", ""
	want := store.Transaction{
		ID: tx.ID, State: store.Pending, Version: 2, Type: "pay_pin", Method: store.PushWithPIN, UserID: "u-1",
		ProfileID: "QW4RTY", ClientID: pixel, Application: "harbour", Platform: "android", EnrollmentID: pixelEnrollment,
		APIClient: "portal", APIVersion: 4, AnswerVersion: 2, CallbackURI: callback, Message: "Sign in to Harbour?",
		Language: "nl", CreatedAt: b.Now(), ExpiresAt: b.Now().Add(300 * time.Second),
	}
	if tx != want {
		t.Errorf("written %+v, want %+v", tx, want)
	}
	for name, change := range map[string]func(*settings.Document){
		"feature off":      func(d *settings.Document) { off := false; d.Features.TransactionSigning = &off },
		"not for the type": func(d *settings.Document) { d.AuthenticationTypes[1].TransactionSigning = false },
	} {
		b.change(change)
		if tx := b.begin(t, "type", "pay_pin", "signing_data", "x"); tx.AnswerVersion != 1 || tx.SigningData != "" {
			t.Errorf("%s: signing is asked for: %+v", name, tx)
		}
	}
}

func TestInitializeChoosesTheMessage(t *testing.T) {
	b := newPortalBench(t)
	for _, tc := range []struct{ message, language, want string }{
		{"", "", "Sign in?"}, {"", "nl", "Inloggen?"}, {"", "fr", "Sign in?"}, {"Now?", "nl", "Now?"},
	} {
		if got := b.begin(t, "message", tc.message, "language_code", tc.language).Message; got != tc.want {
			t.Errorf("message %q in %q: %q, want %q", tc.message, tc.language, got, tc.want)
		}
	}
}

// TestInitializeBadge: iOS gets the number of open transactions of the installation.
func TestInitializeBadge(t *testing.T) {
	b := newPortalBench(t)
	pushes := b.apns.Subscribe()
	for want := 1; want <= 2; want++ {
		b.begin(t, "device_id", iphone)
		if got := payload(t, <-pushes).APS.Badge; got != want {
			t.Errorf("badge %d, want %d", got, want)
		}
	}
	b.change(func(d *settings.Document) { d.Applications[0].Versions[1].SendBadgeNumber = false })
	b.begin(t, "device_id", iphone)
	if push := <-pushes; strings.Contains(string(push.Payload), "badge") {
		t.Errorf("a badge was sent: %s", push.Payload)
	}
}

func payload(t *testing.T, push standin.Push) (p struct {
	APS struct {
		Badge int `json:"badge"`
	} `json:"aps"`
},
) {
	t.Helper()
	if err := json.Unmarshal(push.Payload, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestInitializeMarksDeadTokens: the provider's word that the app is gone is noted, and the next start says so.
func TestInitializeMarksDeadTokens(t *testing.T) {
	b := newPortalBench(t)
	b.fcm.Unregister(pixelToken)
	b.apns.Unregister(iphoneToken)
	for id, device := range map[string]string{pixelEnrollment: pixel, iphoneEnrollment: iphone} {
		answer := b.call(t, audittest.Request{Path: "user", Form: loginForm("device_id", device)})
		if answer.Status != http.StatusServiceUnavailable {
			t.Errorf("%d %s", answer.Status, answer.Body)
		}
		b.wantCodes(t, audit.APIAccessGranted, audit.PushAuthInitFailure)
		if e, err := b.Store.Enrollment(t.Context(), id); err != nil || e.PushState != store.PushStale {
			t.Errorf("push state %s, %v", e.PushState, err)
		}
		b.call(t, audittest.Request{Path: "user", Form: loginForm("device_id", device)})
		b.wantCodes(t, audit.APIAccessGranted, audit.PushAuthInitFailureNoAppInstance)
	}
}

// TestInitializeWithoutRedis: nothing happened, and no code of this family says otherwise.
func TestInitializeWithoutRedis(t *testing.T) {
	b := newPortalBench(t)
	b.RedisServer.Close()
	answer := b.call(t, audittest.Request{Path: "user", Form: loginForm()})
	if answer.Status != http.StatusServiceUnavailable || !strings.Contains(answer.Body, "temporarily_unavailable") {
		t.Errorf("%d %s", answer.Status, answer.Body)
	}
	b.wantCodes(t, audit.APIAccessGranted)
	if n := len(b.fcm.Pushes()); n != 0 {
		t.Errorf("%d pushes", n)
	}
}

// TestInitializeWhenThePortalHangsUp: the transaction is started whole, or not at all.
func TestInitializeWhenThePortalHangsUp(t *testing.T) {
	b := newPortalBench(t)
	ctx, hangUp := context.WithCancel(t.Context())
	hangUp()
	request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/oauth/api/v4/authenticate/user", strings.NewReader(loginForm().Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.SetBasicAuth("portal", "x")
	answer := httptest.NewRecorder()
	b.http.ServeHTTP(answer, request)
	if answer.Code != http.StatusOK || b.transaction(t, idIn(t, answer.Body.String())).State != store.Pending {
		t.Errorf("%d %s", answer.Code, answer.Body)
	}
	b.wantCodes(t, audit.APIAccessGranted, audit.PushAuthInitialized)
}
