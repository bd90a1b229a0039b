package sms

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	twilio "github.com/twilio/twilio-go/client"
	api "github.com/twilio/twilio-go/rest/api/v2010"

	"tokenserver/internal/settings"
)

// messagingService begins the SID of a messaging service, which chooses the number to send from.
const messagingService = "MG"

// twilioGateway sends through Twilio's Messages resource, with its own library upon the guarded client.
type twilioGateway struct {
	settings *settings.SMSGateway
	client   *http.Client
	base     *url.URL // instead of Twilio's own; nil = that
}

func newTwilio(g *settings.SMSGateway, client *http.Client) Gateway {
	t := twilioGateway{settings: g, client: client}
	if g.URL != "" {
		t.base, _ = url.Parse(g.URL) // was checked with the settings
	}
	return t
}

// Send implements Gateway.
func (t twilioGateway) Send(ctx context.Context, m Message) error {
	user := t.settings.Username
	if user == "" {
		user = t.settings.Account
	}
	caller := &twilio.Client{
		Credentials: twilio.NewCredentials(user, t.settings.Password.Reveal()),
		HTTPClient:  &http.Client{Transport: exchange(func(r *http.Request) (*http.Response, error) { return t.exchange(ctx, r) })},
	}
	caller.SetAccountSid(t.settings.Account)
	parameters := &api.CreateMessageParams{}
	parameters.SetTo(m.To).SetBody(m.Text)
	if strings.HasPrefix(m.Sender, messagingService) {
		parameters.SetMessagingServiceSid(m.Sender)
	} else {
		parameters.SetFrom(m.Sender)
	}
	// The handler is made by hand because its constructor reads the environment.
	created, err := api.NewApiService(&twilio.RequestHandler{Client: caller}).CreateMessage(parameters)
	if err != nil {
		return twilioRefused(ctx, err, m.Sender)
	}
	if created.ErrorCode != nil && *created.ErrorCode != 0 {
		return &Refused{Class: twilioClass(*created.ErrorCode, http.StatusBadRequest, m.Sender), Vendor: *created.ErrorCode, Reason: "refused by Twilio"}
	}
	if created.Sid == nil || *created.Sid == "" {
		return &Refused{Class: Down, Reason: "the answer names no message"}
	}
	return nil
}

// exchange is a function that answers requests.
type exchange func(*http.Request) (*http.Response, error)

// RoundTrip implements http.RoundTripper.
func (e exchange) RoundTrip(r *http.Request) (*http.Response, error) { return e(r) }

// statusError is an answer in which the library would find nothing.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("status %d", int(s)) }

// exchange does for the library what it does not do itself: it binds the call to ctx, sends it to the configured address, and
// reads the answer to its end, which the library leaves open when it is an error.
func (t twilioGateway) exchange(ctx context.Context, r *http.Request) (*http.Response, error) {
	r = r.Clone(ctx)
	if t.base != nil {
		r.URL.Scheme, r.URL.Host = t.base.Scheme, t.base.Host
		r.URL.Path = strings.TrimSuffix(t.base.Path, "/") + r.URL.Path
		r.Host = ""
	}
	response, err := t.client.Do(r) //nolint:gosec // an administrator chose the address, and the client is guarded
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // it has been read
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "application/json") ||
		response.StatusCode >= http.StatusMultipleChoices && response.StatusCode < http.StatusBadRequest {
		return nil, statusError(response.StatusCode)
	}
	return response, nil
}

// twilioRefused turns an error of the library into ours. Its text is dropped: it repeats the number.
func twilioRefused(ctx context.Context, err error, sender string) error {
	var refused *twilio.TwilioRestError
	var status statusError
	var transport *url.Error
	switch {
	case errors.As(err, &refused) && refused.Status != 0:
		return &Refused{
			Class: twilioClass(refused.Code, refused.Status, sender), Status: refused.Status, Vendor: refused.Code, Reason: "refused by Twilio",
		}
	case errors.As(err, &status):
		class := Down
		if int(status) == http.StatusTooManyRequests {
			class = Throttled
		}
		return &Refused{Class: class, Status: int(status), Reason: "the answer is none of Twilio's"}
	case errors.As(err, &transport):
		return unanswered(ctx, err)
	}
	return &Refused{Class: Down, Reason: "the answer cannot be read"}
}

// What Twilio's codes say (https://www.twilio.com/docs/api/errors): about the number, whatever the sender, and about load.
var (
	twilioNumber = []int{
		21211, 21214, 21217, // no valid number
		21408,               // region not permitted
		21608, 21610, 21614, // unverified (trial account), unsubscribed, no mobile
		30003, 30004, 30005, 30006, // unreachable, blocked, unknown, landline
	}
	twilioLoad = []int{14107, 20429, 21611, 30001, 30022} // too many requests, queue full, rate of the campaign
)

func twilioClass(code, status int, sender string) Class {
	switch {
	case slices.Contains(twilioNumber, code):
		return NumberRefused
	case slices.Contains(twilioLoad, code):
		return Throttled
	}
	class := classOf(status, sender)
	if class == NumberRefused {
		class = SenderRefused // Twilio says so when it is the number
	}
	return class
}
