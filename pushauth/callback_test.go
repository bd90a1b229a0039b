package pushauth_test

import (
	"encoding/base64"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/settings"
	"tokenserver/internal/standin"
	"tokenserver/pushauth"
	"tokenserver/store"
)

// ended starts and ends a transaction whose portal is called at that address.
func (b *portalBench) ended(t *testing.T, address string) store.Transaction {
	t.Helper()
	b.portal.Limits.HTTPCallbacks = true
	tx := b.begin(t, "callback_uri", address)
	b.fetch(t, tx)
	b.must(t, b.end(t, tx, pushauth.Ending{State: store.Authenticated, Method: store.Push}))
	return tx
}

func (b *portalBench) drain(t *testing.T, tries int) {
	t.Helper()
	if n, err := b.runner.Drain(t.Context()); n != tries || err != nil {
		t.Fatalf("%d tries, %v; want %d", n, err, tries)
	}
}

func TestCallback(t *testing.T) {
	b := newPortalBench(t)
	tx := b.ended(t, b.receiver.CallbackURL())
	b.drain(t, 1)
	got := b.receiver.Callbacks()
	if len(got) != 1 {
		t.Fatalf("%d callbacks", len(got))
	}
	want := `{"callback_uri":"` + b.receiver.CallbackURL() + `","transaction_id":"` + tx.ID + `"}`
	if got[0].Status != http.StatusNoContent || string(got[0].Body) != want {
		t.Errorf("callback %d %s (%s), want %s", got[0].Status, got[0].Body, got[0].Problem, want)
	}
	if kind := got[0].Header.Get("Content-Type"); kind != "application/json;charset=UTF-8" {
		t.Errorf("content type %s", kind)
	}
	if basic := got[0].Header.Get("Authorization"); basic != "Basic "+base64.StdEncoding.EncodeToString([]byte("server:pass word")) {
		t.Errorf("authorization %s", basic)
	}
	events := b.Events(t)
	if len(events) != 1 || events[0].Code != audit.PushAuthCallbackSent || events[0].ClientID != pixel || events[0].UserID != "u-1" ||
		events[0].Agent != "api:portal" || events[0].Details != `{"transaction_id":"`+tx.ID+`","http_status":204,"tries":1}` {
		t.Errorf("events %+v", events)
	}
	b.drain(t, 0)
}

// TestCallbackIsRepeatedUnderItsID: the portal can tell a repeat from another delivery.
func TestCallbackIsRepeatedUnderItsID(t *testing.T) {
	b := newPortalBench(t)
	b.receiver.FailNext(2, http.StatusServiceUnavailable)
	b.ended(t, b.receiver.CallbackURL())
	b.drain(t, 1)
	b.Clock.Advance(2 * time.Second)
	b.receiver.FailNext(1, 0) // no answer at all
	b.drain(t, 1)
	b.wantCodes(t)
	b.Clock.Advance(10 * time.Second)
	b.drain(t, 1)
	b.wantCodes(t, audit.PushAuthCallbackSent)
	got := b.receiver.Callbacks()
	if len(got) != 3 || got[0].ID == "" || got[0].ID != got[1].ID || got[1].ID != got[2].ID || got[2].Status != http.StatusNoContent {
		t.Errorf("deliveries %+v", got)
	}
}

func TestCallbackIsGivenUp(t *testing.T) {
	vendors := startVendors(t)
	for _, tc := range []struct {
		name   string
		status int // of the portal
		tries  int
		detail string
	}{
		{"refused", http.StatusForbidden, 1, `"tries":1,"reason":"status","http_status":403}`},
		{"redirected", http.StatusFound, 1, `"tries":1,"reason":"status","http_status":302}`},
		{"never in order", http.StatusInternalServerError, 10, `"tries":10,"reason":"status","http_status":500}`},
		{"always in a hurry", http.StatusTooManyRequests, 10, `"tries":10,"reason":"status","http_status":429}`},
		{"cut off", 0, 10, `"tries":10,"reason":"unreachable"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newPortalBenchWith(t, vendors)
			b.receiver.FailNext(100, tc.status)
			tx := b.ended(t, b.receiver.CallbackURL())
			for range tc.tries {
				b.drain(t, 1)
				b.Clock.Advance(15 * time.Minute)
			}
			b.drain(t, 0)
			events := b.Events(t)
			if len(events) != 1 || events[0].Code != audit.PushAuthCallbackFailed ||
				events[0].Details != `{"transaction_id":"`+tx.ID+`",`+tc.detail {
				t.Errorf("events %+v, want details %s", events, tc.detail)
			}
			if _, dead, err := b.Store.CountJobs(t.Context()); dead != 1 || err != nil {
				t.Errorf("%d dead jobs, %v", dead, err)
			}
		})
	}
}

// TestCallbackToTheInside: an address that a portal sent may not lead inside, whatever is there.
func TestCallbackToTheInside(t *testing.T) {
	b := newPortalBench(t)
	off := false
	b.change(func(d *settings.Document) { d.MobileAuthentication.PreconfiguredCallbacksOnly = &off })
	called := false
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	t.Cleanup(inside.Close)
	b.ended(t, inside.URL)
	b.drain(t, 1)
	events := b.Events(t)
	if len(events) != 1 || events[0].Code != audit.PushAuthCallbackFailed || !strings.HasSuffix(events[0].Details, `"reason":"address_not_allowed"}`) || called {
		t.Errorf("events %+v, called %v", events, called)
	}
}

// TestCallbackSignature: signed with the secret of the day, unsigned without one.
func TestCallbackSignature(t *testing.T) {
	b := newPortalBench(t)
	next := standin.NewWebhookSecret()
	b.change(func(d *settings.Document) {
		d.Callbacks = []settings.Callback{{URL: b.receiver.CallbackURL(), SigningSecret: settings.NewSecret(next)}}
	})
	b.ended(t, b.receiver.CallbackURL())
	b.receiver.SetSecret(next)
	b.drain(t, 1)
	b.wantCodes(t, audit.PushAuthCallbackSent)

	b.receiver.SetSecret("")
	b.change(func(d *settings.Document) { d.Callbacks = []settings.Callback{{URL: b.receiver.CallbackURL()}} })
	b.ended(t, b.receiver.CallbackURL())
	b.drain(t, 1)
	got := b.receiver.Callbacks()
	if last := got[len(got)-1].Header; last.Get("Webhook-Signature") != "" || last.Get("Webhook-Id") == "" || last.Get("Authorization") != "" {
		t.Errorf("headers %v", last)
	}
	b.change(func(d *settings.Document) {
		d.Callbacks = []settings.Callback{{URL: b.receiver.CallbackURL(), SigningSecret: settings.NewSecret("whsec_%%%")}}
	})
	b.wantCodes(t, audit.PushAuthCallbackSent)
	b.ended(t, b.receiver.CallbackURL())
	b.drain(t, 1)
	events := b.Events(t)
	if len(events) != 1 || events[0].Code != audit.PushAuthCallbackFailed || !strings.HasSuffix(events[0].Details, `"reason":"signing_secret"}`) {
		t.Errorf("events %+v", events)
	}
}
