package standin_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"tokenserver/internal/standin"
)

func startPortal(t *testing.T) (*standin.Portal, *clock) {
	t.Helper()
	c := &clock{}
	p, err := standin.StartPortal(c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p, c
}

func TestPortalVerifiesCallbacks(t *testing.T) {
	p, c := startPortal(t)
	seen := p.Subscribe()
	good := `{"callback_uri":"` + p.CallbackURL() + `","transaction_id":"9d2f"}`
	now := strconv.FormatInt(c.now().Unix(), 10)
	old := strconv.FormatInt(c.now().Add(-6*time.Minute).Unix(), 10)
	sign := func(secret, id, stamp, body string) string {
		signature, err := standin.SignWebhook(secret, id, stamp, []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		return signature
	}
	for _, tc := range []struct {
		name, id, stamp, signature, body string
		status                           int
		problem                          string
	}{
		{"good", "d1", now, sign(p.Secret(), "d1", now, good), good, 204, ""},
		{"two signatures, one right", "d1", now, "v1,AAAA " + sign(p.Secret(), "d1", now, good), good, 204, ""},
		{"no id", "", now, "v1,AAAA", good, 401, "webhook-id or webhook-timestamp is missing"},
		{"no time", "d1", "", "v1,AAAA", good, 401, "webhook-id or webhook-timestamp is missing"},
		{"time is text", "d1", "now", "v1,AAAA", good, 401, "webhook-timestamp is not a number"},
		{"old", "d1", old, sign(p.Secret(), "d1", old, good), good, 401, "webhook-timestamp is too far away"},
		{"other secret", "d1", now, sign(standin.NewWebhookSecret(), "d1", now, good), good, 401, "webhook-signature does not match"},
		{"other id", "d2", now, sign(p.Secret(), "d1", now, good), good, 401, "webhook-signature does not match"},
		{"other body", "d1", now, sign(p.Secret(), "d1", now, "{}"), good, 401, "webhook-signature does not match"},
		{
			"result inside", "d1", now, sign(p.Secret(), "d1", now, `{"transaction_id":"a","callback_uri":"b","result":"c"}`),
			`{"transaction_id":"a","callback_uri":"b","result":"c"}`, 400, "body must hold transaction_id and callback_uri, nothing else",
		},
		{"not JSON", "d1", now, sign(p.Secret(), "d1", now, `x`), `x`, 400, "body is not an object of strings"},
	} {
		if got := deliver(t, p, tc.id, tc.stamp, tc.signature, tc.body); got != tc.status {
			t.Errorf("%s: status %d, want %d", tc.name, got, tc.status)
		}
		if c := <-seen; c.Problem != tc.problem || c.Status != tc.status {
			t.Errorf("%s: %+v", tc.name, c)
		}
	}
	p.FailNext(1, 503)
	signature := sign(p.Secret(), "d3", now, good)
	if first, second := deliver(t, p, "d3", now, signature, good), deliver(t, p, "d3", now, signature, good); first != 503 || second != 204 {
		t.Errorf("planned failure: %d, then %d", first, second)
	}
	p.SetSecret("")
	if got := deliver(t, p, "", "", "", good); got != 204 {
		t.Errorf("unsigned: %d", got)
	}
	if got := len(p.Callbacks()); got != 14 {
		t.Errorf("%d callbacks recorded, want 14", got)
	}
}

func deliver(t *testing.T, p *standin.Portal, id, stamp, signature, body string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.CallbackURL(), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": signature} {
		if value != "" {
			request.Header.Set(name, value)
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func TestPortalCutsTheConnection(t *testing.T) {
	p, _ := startPortal(t)
	p.FailNext(1, 0)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.CallbackURL(), strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err == nil {
		_ = response.Body.Close()
		t.Fatalf("status %d", response.StatusCode)
	}
}

// TestWebhookVector is the example of the Standard Webhooks specification.
func TestWebhookVector(t *testing.T) {
	got, err := standin.SignWebhook("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("got %s, %v; want %s", got, err, want)
	}
}

func TestPortalAPI(t *testing.T) {
	type call struct{ method, path, form string }
	var calls []call
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if id, secret, ok := r.BasicAuth(); !ok || id != "harbour%20portal" && id != "harbour+portal" || secret != "s%3A1" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = r.ParseForm()
		calls = append(calls, call{r.Method, r.URL.EscapedPath(), r.PostForm.Encode()})
		switch r.URL.Path {
		case "/oauth/api/v4/authenticate/user":
			_ = json.NewEncoder(w).Encode(map[string]any{
				"transaction_id": "t1", "auth_method": "push", "time_to_live": 120000,
				"device": map[string]string{"name": "Kim's Pixel", "platform": "android"},
			})
		case "/oauth/api/v4/authenticate/transaction/t1":
			_, _ = w.Write([]byte(`{"transaction_id":"t1","is_authenticated":true,"authentication_method":"push_with_pin","used_authentication_attempts":2}`))
		case "/oauth/api/v4/authenticate/user/u 1/device/D/enabled":
			_, _ = w.Write([]byte(`{"enabled":["login"]}`))
		case "/oauth/api/v4/authenticate/user/u 1/enabled":
			_, _ = w.Write([]byte(`{"enabled":[{"type":"login","method":"PUSH","apps_enrolled_for_push":[{"device_id":"D"}]}]}`))
		case "/oauth/api/v4/authenticate/otp":
			_, _ = w.Write([]byte(`{"user_id":"u 1","is_authenticated":true}`))
		case "/oauth/api/v4/authenticate/user/u 1/push/resend":
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte(`{"error_code":"3006","description":"x","error":"forbidden","error_description":"resend limit reached"}`))
		default:
			w.WriteHeader(http.StatusNoContent)
		}
	}))
	t.Cleanup(server.Close)
	api := &standin.PortalAPI{BaseURL: server.URL + "/oauth/", ClientID: "harbour portal", ClientSecret: "s:1", HTTPClient: server.Client()}
	ctx := t.Context()
	started, err := api.Init(ctx, standin.Initiation{Type: "login", UserID: "u 1", DeviceID: "D", Message: "Sign in?", CallbackURI: "https://p/cb"})
	if err != nil || started.TransactionID != "t1" || started.Device.Platform != "android" || started.TimeToLive != 120000 {
		t.Fatalf("%+v, %v", started, err)
	}
	result, err := api.Result(ctx, "t1")
	if err != nil || !result.Authenticated || *result.Attempts != 2 {
		t.Errorf("%+v, %v", result, err)
	}
	if names, err := api.Availability(ctx, "u 1", "D"); err != nil || len(names) != 1 || names[0] != "login" {
		t.Errorf("%v, %v", names, err)
	}
	if options, err := api.Options(ctx, "u 1"); err != nil || options[0].Apps[0].DeviceID != "D" {
		t.Errorf("%v, %v", options, err)
	}
	if user, err := api.VerifyOTP(ctx, "abc"); err != nil || user != "u 1" {
		t.Errorf("%s, %v", user, err)
	}
	if err := errors.Join(api.VerifySMS(ctx, "u 1", "t1", "048215"), api.ResendSMS(ctx, "u 1", "t1")); err != nil {
		t.Error(err)
	}
	var refused *standin.PortalError
	if err := api.Resend(ctx, "u 1", "t1"); !errors.As(err, &refused) || refused.ErrorCode != "3006" || refused.Status != 403 {
		t.Errorf("resend: %v", err)
	}
	want := []call{
		{"POST", "/oauth/api/v4/authenticate/user", "callback_uri=https%3A%2F%2Fp%2Fcb&device_id=D&message=Sign+in%3F&type=login&user_id=u+1"},
		{"GET", "/oauth/api/v4/authenticate/transaction/t1", ""},
		{"GET", "/oauth/api/v4/authenticate/user/u%201/device/D/enabled", ""},
		{"GET", "/oauth/api/v4/authenticate/user/u%201/enabled", ""},
		{"POST", "/oauth/api/v4/authenticate/otp", "otp=abc"},
		{"POST", "/oauth/api/v4/authenticate/user/u%201/sms", "sms_code=048215&transaction_id=t1"},
		{"POST", "/oauth/api/v4/authenticate/user/u%201/sms/resend", "transaction_id=t1"},
		{"POST", "/oauth/api/v4/authenticate/user/u%201/push/resend", "transaction_id=t1"},
	}
	if len(calls) != len(want) {
		t.Fatalf("%d calls, want %d", len(calls), len(want))
	}
	for i := range want {
		if calls[i] != want[i] {
			t.Errorf("call %d: %v, want %v", i, calls[i], want[i])
		}
	}
}
