package sms_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
	"tokenserver/internal/standin"
	"tokenserver/sms"
)

// fixed serves one document.
type fixed struct{ snapshot *settings.Snapshot }

func (f *fixed) Current() *settings.Snapshot { return f.snapshot }

// quota allows left messages to every number.
type quota struct {
	mu    sync.Mutex
	left  int
	spent map[string]int
}

func (q *quota) Exceeded(key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.spent[key] >= q.left
}

func (q *quota) Spend(_ context.Context, key string) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.spent == nil {
		q.spent = map[string]int{}
	}
	q.spent[key]++
	return q.spent[key] >= q.left
}

const (
	number = "+31612345678"
	text   = "Harbour code: 048215"
)

// bench is a sender with both gateways behind it.
type bench struct {
	*sms.Sender
	gateway *standin.SMSGateway
	twilio  *standin.Twilio
	source  *fixed
	log     *bytes.Buffer
	results []string
}

// tooShort ends calls of gateways that do not answer; tooLong is how long those take.
const (
	tooShort = 50 * time.Millisecond
	tooLong  = time.Hour
)

func start(t *testing.T, timeout time.Duration, change func(*settings.Document)) *bench {
	t.Helper()
	b := &bench{log: new(bytes.Buffer)}
	var err error
	if b.gateway, err = standin.StartSMSGateway(time.Now); err != nil {
		t.Fatal(err)
	}
	if b.twilio, err = standin.StartTwilio(time.Now); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = b.gateway.Close(), b.twilio.Close() })
	d := settings.Document{
		SMS: settings.SMS{Gateway: "http", DefaultCountry: "NL"},
		SMSGateways: []settings.SMSGateway{
			{
				ID: "http", Type: settings.SMSOverHTTP, URL: b.gateway.URL(), Username: standin.SMSGatewayUser,
				Password: settings.NewSecret(standin.SMSGatewayPassword),
			},
			{
				ID: "twilio", Type: settings.SMSByTwilio, URL: b.twilio.URL(), Account: standin.TwilioAccount,
				Password: settings.NewSecret(standin.TwilioToken), SenderID: standin.TwilioSender,
			},
		},
	}
	if change != nil {
		change(&d)
	}
	if err := d.Validate(); err != nil {
		t.Fatal(err)
	}
	b.source = &fixed{settings.NewSnapshot(1, d.Complete())}
	b.Sender = sms.NewSender(sms.Config{
		AllowPrivate: outbound.Loopback(), Timeout: timeout,
		Observe: func(gateway, result string, _ time.Duration) { b.results = append(b.results, gateway+" "+result) },
	}, b.source, &quota{left: 100}, slog.New(slog.NewTextHandler(b.log, nil)), time.Now)
	return b
}

func byTwilio(d *settings.Document) { d.SMS.Gateway = "twilio" }

func TestSend(t *testing.T) {
	for _, tc := range []struct {
		name    string
		change  func(*settings.Document)
		message sms.Message
		service string
		from    string
		to      string
	}{
		{name: "http", message: sms.Message{To: number, Text: text, Code: "048215"}, service: "http", to: number},
		{name: "a national number", message: sms.Message{To: "06 1234-5678", Text: text}, service: "http", to: number},
		{
			name: "sender of the message", change: func(d *settings.Document) { d.SMS.SenderID = "Harbour" },
			message: sms.Message{To: number, Text: text, Sender: "1008"}, service: "http", from: "1008", to: number,
		},
		{
			name: "sender of the settings", change: func(d *settings.Document) { d.SMS.SenderID = "Harbour" },
			message: sms.Message{To: number, Text: text}, service: "http", from: "Harbour", to: number,
		},
		{
			name: "sender of the gateway", change: func(d *settings.Document) { d.SMSGateways[0].SenderID = "+31208080" },
			message: sms.Message{To: number, Text: text}, service: "http", from: "+31208080", to: number,
		},
		{name: "twilio", change: byTwilio, message: sms.Message{To: number, Text: text, Code: "048215"}, service: "twilio", from: standin.TwilioSender, to: number},
		{
			name: "messaging service", change: func(d *settings.Document) { byTwilio(d); d.SMSGateways[1].SenderID = standin.TwilioService },
			message: sms.Message{To: number, Text: text}, service: "twilio", from: standin.TwilioService, to: number,
		},
		{
			name: "the account's own sender after one it does not have", change: byTwilio,
			message: sms.Message{To: number, Text: text, Sender: "Harbour"}, service: "twilio", from: standin.TwilioSender, to: number,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := start(t, 0, tc.change)
			if err := b.Deliver(t.Context(), tc.message); err != nil {
				t.Fatal(err)
			}
			got := slices.Concat(b.gateway.Texts(), b.twilio.Texts())
			if len(got) != 1 {
				t.Fatalf("%d texts, want 1", len(got))
			}
			code := tc.message.Code
			if tc.service == "twilio" {
				code = "" // it has no place for one
			}
			want := standin.Text{Service: tc.service, ID: got[0].ID, From: tc.from, To: tc.to, Body: text, Code: code, At: got[0].At}
			if got[0] != want {
				t.Errorf("text %+v\nwant %+v", got[0], want)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	fail := func(n, status int, reason string) func(*bench) {
		return func(b *bench) { b.gateway.FailNext(n, status, reason); b.twilio.FailNext(n, status, reason) }
	}
	named := func(d *settings.Document) { d.SMS.SenderID = "Harbour"; d.SMSGateways[0].SenderID = "1008" }
	for _, tc := range []struct {
		name    string
		change  func(*settings.Document)
		timeout time.Duration
		arrange func(*bench)
		to      string
		want    sms.Refused
		results []string
	}{
		{name: "no number", to: "", want: sms.Refused{Class: sms.NumberRefused, Reason: "not a phone number"}},
		{name: "no digits", to: "call me", want: sms.Refused{Class: sms.NumberRefused, Reason: "not a phone number"}},
		{name: "too short", to: "+3161", want: sms.Refused{Class: sms.NumberRefused, Reason: "not a possible phone number"}},
		{name: "an extension", to: number + ";ext=12", want: sms.Refused{Class: sms.NumberRefused, Reason: "not a possible phone number"}},
		{
			name: "national without a country", to: "0612345678", change: func(d *settings.Document) { d.SMS.DefaultCountry = "" },
			want: sms.Refused{Class: sms.NumberRefused, Reason: "not a phone number"},
		},
		{
			name: "no gateway", to: number, change: func(d *settings.Document) { d.SMS.Gateway = ""; d.SMSGateways = nil },
			want: sms.Refused{Class: sms.Down, Reason: "no gateway is configured"},
		},
		{
			name: "lying gateway", to: number, arrange: fail(9, 200, "no credit"),
			want: sms.Refused{Class: sms.Down, Status: 200, Reason: "the gateway did not answer 204"}, results: []string{"http gateway_down"},
		},
		{
			name: "redirecting gateway", to: number, arrange: fail(9, 302, ""),
			want: sms.Refused{Class: sms.Down, Status: 302, Reason: "the gateway did not answer 204"}, results: []string{"http gateway_down"},
		},
		{
			name: "throttling gateway", to: number, arrange: fail(9, 429, "slow down"),
			want: sms.Refused{Class: sms.Throttled, Status: 429, Reason: "the gateway did not answer 204"}, results: []string{"http throttled"},
		},
		{
			name: "broken gateway", to: number, arrange: fail(9, 500, "oops"),
			want: sms.Refused{Class: sms.Down, Status: 500, Reason: "the gateway did not answer 204"}, results: []string{"http gateway_down"},
		},
		{
			name: "number refused", to: number, arrange: fail(9, 422, "number"),
			want: sms.Refused{Class: sms.NumberRefused, Status: 422, Reason: "the gateway did not answer 204"}, results: []string{"http number_refused"},
		},
		{
			name: "every sender refused", to: number, change: named, arrange: fail(9, 400, "sender"),
			want: sms.Refused{Class: sms.SenderRefused, Status: 400, Reason: "the gateway did not answer 204"}, results: []string{"http sender_refused", "http sender_refused"},
		},
		{
			name: "wrong password", to: number, change: func(d *settings.Document) { d.SMSGateways[0].Password = settings.NewSecret("other") },
			want: sms.Refused{Class: sms.Down, Status: 401, Reason: "the gateway did not answer 204"}, results: []string{"http gateway_down"},
		},
		{
			name: "disconnecting gateway", to: number, arrange: fail(9, 0, ""),
			want: sms.Refused{Class: sms.Down, Reason: "unreachable"}, results: []string{"http gateway_down"},
		},
		{
			name: "slow gateway", to: number, timeout: tooShort, arrange: func(b *bench) { b.gateway.Delay(tooLong) },
			want: sms.Refused{Class: sms.Down, Reason: "timeout"}, results: []string{"http gateway_down"},
		},
		{
			name: "private address", to: number, change: func(d *settings.Document) { d.SMSGateways[0].URL = "https://10.0.0.1/sms" },
			want: sms.Refused{Class: sms.Down, Reason: "address not allowed"}, results: []string{"http gateway_down"},
		},

		{
			name: "twilio: invalid number", change: byTwilio, to: standin.TwilioInvalidNumber,
			want: sms.Refused{Class: sms.NumberRefused, Status: 400, Vendor: 21211, Reason: "refused by Twilio"}, results: []string{"twilio number_refused"},
		},
		{
			name: "twilio: region", change: byTwilio, to: standin.TwilioForbiddenRegion,
			want: sms.Refused{Class: sms.NumberRefused, Status: 400, Vendor: 21408, Reason: "refused by Twilio"}, results: []string{"twilio number_refused"},
		},
		{
			name: "twilio: unsubscribed", change: byTwilio, to: standin.TwilioUnsubscribed,
			want: sms.Refused{Class: sms.NumberRefused, Status: 400, Vendor: 21610, Reason: "refused by Twilio"}, results: []string{"twilio number_refused"},
		},
		{
			name: "twilio: landline", change: byTwilio, to: standin.TwilioLandline,
			want: sms.Refused{Class: sms.NumberRefused, Status: 400, Vendor: 21614, Reason: "refused by Twilio"}, results: []string{"twilio number_refused"},
		},
		{
			name: "twilio: unroutable", change: byTwilio, to: standin.TwilioUnroutableNumber,
			want: sms.Refused{Class: sms.SenderRefused, Status: 400, Vendor: 21612, Reason: "refused by Twilio"}, results: []string{"twilio sender_refused"},
		},
		{
			name: "twilio: token", to: number, change: func(d *settings.Document) { byTwilio(d); d.SMSGateways[1].Password = settings.NewSecret("other") },
			want: sms.Refused{Class: sms.Down, Status: 401, Vendor: 20003, Reason: "refused by Twilio"}, results: []string{"twilio gateway_down"},
		},
		{
			name: "twilio: throttled", change: byTwilio, to: number, arrange: fail(9, 429, "20429"),
			want: sms.Refused{Class: sms.Throttled, Status: 429, Vendor: 20429, Reason: "refused by Twilio"}, results: []string{"twilio throttled"},
		},
		{
			name: "twilio: fault", change: byTwilio, to: number, arrange: fail(9, 500, "20500"),
			want: sms.Refused{Class: sms.Down, Status: 500, Vendor: 20500, Reason: "refused by Twilio"}, results: []string{"twilio gateway_down"},
		},
		{
			name: "twilio: a balancer answers", change: byTwilio, to: number, arrange: fail(9, 503, "no healthy upstream"),
			want: sms.Refused{Class: sms.Down, Status: 503, Reason: "the answer is none of Twilio's"}, results: []string{"twilio gateway_down"},
		},
		{
			name: "twilio: success without a message", change: byTwilio, to: number, arrange: fail(9, 200, "0"),
			want: sms.Refused{Class: sms.Down, Reason: "the answer cannot be read"}, results: []string{"twilio gateway_down"},
		},
		{
			name: "twilio: disconnects", change: byTwilio, to: number, arrange: fail(9, 0, ""),
			want: sms.Refused{Class: sms.Down, Reason: "unreachable"}, results: []string{"twilio gateway_down"},
		},
		{
			name: "twilio: slow", change: byTwilio, to: number, timeout: tooShort, arrange: func(b *bench) { b.twilio.Delay(tooLong) },
			want: sms.Refused{Class: sms.Down, Reason: "timeout"}, results: []string{"twilio gateway_down"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := start(t, tc.timeout, tc.change)
			if tc.arrange != nil {
				tc.arrange(b)
			}
			err := b.Send(t.Context(), tc.to, text, "")
			var refused *sms.Refused
			if !errors.As(err, &refused) || *refused != tc.want {
				t.Errorf("error %+v, want %+v", err, tc.want)
			}
			if !slices.Equal(b.results, tc.results) {
				t.Errorf("attempts %v, want %v", b.results, tc.results)
			}
			if sent := len(b.gateway.Texts()) + len(b.twilio.Texts()); sent != 0 {
				t.Errorf("%d texts were sent all the same", sent)
			}
			for _, secret := range []string{"048215", "12345678", standin.SMSGatewayPassword, standin.TwilioToken} {
				if strings.Contains(b.log.String(), secret) || err != nil && strings.Contains(err.Error(), secret) {
					t.Errorf("%s got into log or error: %s %v", secret, b.log, err)
				}
			}
		})
	}
}

func TestOneNumberGetsSoMany(t *testing.T) {
	b := start(t, 0, nil)
	limited := sms.NewSender(sms.Config{AllowPrivate: outbound.Loopback()}, b.source, &quota{left: 2}, slog.New(slog.DiscardHandler), time.Now)
	for range 2 {
		if err := limited.Send(t.Context(), number, text, ""); err != nil {
			t.Fatal(err)
		}
	}
	var refused *sms.Refused
	if err := limited.Send(t.Context(), "06-12345678", text, ""); !errors.As(err, &refused) || refused.Class != sms.Throttled {
		t.Errorf("third message: %v, want throttled", err)
	}
	if err := limited.Send(t.Context(), "+31687654321", text, ""); err != nil {
		t.Errorf("another number: %v", err)
	}
	if n := len(b.gateway.Texts()); n != 3 {
		t.Errorf("%d texts, want 3", n)
	}
}

// TestSlots: no more messages are in flight than there are slots, and who waits too long is told so.
func TestSlots(t *testing.T) {
	b := start(t, 0, nil)
	b.gateway.Delay(tooLong)
	ctx, cancel := context.WithCancel(t.Context())
	limited := sms.NewSender(sms.Config{AllowPrivate: outbound.Loopback(), AtOnce: 1, Timeout: time.Minute}, b.source, &quota{left: 100},
		slog.New(slog.DiscardHandler), time.Now)
	first := make(chan error)
	go func() { first <- limited.Send(ctx, number, text, "") }()
	waiting, giveUp := context.WithTimeout(t.Context(), tooShort)
	defer giveUp()
	var refused *sms.Refused
	for refused == nil || refused.Class != sms.Throttled { // until the first one has the slot
		if err := limited.Send(waiting, number, text, ""); !errors.As(err, &refused) {
			t.Fatalf("second message: %v", err)
		}
	}
	cancel()
	if err := <-first; !errors.As(err, &refused) {
		t.Errorf("first message: %v, want a refusal", err)
	}
	b.gateway.Delay(0)
	if err := limited.Send(t.Context(), number, text, ""); err != nil {
		t.Errorf("after the slot is free: %v", err)
	}
}

// TestTwilioAnswersAreReadToTheEnd: errors must not use up the connections of the pool.
func TestTwilioAnswersAreReadToTheEnd(t *testing.T) {
	b := start(t, 0, byTwilio)
	limited := sms.NewSender(sms.Config{AllowPrivate: outbound.Loopback(), AtOnce: 1}, b.source, &quota{left: 100}, slog.New(slog.DiscardHandler), time.Now)
	b.twilio.FailNext(20, http.StatusBadRequest, "21211")
	for range 20 {
		var refused *sms.Refused
		if err := limited.Send(t.Context(), number, text, ""); !errors.As(err, &refused) || refused.Class != sms.NumberRefused {
			t.Fatal(err)
		}
	}
	if err := limited.Send(t.Context(), number, text, ""); err != nil {
		t.Error(err)
	}
}

// TestChangedSettingsAreUsed: a gateway is exchanged with the settings, without a restart.
func TestChangedSettingsAreUsed(t *testing.T) {
	b := start(t, 0, nil)
	for _, id := range []string{"http", "twilio", "http"} {
		d := b.source.snapshot.Document
		d.SMS.Gateway = id
		b.source.snapshot = settings.NewSnapshot(2, d)
		if err := b.Send(t.Context(), number, text, ""); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.gateway.Inbox(number)) != 2 || len(b.twilio.Inbox(number)) != 1 {
		t.Errorf("texts %v %v, want 2 and 1", b.gateway.Texts(), b.twilio.Texts())
	}
}
