package pushauth_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/pushauth"
	"tokenserver/store"
)

// end ends a transaction as the answer of a phone would.
func (b *portalBench) end(t *testing.T, tx store.Transaction, how pushauth.Ending) error {
	t.Helper()
	return b.Store.InTx(b.Context(t), func(ctx context.Context) error { return b.portal.Endings.End(ctx, tx, how) })
}

func (b *portalBench) fetch(t *testing.T, tx store.Transaction) {
	t.Helper()
	if _, err := b.Redis.FetchTransaction(t.Context(), tx.ID, "proof", "c1", "reply"); err != nil {
		t.Fatal(err)
	}
}

func TestResult(t *testing.T) {
	const (
		open    = `{"callback_uri":"https://portal.example.org/ma/cb","transaction_id":"TX","timestamp":MS,"user_id":"u-1","is_authenticated":false`
		unknown = "Failed to fetch authentication message"
	)
	off := false
	signed := &pushauth.Signed{Signature: "MEUC", SignedData: "dHM=", UserPublicKey: "-----BEGIN", Verified: true}
	vendors := startVendors(t)
	for _, tc := range []struct {
		name   string
		do     func(*testing.T, *portalBench, store.Transaction)
		id     string // in place of the transaction's
		caller string
		status int
		want   string
		audit  audit.Code
		detail string
	}{
		{name: "not fetched", status: 200, want: open + `}`, audit: audit.PushAuthTransactionRetrieved},
		{
			name: "fetched", do: func(t *testing.T, b *portalBench, tx store.Transaction) { b.fetch(t, tx) },
			status: 200, want: open + `}`, audit: audit.PushAuthTransactionRetrieved,
		},
		{name: "wrong PIN, tries left", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
			b.fetch(t, tx)
			if err := b.Redis.NewChallenge(t.Context(), tx.ID, "c1", "c2", store.TransactionChange{PINAttempts: 1}); err != nil {
				t.Fatal(err)
			}
		}, status: 200, want: open + `,"used_authentication_attempts":1}`, audit: audit.PushAuthTransactionRetrieved},
		{
			name: "accepted with PIN", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
				b.must(t, b.end(t, tx, pushauth.Ending{State: store.Authenticated, Method: store.PushWithPIN, PINAttempts: 2, AnswerHash: []byte("h")}))
			}, status: 200, audit: audit.PushAuthTransactionRetrieved, detail: `"is_authenticated":true`,
			want: strings.Replace(open, "false", "true", 1) + `,"authentication_method":"push_with_pin","used_authentication_attempts":2}`,
		},
		{
			name: "accepted with signature", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
				b.must(t, b.end(t, tx, pushauth.Ending{State: store.Authenticated, Signed: signed}))
			}, status: 200, audit: audit.PushAuthTransactionRetrieved,
			want: strings.Replace(open, "false", "true", 1) + `,"authentication_method":"push_with_pin","signature":"MEUC","signed_data":"dHM=","user_public_key":"-----BEGIN","signature_verified":true}`,
		},
		{
			name: "denied", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
				b.must(t, b.end(t, tx, pushauth.Ending{State: store.Rejected, Reason: store.NotAccepted}))
			}, status: 200, audit: audit.PushAuthTransactionRetrieved,
			want: open + `,"authentication_method":"push_with_pin","not_authenticated_reason":{"reason":"not_accepted","description":"User rejected push"}}`,
		},
		{
			name: "invalid answer", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
				b.must(t, b.end(t, tx, pushauth.Ending{State: store.Failed, Reason: store.InvalidAnswer, Method: store.PushWithPIN, PINAttempts: 3}))
			}, status: 200, audit: audit.PushAuthTransactionRetrieved,
			want: open + `,"authentication_method":"push_with_pin","used_authentication_attempts":3,"not_authenticated_reason":{"reason":"invalid_answer","description":"Invalid push answer"}}`,
		},
		{
			name: "enrollment removed", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
				b.must(t, b.portal.Endings.Fail(b.Context(t), tx, store.InvalidRequest))
			}, status: 200, audit: audit.PushAuthTransactionRetrieved,
			want: open + `,"not_authenticated_reason":{"reason":"invalid_request","description":"Invalid push authentication request"}}`,
		},
		{
			name: "decided, then expired", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
				b.must(t, b.end(t, tx, pushauth.Ending{State: store.Authenticated}))
				b.Clock.Advance(time.Hour)
			}, status: 200, audit: audit.PushAuthTransactionRetrieved,
			want: strings.Replace(open, "false", "true", 1) + `,"authentication_method":"push_with_pin"}`,
		},
		{
			name: "decided, and Redis forgot", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
				b.must(t, b.end(t, tx, pushauth.Ending{State: store.Authenticated}))
				b.RedisServer.FlushAll()
			}, status: 200, audit: audit.PushAuthTransactionRetrieved,
			want: strings.Replace(open, "false", "true", 1) + `,"authentication_method":"push_with_pin"}`,
		},

		{
			name: "expired", do: func(_ *testing.T, b *portalBench, _ store.Transaction) { b.Clock.Advance(5 * time.Minute) },
			status: 404, want: failureBody("1006", unknown, "not_found"), audit: audit.PushAuthTransactionNotRetrieved, detail: `"reason":"expired"`,
		},
		{
			name: "unknown", id: "0f7e6d5c-4b3a-4291-8807-f6e5d4c3b2a1",
			status: 404, want: failureBody("1006", unknown, "not_found"), audit: audit.PushAuthTransactionNotRetrieved, detail: `"reason":"unknown"`,
		},
		{
			name: "no id", id: "x%2fy",
			status: 404, want: failureBody("1006", unknown, "not_found"), audit: audit.PushAuthTransactionNotRetrieved, detail: `"reason":"malformed"`,
		},
		{
			name: "of another API client", caller: "other",
			status: 404, want: failureBody("1006", unknown, "not_found"), audit: audit.PushAuthTransactionNotRetrieved, detail: `"reason":"foreign"`,
		},
		{name: "decided, of another API client", caller: "other", do: func(t *testing.T, b *portalBench, tx store.Transaction) {
			b.must(t, b.end(t, tx, pushauth.Ending{State: store.Authenticated}))
		}, status: 404, want: failureBody("1006", unknown, "not_found"), audit: audit.PushAuthTransactionNotRetrieved, detail: `"reason":"foreign"`},
		{name: "mobile authentication off", do: func(_ *testing.T, b *portalBench, _ store.Transaction) {
			b.change(func(d *settings.Document) { d.Features.MobileAuthentication = &off })
		}, status: 404, want: failureBody("1000", "Mobile authentication is disabled", "not_found"), audit: audit.PushAuthTransactionNotRetrieved, detail: `"reason":"disabled"`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newPortalBenchWith(t, vendors)
			tx := b.begin(t, "type", "pay_pin")
			if tc.do != nil {
				tc.do(t, b, tx)
			}
			id, caller := tx.ID, "portal"
			if tc.id != "" {
				id = tc.id
			}
			if tc.caller != "" {
				caller = tc.caller
			}
			for range 2 { // reading does not consume
				answer := b.call(t, audittest.Request{Method: http.MethodGet, Path: "transaction/" + id, Basic: []string{caller, "x"}})
				want := strings.ReplaceAll(strings.ReplaceAll(tc.want, "TX", id), "MS", strconv.FormatInt(tx.CreatedAt.UnixMilli(), 10))
				if answer.Status != tc.status || answer.Body != want {
					t.Errorf("%d %s, want %d %s", answer.Status, answer.Body, tc.status, want)
				}
				events := b.Events(t)
				if len(events) != 2 || events[0].Code != audit.APIAccessGranted || events[1].Code != tc.audit ||
					!strings.Contains(events[1].Details, tc.detail) {
					t.Errorf("events %+v, want %s with %s", events, tc.audit, tc.detail)
				}
			}
		})
	}
}

func (b *portalBench) must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEndingIsDecidedOnce(t *testing.T) {
	b := newPortalBench(t)
	tx := b.begin(t)
	b.fetch(t, tx)
	b.must(t, b.end(t, tx, pushauth.Ending{State: store.Rejected, Reason: store.NotAccepted}))
	if err := b.end(t, tx, pushauth.Ending{State: store.Authenticated}); !errors.Is(err, store.ErrConflict) {
		t.Errorf("second decision: %v", err)
	}
	b.must(t, b.portal.Endings.Fail(b.Context(t), tx, store.InvalidRequest)) // too late, and no fault
	if got := b.transaction(t, tx.ID); got.State != store.Rejected {
		t.Errorf("state %s", got.State)
	}
	if n, err := b.runner.Drain(t.Context()); n != 1 || err != nil {
		t.Errorf("%d callbacks, %v", n, err)
	}
}

// TestSharedTransactions: only where an operator wants it.
func TestSharedTransactions(t *testing.T) {
	b := newPortalBench(t)
	b.portal.Limits.Shared = true
	tx := b.begin(t)
	other := []string{"other", "x"}
	answer := b.call(t, audittest.Request{Method: http.MethodGet, Path: "transaction/" + tx.ID, Basic: other})
	if answer.Status != http.StatusOK {
		t.Errorf("open: %d %s", answer.Status, answer.Body)
	}
	answer = b.call(t, audittest.Request{Path: "user/u-1/push/resend", Form: url.Values{"transaction_id": {tx.ID}}, Basic: other})
	if answer.Status != http.StatusNoContent {
		t.Errorf("resend: %d %s", answer.Status, answer.Body)
	}
	b.must(t, b.portal.Endings.Fail(b.Context(t), tx, store.InvalidRequest))
	answer = b.call(t, audittest.Request{Method: http.MethodGet, Path: "transaction/" + tx.ID, Basic: other})
	if answer.Status != http.StatusOK {
		t.Errorf("decided: %d %s", answer.Status, answer.Body)
	}
}
