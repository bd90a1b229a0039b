package enrollment_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

func TestUpdatePushToken(t *testing.T) {
	const (
		invalid     = `{"error":"invalid_request","error_description":"push tokens are missing, malformed or not current"}`
		noToken     = `{"error":"invalid_token","error_description":"the access token of the installation is missing or not usable"}`
		unsupported = `{"error":"unsupported_platform","error_description":"push tokens of this platform are enrolled again"}`
		taken       = `{"error":"push_token_in_use","error_description":"the new push token belongs to another installation"}`
	)
	old, next := push("android", 0), push("android", 2)
	swap := func(old, next string) string {
		return `{"old_push_token":"` + old + `","new_push_token":"` + next + `"}`
	}
	for _, tc := range []struct {
		name     string
		settings func(*settings.Document)
		bearer   string
		body     string
		status   int
		want     string
		code     audit.Code
		detail   string
	}{
		{
			name: "replaced for all users", bearer: "A", body: swap(old, next), status: 204,
			code: audit.EnrollmentUpdateSuccess, detail: `"enrollments":2`,
		},
		{
			name: "mobile authentication off", settings: func(d *settings.Document) { d.Features.MobileAuthentication = off() },
			bearer: "A", body: swap(old, next), status: 404, want: featureOff, code: audit.EnrollmentFailureDisabled,
		},
		{
			name: "enrollment off", settings: func(d *settings.Document) { d.MobileAuthentication.EnrollmentEnabled = off() },
			bearer: "A", body: swap(old, next), status: 403, want: enrollmentOff, code: audit.EnrollmentFailureDisabled,
		},
		{
			name: "version disabled", settings: func(d *settings.Document) { d.Applications[0].Versions[0].Status = settings.VersionDisabled },
			bearer: "A", body: swap(old, next), status: 403, want: versionOff, code: audit.ClientValidationVersionDisabled,
		},
		{name: "no token", body: swap(old, next), status: 401, want: noToken, code: audit.EnrollmentUpdateFailureInvalidToken},
		{
			name: "expired token", bearer: "expired", body: swap(old, next), status: 401, want: noToken,
			code: audit.EnrollmentUpdateFailureInvalidToken,
		},
		{
			name: "token of a user", bearer: "A/u-1", body: swap(old, next), status: 401, want: noToken,
			code: audit.EnrollmentUpdateFailureInvalidToken, detail: `"reason":"kind"`,
		},
		{
			name: "token of a web client", bearer: "web", body: swap(old, next), status: 401, want: noToken,
			code: audit.EnrollmentUpdateFailureInvalidToken, detail: `"reason":"no_installation"`,
		},
		{
			name: "iOS", bearer: "I", body: swap(push("ios", 0), push("ios", 1)), status: 400, want: unsupported,
			code: audit.EnrollmentUpdateFailureUnsupportedPlatform,
		},
		{
			name: "malformed", bearer: "A", body: `{"old_push_token":1}`, status: 400, want: invalid,
			code: audit.EnrollmentUpdateFailureInvalidReq, detail: `"reason":"body"`,
		},
		{
			name: "no new token", bearer: "A", body: `{"old_push_token":"` + old + `"}`, status: 400, want: invalid,
			code: audit.EnrollmentUpdateFailureInvalidReq, detail: `"reason":"push_token"`,
		},
		{
			name: "new token too short", bearer: "A", body: swap(old, "x"), status: 400, want: invalid,
			code: audit.EnrollmentUpdateFailureInvalidReq, detail: `"reason":"push_token"`,
		},
		{
			name: "old token not current", bearer: "A", body: swap(push("android", 5), next), status: 400, want: invalid,
			code: audit.EnrollmentUpdateFailureInvalidReq, detail: `"reason":"not_current"`,
		},
		{
			name: "old token of another installation", bearer: "A", body: swap(push("android", 1), next), status: 400, want: invalid,
			code: audit.EnrollmentUpdateFailureInvalidReq, detail: `"reason":"not_current"`,
		},
		{
			name: "no push enrollment", bearer: "Z", body: swap(old, next), status: 400, want: invalid,
			code: audit.EnrollmentUpdateFailureInvalidReq, detail: `"reason":"not_current"`,
		},
		{
			name: "new token of another installation", bearer: "A", body: swap(old, push("android", 1)), status: 409, want: taken,
			code: audit.EnrollmentUpdateFailureInvalidReq, detail: `"reason":"existing_push_token"`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t, mode(settings.MultipleDevices))
			f.issue(t, "web", token.Grant{ClientID: "web", Kind: store.ClientToken})
			f.issue(t, "expired", token.Grant{ClientID: id("A"), Kind: store.ClientToken, AccessLife: time.Second})
			f.Clock.Advance(time.Second)
			first := f.enroll(t, "A", "PROF01", old)
			f.enroll(t, "A", "PROF02", old)
			f.enroll(t, "B", "PROF01", push("android", 1))
			before, err := f.Store.Enrollment(t.Context(), first.id)
			must(t, err)
			must(t, f.Store.MarkPushStale(t.Context(), first.id, before.PushTokenHash, f.Now()))
			if tc.settings != nil {
				f.set(tc.settings)
			}
			got := audittest.Do(t, f.handler, audittest.Request{Method: http.MethodPut, Path: pushPath, JSON: tc.body, Bearer: f.tokens[tc.bearer]})
			events := f.Events(t)
			if got.Status != tc.status || got.Body != tc.want || len(events) != 1 || events[0].Code != tc.code ||
				!strings.Contains(events[0].Details, tc.detail) {
				t.Fatalf("got %d %s %+v\nwant %d %s %s %s", got.Status, got.Body, events, tc.status, tc.want, tc.code, tc.detail)
			}
			e, err := f.Store.Enrollment(t.Context(), first.id)
			must(t, err)
			clear, err := f.Keys.Open(e.PushToken, e.PushTokenPlace())
			must(t, err)
			wantToken, wantState := old, store.PushStale
			if tc.status == http.StatusNoContent {
				wantToken, wantState = next, store.PushActive
			}
			if string(clear) != wantToken || e.PushState != wantState {
				t.Errorf("push token %s, %s", clear, e.PushState)
			}
		})
	}
}

func TestUpdateHasOneWinner(t *testing.T) {
	f := newFixture(t)
	f.enroll(t, "A", "PROF01", push("android", 0))
	var group sync.WaitGroup
	start := make(chan struct{})
	for n := range 20 {
		body := `{"old_push_token":"` + push("android", 0) + `","new_push_token":"` + push("android", 1+n) + `"}`
		group.Go(func() {
			<-start
			audittest.Do(t, f.handler, audittest.Request{Method: http.MethodPut, Path: pushPath, JSON: body, Bearer: f.tokens["A"]})
		})
	}
	close(start)
	group.Wait()
	counts := map[audit.Code]int{}
	for _, code := range f.Codes(t) {
		counts[code]++
	}
	if counts[audit.EnrollmentUpdateSuccess] != 1 || counts[audit.EnrollmentUpdateFailureInvalidReq] != 19 {
		t.Errorf("codes %v", counts)
	}
}
