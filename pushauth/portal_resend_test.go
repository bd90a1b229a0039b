package pushauth_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/pushauth"
	"tokenserver/store"
)

func TestResend(t *testing.T) {
	const (
		badID    = "Invalid transaction id"
		nobody   = "No authentication possibilities for user, or user not found"
		provider = "Authentication provider failed"
		invalid  = "A request parameter is invalid or missing"
	)
	off := false
	unknown := "0f7e6d5c-4b3a-4291-8807-f6e5d4c3b2a1"
	vendors := startVendors(t)
	for _, tc := range []struct {
		name    string
		do      func(*testing.T, *portalBench, store.Transaction)
		user    string
		caller  string
		form    url.Values
		status  int
		want    string
		audit   audit.Code
		detail  string
		state   store.State // afterwards
		resends int         // counted afterwards
	}{
		{name: "sent again", status: 204, audit: audit.PushAuthResendSuccess, detail: `"attempts":1,"max":1`, state: store.Pending, resends: 1},
		{
			name: "no transaction", form: url.Values{"x": {"y"}}, status: 400, want: failureBody("1003", invalid, "invalid_request"),
			audit: audit.PushAuthResendFailure, detail: `"reason":"invalid_request"`, state: store.Pending,
		},
		{
			name: "repeated parameter", form: url.Values{"transaction_id": {"a", "b"}}, status: 400, want: failureBody("1003", invalid, "invalid_request"),
			audit: audit.PushAuthResendFailure, detail: `"reason":"invalid_request"`, state: store.Pending,
		},
		{
			name: "unknown transaction", form: url.Values{"transaction_id": {unknown}}, status: 404, want: failureBody("3004", badID, "not_found"),
			audit: audit.PushAuthResendFailure, detail: `"reason":"unknown"`, state: store.Pending,
		},
		{
			name: "of another API client", caller: "other", status: 404, want: failureBody("3004", badID, "not_found"),
			audit: audit.PushAuthResendFailure, detail: `"reason":"foreign"`, state: store.Pending,
		},
		{
			name: "fetched", do: func(t *testing.T, b *portalBench, tx store.Transaction) { b.fetch(t, tx) },
			status: 404, want: failureBody("3004", badID, "not_found"), audit: audit.PushAuthResendFailure,
			detail: `"reason":"not_open","stage":"FETCHED"`, state: store.Fetched,
		},
		{name: "finished", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
			b.must(t, b.end(t, tx, pushauth.Ending{State: store.Failed, Reason: store.InvalidRequest}))
		}, status: 404, want: failureBody("3004", badID, "not_found"), audit: audit.PushAuthResendFailure, detail: `"stage":"FAILED"`, state: store.Failed},
		{
			name: "expired", do: func(_ *testing.T, b *portalBench, _ store.Transaction) { b.Clock.Advance(2 * time.Minute) },
			status: 404, want: failureBody("3004", badID, "not_found"), audit: audit.PushAuthResendFailure, detail: `"stage":"EXPIRED"`, state: store.Expired,
		},
		{
			name: "another user", user: "u-2", status: 404, want: failureBody("3005", "Invalid user id", "not_found"),
			audit: audit.PushAuthResendFailure, detail: `"reason":"user_mismatch"`, state: store.Pending,
		},
		{
			name: "limit reached", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
				b.resend(t, "u-1", tx.ID)
				b.wantCodes(t, audit.APIAccessGranted, audit.PushAuthResendSuccess)
			}, status: 403, want: failureBody("3006", "Resend limit reached", "forbidden"),
			audit: audit.PushAuthResendFailureResendLimitReached, detail: `"max":1`, state: store.Pending, resends: 1,
		},
		{name: "enrollment gone", do: func(t *testing.T, b *portalBench, _ store.Transaction) {
			b.must(t, b.Store.DeleteEnrollment(t.Context(), pixelEnrollment))
		}, status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthResendFailureNoAppInstance, state: store.Failed, resends: 1},
		{
			name: "push token dead", do: func(t *testing.T, b *portalBench, _ store.Transaction) { b.markStale(t) },
			status: 404, want: failureBody("1001", nobody, "not_found"), audit: audit.PushAuthResendFailureNoAppInstance, state: store.Failed, resends: 1,
		},
		{
			name: "push service refuses", do: func(_ *testing.T, b *portalBench, _ store.Transaction) { b.fcm.FailNext(1, 400, "INVALID_ARGUMENT") },
			status: 503, want: failureBody("1002", provider, "service_unavailable"), audit: audit.PushAuthResendFailure,
			detail: `"provider":"fcm","provider_status":400,"provider_reason":"INVALID_ARGUMENT"`, state: store.Pending,
		},
		{
			name: "app removed", do: func(_ *testing.T, b *portalBench, _ store.Transaction) { b.fcm.Unregister(pixelToken) },
			status: 503, want: failureBody("1002", provider, "service_unavailable"), audit: audit.PushAuthResendFailure,
			detail: `"provider_reason":"UNREGISTERED"`, state: store.Pending,
		},
		{
			name: "mobile authentication off", do: func(_ *testing.T, b *portalBench, _ store.Transaction) {
				b.change(func(d *settings.Document) { d.Features.MobileAuthentication = &off })
			}, status: 404, want: failureBody("1000", "Mobile authentication is disabled", "not_found"),
			audit: audit.PushAuthResendFailure, detail: `"reason":"disabled"`, state: store.Pending,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newPortalBenchWith(t, vendors)
			tx := b.begin(t)
			if tc.do != nil {
				tc.do(t, b, tx)
			}
			form, user, caller := tc.form, "u-1", "portal"
			if form == nil {
				form = url.Values{"transaction_id": {tx.ID}}
			}
			if tc.user != "" {
				user = tc.user
			}
			if tc.caller != "" {
				caller = tc.caller
			}
			answer := b.call(t, audittest.Request{Path: "user/" + user + "/push/resend", Form: form, Basic: []string{caller, "x"}})
			if answer.Status != tc.status || answer.Body != tc.want {
				t.Errorf("%d %s, want %d %s", answer.Status, answer.Body, tc.status, tc.want)
			}
			events := b.Events(t)
			if len(events) != 2 || events[0].Code != audit.APIAccessGranted || events[1].Code != tc.audit ||
				!strings.Contains(events[1].Details, tc.detail) {
				t.Errorf("events %+v, want %s with %s", events, tc.audit, tc.detail)
			}
			got := b.transaction(t, tx.ID)
			if got.State != tc.state || got.Resends != tc.resends {
				t.Errorf("then %s with %d resends, want %s with %d", got.State, got.Resends, tc.state, tc.resends)
			}
		})
	}
}

func (b *portalBench) resend(t *testing.T, userID, id string) audittest.Answer {
	t.Helper()
	return b.call(t, audittest.Request{Path: "user/" + userID + "/push/resend", Form: url.Values{"transaction_id": {id}}})
}

// TestResendIsTheSamePush: one notification on the phone, not two.
func TestResendIsTheSamePush(t *testing.T) {
	b := newPortalBench(t)
	tx := b.begin(t, "device_id", iphone)
	b.Clock.Advance(20 * time.Second)
	if answer := b.resend(t, "u-1", tx.ID); answer.Status != http.StatusNoContent {
		t.Fatalf("%d %s", answer.Status, answer.Body)
	}
	pushes := b.apns.Pushes()
	if len(pushes) != 2 || pushes[0].CollapseID != tx.ID || pushes[1].CollapseID != tx.ID ||
		!pushes[1].Expiration.Equal(pushes[0].Expiration) || !strings.Contains(string(pushes[1].Payload), `"og_time_to_live":100}`) {
		t.Errorf("pushes %+v", pushes)
	}
}

// TestResendWithNobodyLeftIsTold: the portal learns that the transaction has failed.
func TestResendWithNobodyLeftIsTold(t *testing.T) {
	b := newPortalBench(t)
	tx := b.begin(t, "callback_uri", callback)
	b.markStale(t)
	b.resend(t, "u-1", tx.ID)
	b.wantCodes(t, audit.APIAccessGranted, audit.PushAuthResendFailureNoAppInstance)
	answer := b.call(t, audittest.Request{Method: http.MethodGet, Path: "transaction/" + tx.ID})
	if !strings.Contains(answer.Body, `"not_authenticated_reason":{"reason":"failed_to_send","description":"Push message failed to be sent"}`) {
		t.Errorf("result %s", answer.Body)
	}
	jobs, err := b.Store.ClaimJobs(t.Context(), pushauth.CallbackJob, b.Now(), time.Minute, 10)
	if err != nil || len(jobs) != 1 || !slices.Contains(strings.Split(string(jobs[0].Payload), `"`), tx.ID) {
		t.Errorf("jobs %+v, %v", jobs, err)
	}
}
