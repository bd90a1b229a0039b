package entitlement_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
)

// kit is a Service in front of a scope verification service that answers as the test says.
type kit struct {
	*entitlement.Service
	settings *audittest.Settings
	document settings.Document
	answer   func(w http.ResponseWriter, r *http.Request)
	asked    atomic.Int64
	body     string
	header   http.Header
}

func newKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{settings: &audittest.Settings{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.asked.Add(1)
		body, _ := io.ReadAll(r.Body)
		k.body, k.header = string(body), r.Header
		k.answer(w, r)
	}))
	t.Cleanup(server.Close)
	k.document = settings.Document{
		Scopes: []settings.Scope{
			{ID: "loans", ServiceEndpoint: "https://loans.example/v1", FailedEndpoint: "https://shop.example/loans"},
			{ID: "read"},
		},
	}
	k.document.OAuth.ScopeVerification = settings.ScopeVerification{
		Enabled: true, Endpoint: server.URL + "/verify?key=s3cret", Username: "ts", Password: settings.NewSecret("pa:ss"),
		FailedEndpoint: "https://shop.example/all",
	}
	k.settings.Set(k.document)
	k.Service = &entitlement.Service{
		Settings: k.settings, Client: entitlement.NewClient(outbound.Loopback()), Now: time.Now, TransactionHeader: "X-Transaction",
	}
	return k
}

func says(status int, body string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestVerdicts(t *testing.T) {
	for _, tc := range []struct {
		name   string
		status int
		body   string
		want   entitlement.Refusal
		reason string // of NoVerdict; "" = a verdict
	}{
		{name: "success", status: 200, body: `{"verification_result":"SUCCESS"}`},
		{name: "success with more", status: 200, body: ` {"verification_result":"SUCCESS","unauthorized_scope":"loans","x":{}} `},
		{
			name: "failure of a scope with its own page", status: 200, body: `{"verification_result":"FAILURE","unauthorized_scope":"loans"}`,
			want: entitlement.Refusal{Refused: true, Scope: "loans", Endpoint: "https://shop.example/loans"},
		},
		{
			name: "failure of a scope without", status: 200, body: `{"verification_result":"FAILURE","unauthorized_scope":"read"}`,
			want: entitlement.Refusal{Refused: true, Scope: "read", Endpoint: "https://shop.example/all"},
		},
		{
			name: "failure without a scope", status: 200, body: `{"verification_result":"FAILURE"}`,
			want: entitlement.Refusal{Refused: true, Endpoint: "https://shop.example/all"},
		},
		{
			name: "failure of a scope that was not asked", status: 200, body: `{"verification_result":"FAILURE","unauthorized_scope":"\u001b[31m"}`,
			want: entitlement.Refusal{Refused: true, Endpoint: "https://shop.example/all"},
		},
		{
			name: "failure of no text", status: 200, body: `{"verification_result":"FAILURE","unauthorized_scope":["loans"]}`,
			want: entitlement.Refusal{Refused: true, Endpoint: "https://shop.example/all"},
		},
		{name: "unknown result", status: 200, body: `{"verification_result":"MAYBE"}`, reason: "malformed answer"},
		{name: "other spelling", status: 200, body: `{"verification_result":"success"}`, reason: "malformed answer"},
		{name: "other member", status: 200, body: `{"Verification_Result":"SUCCESS"}`, reason: "malformed answer"},
		{name: "both results", status: 200, body: `{"verification_result":"FAILURE","verification_result":"SUCCESS"}`, reason: "malformed answer"},
		{name: "no result", status: 200, body: `{}`, reason: "malformed answer"},
		{name: "no text", status: 200, body: `{"verification_result":true}`, reason: "malformed answer"},
		{name: "a list", status: 200, body: `[{"verification_result":"SUCCESS"}]`, reason: "malformed answer"},
		{name: "no JSON", status: 200, body: `SUCCESS`, reason: "malformed answer"},
		{name: "more than one", status: 200, body: `{"verification_result":"SUCCESS"}{}`, reason: "malformed answer"},
		{name: "cut off", status: 200, body: `{"verification_result":"SUCCESS"`, reason: "malformed answer"},
		{name: "empty", status: 200, reason: "malformed answer"},
		{name: "another success", status: 201, body: `{"verification_result":"SUCCESS"}`, reason: "status"},
		{name: "a redirect", status: 302, body: `{"verification_result":"SUCCESS"}`, reason: "status"},
		{name: "refused", status: 401, body: `{"verification_result":"SUCCESS"}`, reason: "status"},
		{name: "broken", status: 500, body: `{"verification_result":"SUCCESS"}`, reason: "status"},
		{name: "too large", status: 200, body: `{"verification_result":"SUCCESS","x":"` + strings.Repeat("x", 70<<10) + `"}`, reason: "too large"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			k.answer = says(tc.status, tc.body)
			got, err := k.Check(t.Context(), "u1", "ext-1", []string{"loans", "read"})
			var none entitlement.NoVerdict
			switch {
			case tc.reason != "":
				if !errors.As(err, &none) || none.Reason != tc.reason || (tc.reason == "status") != (none.Status != 0 && none.Status != 200) {
					t.Errorf("error %v, want %q", err, tc.reason)
				}
			case err != nil || got != tc.want:
				t.Errorf("%+v, %v; want %+v", got, err, tc.want)
			}
			if n := k.asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}

func TestQuestion(t *testing.T) {
	k := newKit(t)
	k.answer = says(200, `{"verification_result":"SUCCESS"}`)
	ctx := audit.WithTrail(t.Context(), audit.NewTrail(audit.Origin{TransactionID: "tx-1"}))
	if _, err := k.Check(ctx, "u1", "ext-1", []string{"loans", "read", "openid"}); err != nil {
		t.Fatal(err)
	}
	const want = `{"user_id":"u1","external_identity":"ext-1","scopes":[{"id":"loans","service_endpoint":"https://loans.example/v1"},` +
		`{"id":"read","service_endpoint":null},{"id":"openid","service_endpoint":null}]}`
	if k.body != want {
		t.Errorf("asked\n%s\nwant\n%s", k.body, want)
	}
	request := http.Request{Header: k.header}
	if user, password, ok := request.BasicAuth(); !ok || user != "ts" || password != "pa:ss" {
		t.Errorf("credentials %q %q", user, password)
	}
	if k.header.Get("X-Transaction") != "tx-1" || k.header.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", k.header)
	}
}

func TestNobodyIsAsked(t *testing.T) {
	k := newKit(t)
	k.answer = says(500, "")
	if got, err := k.Check(t.Context(), "u1", "u1", nil); err != nil || got.Refused {
		t.Errorf("no scopes: %v, %v", got, err)
	}
	k.document.OAuth.ScopeVerification.Enabled = false
	k.settings.Set(k.document)
	if got, err := k.Check(t.Context(), "u1", "u1", []string{"loans"}); err != nil || got.Refused {
		t.Errorf("switched off: %v, %v", got, err)
	}
	if n := k.asked.Load(); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// TestSecondTry: only a connect that failed is tried again, once.
func TestSecondTry(t *testing.T) {
	for _, tc := range []struct {
		name  string
		fails int
		err   error
		tries int64
		want  string
	}{
		{name: "connect fails once", fails: 1, err: &net.OpError{Op: "dial", Err: errors.New("refused")}, tries: 2},
		{name: "connect fails twice", fails: 2, err: &net.OpError{Op: "dial", Err: errors.New("refused")}, tries: 2, want: "connect"},
		{name: "no address for us", fails: 2, err: &net.OpError{Op: "dial", Err: outbound.ErrForbidden}, tries: 1, want: "address not allowed"},
		{name: "lost on the way", fails: 2, err: &net.OpError{Op: "read", Err: errors.New("reset")}, tries: 1, want: "unreachable"},
		{name: "too slow", fails: 2, err: context.DeadlineExceeded, tries: 1, want: "timeout"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			tries := &failing{fails: tc.fails, err: tc.err}
			k.Client = &http.Client{Transport: tries}
			_, err := k.Check(t.Context(), "u1", "u1", []string{"read"})
			var none entitlement.NoVerdict
			if (tc.want == "") != (err == nil) || tc.want != "" && (!errors.As(err, &none) || none.Reason != tc.want) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
			if tries.tries != tc.tries {
				t.Errorf("%d tries, want %d", tries.tries, tc.tries)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret") {
				t.Errorf("the error shows the query: %v", err)
			}
		})
	}
}

// failing is a transport that fails a number of times.
type failing struct {
	fails int
	err   error
	tries int64
}

func (f *failing) RoundTrip(r *http.Request) (*http.Response, error) {
	f.tries++
	if int(f.tries) <= f.fails {
		return nil, f.err
	}
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Header: http.Header{},
		Body: io.NopCloser(strings.NewReader(`{"verification_result":"SUCCESS"}`)),
	}, nil
}

func TestDetails(t *testing.T) {
	k := newKit(t)
	k.answer = says(503, "")
	_, err := k.Check(t.Context(), "u1", "u1", []string{"read"})
	var none entitlement.NoVerdict
	if !errors.As(err, &none) {
		t.Fatal(err)
	}
	trail := audit.NewTrail(audit.Origin{})
	(&audit.Recorder{Now: time.Now}).Record(audit.WithTrail(t.Context(), trail), audit.ExternalScopeCheckFailed, none.Attrs()...)
	got := string(trail.Pending()[0].Details)
	if !strings.Contains(got, `"http_status":503`) || !strings.Contains(got, `"reason":"status"`) || !strings.Contains(got, `"endpoint":"127.0.0.1:`) {
		t.Errorf("details %s", got)
	}
}
