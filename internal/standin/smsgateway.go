package standin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// SMSGateway is a gateway that takes text messages as JSON over HTTP: POST /sms, Basic authentication, 204 when the message was
// taken. Planned failures: see the embedded methods; a planned status of 200 is a gateway that lies: success on the outside, an
// error in the body.
type SMSGateway struct {
	textService
	server  *http.Server
	address string
}

// The credentials of the gateway.
const (
	SMSGatewayUser     = "tokenserver"
	SMSGatewayPassword = "sms-gateway-password"
)

const smsMaxBody = 16 << 10

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// StartSMSGateway starts the gateway on a free port. now is its clock.
func StartSMSGateway(now func() time.Time) (*SMSGateway, error) {
	g := &SMSGateway{textService: textService{now: now}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /sms", g.take)
	g.server = &http.Server{Handler: mux}
	address, err := serve(g.server, nil)
	if err != nil {
		return nil, fmt.Errorf("start sms gateway: %w", err)
	}
	g.address = address
	return g, nil
}

// URL is where messages are posted.
func (g *SMSGateway) URL() string { return "http://" + g.address + "/sms" }

// Close stops the gateway and closes the channels of Subscribe.
func (g *SMSGateway) Close() error {
	defer g.stop()
	if err := g.server.Close(); err != nil {
		return fmt.Errorf("close sms gateway: %w", err)
	}
	return nil
}

// take answers POST /sms.
func (g *SMSGateway) take(w http.ResponseWriter, r *http.Request) {
	refuse := func(status int, reason string) { writeJSON(w, status, map[string]string{"error": reason}) }
	if failed, planned := g.planned(r.Context()); planned {
		refuse(failed.status, failed.reason)
		return
	}
	if user, password, _ := r.BasicAuth(); user != SMSGatewayUser || password != SMSGatewayPassword {
		refuse(http.StatusUnauthorized, "unknown user")
		return
	}
	if kind := r.Header.Get("Content-Type"); !strings.EqualFold(kind, "application/json;charset=UTF-8") {
		refuse(http.StatusUnsupportedMediaType, "want application/json;charset=UTF-8")
		return
	}
	var m struct {
		PhoneNumber      string  `json:"phone_number"`
		Message          string  `json:"message"`
		VerificationCode string  `json:"verification_code"`
		SenderID         *string `json:"sender_id"`
	}
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, smsMaxBody))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&m); err != nil || decoder.Decode(new(struct{})) != io.EOF {
		refuse(http.StatusBadRequest, "no message")
		return
	}
	switch {
	case !e164.MatchString(m.PhoneNumber):
		refuse(http.StatusUnprocessableEntity, "invalid phone number")
	case m.Message == "":
		refuse(http.StatusUnprocessableEntity, "empty message")
	case m.SenderID != nil && *m.SenderID == "":
		refuse(http.StatusUnprocessableEntity, "empty sender")
	default:
		t := Text{Service: "http", ID: randomHex(16), To: m.PhoneNumber, Body: m.Message, Code: m.VerificationCode, At: g.now()}
		if m.SenderID != nil {
			t.From = *m.SenderID
		}
		g.accept(t)
		w.WriteHeader(http.StatusNoContent)
	}
}
