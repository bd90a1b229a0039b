package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"tokenserver/internal/settings"
)

// httpGateway is any service that honours this contract: POST of JSON to one address, with Basic authentication if it is
// configured. Only 204 means sent: a service that answers 200 with an error inside is not believed.
type httpGateway struct {
	settings *settings.SMSGateway
	client   *http.Client
}

func newHTTPGateway(g *settings.SMSGateway, client *http.Client) Gateway {
	return httpGateway{g, client}
}

// httpMessage is the body.
type httpMessage struct {
	PhoneNumber      string `json:"phone_number"` // E.164
	Message          string `json:"message"`
	VerificationCode string `json:"verification_code,omitempty"`
	SenderID         string `json:"sender_id,omitempty"`
}

// Send implements Gateway.
func (h httpGateway) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(httpMessage{PhoneNumber: m.To, Message: m.Text, VerificationCode: m.Code, SenderID: m.Sender})
	if err != nil {
		return &Refused{Class: Down, Reason: "message cannot be encoded"}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, h.settings.URL, bytes.NewReader(body))
	if err != nil {
		return &Refused{Class: Down, Reason: "address is malformed"}
	}
	request.Header.Set("Content-Type", "application/json;charset=UTF-8")
	if h.settings.Username != "" {
		request.SetBasicAuth(h.settings.Username, h.settings.Password.Reveal())
	}
	response, err := h.client.Do(request)
	if err != nil {
		return unanswered(ctx, err)
	}
	_ = response.Body.Close() // what it says beside the status changes nothing, and may repeat the code
	if response.StatusCode != http.StatusNoContent {
		return &Refused{
			Class: classOf(response.StatusCode, m.Sender), Status: response.StatusCode, Reason: "the gateway did not answer 204",
		}
	}
	return nil
}
