package standin

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" // the vendor signs its callbacks with HMAC-SHA1
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Twilio is the Messages resource of Twilio's REST API on loopback: https://www.twilio.com/docs/messaging/api/message-resource.
// FailNext takes one of Twilio's error codes as its reason, for example "20429".
type Twilio struct {
	textService
	server   *http.Server
	address  string
	receipts *http.Client
	pending  sync.WaitGroup

	senders []string // numbers and services of the account; guarded by mu
}

// The credentials of the account.
const (
	TwilioAccount = "AC0123456789abcdef0123456789abcdef"
	TwilioToken   = "89abcdef0123456789abcdef01234567"
	// TwilioSender is a number of the account, TwilioService a messaging service.
	TwilioSender  = "+15005550006"
	TwilioService = "MG0123456789abcdef0123456789abcdef"
)

// The magic numbers of Twilio's test credentials, https://www.twilio.com/docs/iam/test-credentials: sending to them fails.
const (
	TwilioInvalidNumber     = "+15005550001"
	TwilioUnroutableNumber  = "+15005550002"
	TwilioForbiddenRegion   = "+15005550003"
	TwilioUnsubscribed      = "+15005550004"
	TwilioLandline          = "+15005550009"
	twilioNotOwnedSender    = "+15005550007"
	twilioFullQueueSender   = "+15005550008"
	twilioInvalidFromSender = "+15005550001"
)

// StartTwilio starts the API on a free port. now is its clock.
func StartTwilio(now func() time.Time) (*Twilio, error) {
	t := &Twilio{
		textService: textService{now: now}, receipts: &http.Client{Timeout: headerTimeout},
		senders: []string{TwilioSender, TwilioService},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2010-04-01/Accounts/{account}/Messages.json", t.create)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		twilioRefuse(w, http.StatusNotFound, 20404, "The requested resource "+r.URL.Path+" was not found")
	})
	t.server = &http.Server{Handler: mux}
	address, err := serve(t.server, nil)
	if err != nil {
		return nil, fmt.Errorf("start twilio: %w", err)
	}
	t.address = address
	return t, nil
}

// URL is the base address of the API.
func (t *Twilio) URL() string { return "http://" + t.address }

// AddSender gives the account another number or alphanumeric sender.
func (t *Twilio) AddSender(sender string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.senders = append(t.senders, sender)
}

// Close waits for the delivery receipts, stops the API and closes the channels of Subscribe.
func (t *Twilio) Close() error {
	defer t.stop()
	t.pending.Wait()
	if err := t.server.Close(); err != nil {
		return fmt.Errorf("close twilio: %w", err)
	}
	return nil
}

// twilioRefuse writes an error as Twilio does.
func twilioRefuse(w http.ResponseWriter, status, code int, message string) {
	if status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Basic realm="Twilio API"`)
	}
	writeJSON(w, status, map[string]any{
		"code": code, "message": message, "more_info": "https://www.twilio.com/docs/errors/" + strconv.Itoa(code), "status": status,
	})
}

// create answers POST …/Messages.json.
func (t *Twilio) create(w http.ResponseWriter, r *http.Request) {
	if failed, planned := t.planned(r.Context()); planned {
		code, err := strconv.Atoi(failed.reason)
		if err != nil { // not the API itself: a balancer in front of it
			http.Error(w, failed.reason, failed.status)
			return
		}
		twilioRefuse(w, failed.status, code, twilioTexts()[code])
		return
	}
	user, password, _ := r.BasicAuth()
	if user != TwilioAccount || password != TwilioToken {
		twilioRefuse(w, http.StatusUnauthorized, 20003, "Authenticate")
		return
	}
	if r.PathValue("account") != TwilioAccount {
		twilioRefuse(w, http.StatusNotFound, 20404, "The requested resource "+r.URL.Path+" was not found")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, smsMaxBody)
	if err := r.ParseForm(); err != nil {
		twilioRefuse(w, http.StatusBadRequest, 20001, "Bad request")
		return
	}
	to, from, service, body := r.PostForm.Get("To"), r.PostForm.Get("From"), r.PostForm.Get("MessagingServiceSid"), r.PostForm.Get("Body")
	if code, message := t.refusal(to, from, service, body); code != 0 {
		status := http.StatusBadRequest
		if code == 21611 {
			status = http.StatusTooManyRequests
		}
		twilioRefuse(w, status, code, message)
		return
	}
	m := Text{Service: "twilio", ID: "SM" + randomHex(16), From: from + service, To: to, Body: body, At: t.now()}
	status := "queued"
	if service != "" {
		status = "accepted"
	}
	t.accept(m)
	writeJSON(w, http.StatusCreated, t.resource(m, status, service))
	if callback := r.PostForm.Get("StatusCallback"); callback != "" {
		lasting := context.WithoutCancel(r.Context())
		t.pending.Go(func() { t.deliver(lasting, callback, m) })
	}
}

// twilioTexts are the words of some error codes.
func twilioTexts() map[int]string {
	return map[int]string{
		14107: "SMS send rate limit exceeded", 20001: "Bad request", 20003: "Authenticate", 20429: "Too Many Requests",
		20500: "An internal server error has occurred", 21611: "This 'From' number has exceeded the maximum number of queued messages",
		30001: "Queue overflow",
	}
}

// refusal says why a message is not taken; 0 = it is.
func (t *Twilio) refusal(to, from, service, body string) (code int, message string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case to == "":
		return 21604, "A 'To' phone number is required."
	case from == "" && service == "":
		return 21603, "A 'From' phone number is required."
	case body == "":
		return 21602, "Message body is required."
	case len([]rune(body)) > 1600:
		return 21617, "The concatenated message body exceeds the 1600 character limit"
	case from == twilioInvalidFromSender:
		return 21212, "Invalid From Number (caller ID): " + from
	case from == twilioFullQueueSender:
		return 21611, "This 'From' number has exceeded the maximum number of queued messages"
	case from == twilioNotOwnedSender, !slices.Contains(t.senders, from+service):
		return 21659, "'From' " + from + " is not a Twilio phone number or Short Code country mismatch"
	case !e164.MatchString(to), to == TwilioInvalidNumber:
		return 21211, "Invalid 'To' Phone Number: " + to[:min(len(to), 7)] + "XXXX"
	case to == TwilioUnroutableNumber:
		return 21612, "Message cannot be sent with the current combination of 'To' (" + to + ") and/or 'From' (" + from + ") parameters"
	case to == TwilioForbiddenRegion:
		return 21408, "Permission to send an SMS or MMS has not been enabled for the region indicated by the 'To' number: " + to
	case to == TwilioUnsubscribed:
		return 21610, "Attempt to send to unsubscribed recipient"
	case to == TwilioLandline:
		return 21614, "'To' number " + to + " is not a valid mobile number"
	}
	return 0, ""
}

// resource is the message as the API shows it.
func (t *Twilio) resource(m Text, status, service string) map[string]any {
	stamp := m.At.UTC().Format(time.RFC1123Z)
	resource := map[string]any{
		"sid": m.ID, "account_sid": TwilioAccount, "api_version": "2010-04-01", "body": m.Body, "to": m.To, "from": nil,
		"date_created": stamp, "date_updated": stamp, "date_sent": nil, "direction": "outbound-api", "error_code": nil,
		"error_message": nil, "messaging_service_sid": nil, "num_media": "0", "num_segments": "1", "price": nil, "price_unit": nil,
		"status": status, "uri": "/2010-04-01/Accounts/" + TwilioAccount + "/Messages/" + m.ID + ".json",
		"subresource_uris": map[string]string{"media": "/2010-04-01/Accounts/" + TwilioAccount + "/Messages/" + m.ID + "/Media.json"},
	}
	if service != "" {
		resource["messaging_service_sid"] = service
		resource["num_segments"] = "0"
	} else {
		resource["from"] = m.From
	}
	return resource
}

// deliver posts the delivery receipts of a message, signed as https://www.twilio.com/docs/usage/security says.
func (t *Twilio) deliver(ctx context.Context, callback string, m Text) {
	for _, status := range []string{"sent", "delivered"} {
		form := url.Values{
			"AccountSid": {TwilioAccount}, "ApiVersion": {"2010-04-01"}, "From": {m.From}, "To": {m.To},
			"MessageSid": {m.ID}, "SmsSid": {m.ID}, "MessageStatus": {status}, "SmsStatus": {status},
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, callback, strings.NewReader(form.Encode()))
		if err != nil {
			return // nobody's address: the vendor gives up as well
		}
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("X-Twilio-Signature", TwilioSignature(callback, form))
		response, err := t.receipts.Do(request)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, response.Body) // only to keep the connection
		_ = response.Body.Close()
	}
}

// TwilioSignature signs a callback of the account: HMAC-SHA1 over the address and the sorted parameters.
func TwilioSignature(address string, form url.Values) string {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	m := hmac.New(sha1.New, []byte(TwilioToken))
	m.Write([]byte(address))
	for _, name := range names {
		m.Write([]byte(name + form.Get(name)))
	}
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}
