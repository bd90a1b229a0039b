package standin_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"tokenserver/internal/standin"
)

// call posts and returns status and body.
func call(t *testing.T, address, kind, user, password, body string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", kind)
	request.SetBasicAuth(user, password)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, ""
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

func TestSMSGateway(t *testing.T) {
	const kind = "application/json;charset=UTF-8"
	const good = `{"phone_number":"+31612345678","message":"code 12","sender_id":"Harbour","verification_code":"12"}`
	for _, tc := range []struct {
		name, kind, password, body string
		status                     int
		answer                     string
	}{
		{"taken", kind, standin.SMSGatewayPassword, good, 204, ""},
		{"without sender and code", kind, standin.SMSGatewayPassword, `{"phone_number":"+31612345678","message":"x"}`, 204, ""},
		{"password", kind, "x", good, 401, `{"error":"unknown user"}`},
		{"no charset", "application/json", standin.SMSGatewayPassword, good, 415, `{"error":"want application/json;charset=UTF-8"}`},
		{"no JSON", kind, standin.SMSGatewayPassword, `x`, 400, `{"error":"no message"}`},
		{"two values", kind, standin.SMSGatewayPassword, good + good, 400, `{"error":"no message"}`},
		{"unknown member", kind, standin.SMSGatewayPassword, `{"text":"x"}`, 400, `{"error":"no message"}`},
		{"national number", kind, standin.SMSGatewayPassword, `{"phone_number":"0612345678","message":"x"}`, 422, `{"error":"invalid phone number"}`},
		{"no text", kind, standin.SMSGatewayPassword, `{"phone_number":"+31612345678","message":""}`, 422, `{"error":"empty message"}`},
		{"empty sender", kind, standin.SMSGatewayPassword, `{"phone_number":"+31612345678","message":"x","sender_id":""}`, 422, `{"error":"empty sender"}`},
	} {
		g, err := standin.StartSMSGateway(time.Now)
		if err != nil {
			t.Fatal(err)
		}
		if status, answer := call(t, g.URL(), tc.kind, standin.SMSGatewayUser, tc.password, tc.body); status != tc.status || answer != tc.answer {
			t.Errorf("%s: %d %s, want %d %s", tc.name, status, answer, tc.status, tc.answer)
		}
		if n := len(g.Inbox("+31612345678")); (n == 1) != (tc.status == 204) {
			t.Errorf("%s: %d texts in the inbox", tc.name, n)
		}
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestSMSGatewayFails(t *testing.T) {
	g, err := standin.StartSMSGateway(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	texts := g.Subscribe()
	const body = `{"phone_number":"+31612345678","message":"x"}`
	for _, tc := range []struct {
		status int
		reason string
		want   string
	}{{200, "no credit", `{"error":"no credit"}`}, {429, "slow down", `{"error":"slow down"}`}, {0, "", ""}} {
		g.FailNext(1, tc.status, tc.reason)
		status, answer := call(t, g.URL(), "application/json;charset=UTF-8", standin.SMSGatewayUser, standin.SMSGatewayPassword, body)
		if status != tc.status || answer != tc.want {
			t.Errorf("planned %d: %d %s, want %s", tc.status, status, answer, tc.want)
		}
	}
	if status, _ := call(t, g.URL(), "application/json;charset=UTF-8", standin.SMSGatewayUser, standin.SMSGatewayPassword, body); status != 204 {
		t.Errorf("after the failures: %d", status)
	}
	if text := <-texts; text.Body != "x" {
		t.Errorf("text %+v", text)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if _, open := <-texts; open {
		t.Error("the channel is open after Close")
	}
}

func TestTwilio(t *testing.T) {
	w, err := standin.StartTwilio(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	messages := w.URL() + "/2010-04-01/Accounts/" + standin.TwilioAccount + "/Messages.json"
	form := func(to, from, body string) string {
		return url.Values{"To": {to}, "From": {from}, "Body": {body}}.Encode()
	}
	for _, tc := range []struct {
		name, address, password, body string
		status, code                  int
	}{
		{"taken", messages, standin.TwilioToken, form("+31612345678", standin.TwilioSender, "x"), 201, 0},
		{"messaging service", messages, standin.TwilioToken, url.Values{"To": {"+31612345678"}, "MessagingServiceSid": {standin.TwilioService}, "Body": {"x"}}.Encode(), 201, 0},
		{"token", messages, "x", form("+31612345678", standin.TwilioSender, "x"), 401, 20003},
		{"account", strings.Replace(messages, standin.TwilioAccount, "ACx", 1), standin.TwilioToken, form("+31612345678", standin.TwilioSender, "x"), 404, 20404},
		{"path", w.URL() + "/2010-04-01/Accounts", standin.TwilioToken, "", 404, 20404},
		{"no recipient", messages, standin.TwilioToken, form("", standin.TwilioSender, "x"), 400, 21604},
		{"no sender", messages, standin.TwilioToken, form("+31612345678", "", "x"), 400, 21603},
		{"no text", messages, standin.TwilioToken, form("+31612345678", standin.TwilioSender, ""), 400, 21602},
		{"long text", messages, standin.TwilioToken, form("+31612345678", standin.TwilioSender, strings.Repeat("x", 1601)), 400, 21617},
		{"another's sender", messages, standin.TwilioToken, form("+31612345678", "+15005550007", "x"), 400, 21659},
		{"invalid sender", messages, standin.TwilioToken, form("+31612345678", "+15005550001", "x"), 400, 21212},
		{"full queue", messages, standin.TwilioToken, form("+31612345678", "+15005550008", "x"), 429, 21611},
		{"no number", messages, standin.TwilioToken, form("0612345678", standin.TwilioSender, "x"), 400, 21211},
		{"invalid number", messages, standin.TwilioToken, form(standin.TwilioInvalidNumber, standin.TwilioSender, "x"), 400, 21211},
		{"unroutable", messages, standin.TwilioToken, form(standin.TwilioUnroutableNumber, standin.TwilioSender, "x"), 400, 21612},
		{"region", messages, standin.TwilioToken, form(standin.TwilioForbiddenRegion, standin.TwilioSender, "x"), 400, 21408},
		{"unsubscribed", messages, standin.TwilioToken, form(standin.TwilioUnsubscribed, standin.TwilioSender, "x"), 400, 21610},
		{"landline", messages, standin.TwilioToken, form(standin.TwilioLandline, standin.TwilioSender, "x"), 400, 21614},
	} {
		status, text := call(t, tc.address, "application/x-www-form-urlencoded", standin.TwilioAccount, tc.password, tc.body)
		var answer struct {
			Code   any    `json:"code"`
			Status any    `json:"status"`
			SID    string `json:"sid"`
			More   string `json:"more_info"`
		}
		if err := json.Unmarshal([]byte(text), &answer); err != nil {
			t.Errorf("%s: %v: %s", tc.name, err, text)
		}
		taken := tc.code == 0 && strings.HasPrefix(answer.SID, "SM") && len(answer.SID) == 34
		refused := answer.Code == float64(tc.code) && answer.Status == float64(tc.status) && strings.HasPrefix(answer.More, "https://www.twilio.com/docs/errors/")
		if status != tc.status || !taken && !refused {
			t.Errorf("%s: %d %s, want %d, code %d", tc.name, status, text, tc.status, tc.code)
		}
	}
}

// TestTwilioReceipts: the sender of a message is told what became of it, under the signature of the account.
func TestTwilioReceipts(t *testing.T) {
	w, err := standin.StartTwilio(time.Now)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	receiver := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Header.Get("X-Twilio-Signature") != standin.TwilioSignature("http://"+r.Host+r.URL.Path, r.PostForm) {
			t.Errorf("receipt %v is not signed: %v", r.PostForm, err)
		}
		told = append(told, r.PostForm.Get("MessageSid")+" "+r.PostForm.Get("MessageStatus"))
	}))
	defer receiver.Close()
	status, _ := call(t, w.URL()+"/2010-04-01/Accounts/"+standin.TwilioAccount+"/Messages.json", "application/x-www-form-urlencoded",
		standin.TwilioAccount, standin.TwilioToken, url.Values{
			"To": {"+31612345678"}, "From": {standin.TwilioSender}, "Body": {"x"}, "StatusCallback": {receiver.URL + "/receipts"},
		}.Encode())
	if status != http.StatusCreated {
		t.Fatalf("status %d", status)
	}
	if err := w.Close(); err != nil { // after the receipts
		t.Fatal(err)
	}
	sid := w.Texts()[0].ID
	if want := []string{sid + " sent", sid + " delivered"}; !slices.Equal(told, want) {
		t.Errorf("receipts %v, want %v", told, want)
	}
}
