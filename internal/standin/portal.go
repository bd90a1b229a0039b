package standin

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	webhookSecretPrefix = "whsec_"
	webhookTolerance    = 5 * time.Minute
	portalMaxBody       = 1 << 16
)

// Callback is one delivery that reached the portal.
type Callback struct {
	ID            string // webhook-id: the same on every try of one delivery
	TransactionID string
	CallbackURI   string
	Body          []byte
	Header        http.Header
	At            time.Time
	Status        int    // what the portal answered
	Problem       string // why it was refused; empty when it was accepted or failed on purpose
}

// Portal is a relying party's back end: it receives callbacks, verifies their signature and remembers them. Calls to the server
// are in PortalAPI.
type Portal struct {
	now     func() time.Time
	server  *http.Server
	address string

	mu          sync.Mutex
	secret      string
	fault       fault
	delay       time.Duration
	callbacks   []Callback
	subscribers []chan Callback
	closed      bool
}

// StartPortal starts a portal on a free port, with a fresh webhook secret. now is its clock.
func StartPortal(now func() time.Time) (*Portal, error) {
	p := &Portal{now: now, secret: NewWebhookSecret()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /callback", p.callback)
	p.server = &http.Server{Handler: mux}
	address, err := serve(p.server, nil)
	if err != nil {
		return nil, fmt.Errorf("start portal: %w", err)
	}
	p.address = address
	return p, nil
}

// NewWebhookSecret makes a secret in the Standard Webhooks form: whsec_ and 32 random bytes in base64.
func NewWebhookSecret() string {
	key := make([]byte, sha256.Size)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return webhookSecretPrefix + base64.StdEncoding.EncodeToString(key)
}

// URL is the base URL of the portal.
func (p *Portal) URL() string { return "http://" + p.address }

// CallbackURL is the callback_uri to start transactions with.
func (p *Portal) CallbackURL() string { return p.URL() + "/callback" }

// Secret is the webhook secret that the server must sign with.
func (p *Portal) Secret() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.secret
}

// SetSecret replaces the webhook secret. Empty accepts callbacks without a signature.
func (p *Portal) SetSecret(secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.secret = secret
}

// FailNext makes the next n callbacks fail with a status; status 0 cuts the connection.
func (p *Portal) FailNext(n, status int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault{left: n, status: status}
}

// Delay makes every answer wait; 0 ends it.
func (p *Portal) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Callbacks returns all deliveries so far, failed and refused ones included, oldest first.
func (p *Portal) Callbacks() []Callback {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.callbacks)
}

// Subscribe returns a channel of the deliveries from now on; Close closes it. A reader that falls more than 1024 behind misses
// some.
func (p *Portal) Subscribe() <-chan Callback {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := make(chan Callback, subscriberBuffer)
	if p.closed {
		close(c)
		return c
	}
	p.subscribers = append(p.subscribers, c)
	return c
}

// Close stops the portal and closes the channels of Subscribe.
func (p *Portal) Close() error {
	err := p.server.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.closed = true
		for _, c := range p.subscribers {
			close(c)
		}
	}
	if err != nil {
		return fmt.Errorf("close portal: %w", err)
	}
	return nil
}

// callback answers POST /callback: 204 when all is well, 401 for a bad signature, 400 for a bad body.
func (p *Portal) callback(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	delay, planned, secret := p.delay, p.fault, p.secret
	if planned.left > 0 {
		p.fault.left--
	}
	p.mu.Unlock()
	wait(r.Context(), delay)

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, portalMaxBody))
	c := Callback{ID: r.Header.Get("Webhook-Id"), Body: body, Header: r.Header.Clone(), At: p.now(), Status: http.StatusNoContent}
	switch {
	case planned.left > 0:
		c.Status = planned.status
	case err != nil:
		c.Status, c.Problem = http.StatusBadRequest, "body: "+err.Error()
	default:
		if err := VerifyWebhook(secret, r.Header, body, p.now()); err != nil {
			c.Status, c.Problem = http.StatusUnauthorized, err.Error()
		} else if err := c.read(); err != nil {
			c.Status, c.Problem = http.StatusBadRequest, err.Error()
		}
	}
	p.record(c)
	if c.Status == 0 {
		panic(http.ErrAbortHandler) // cuts the connection
	}
	w.WriteHeader(c.Status)
}

// read takes the two members of the body; there must be no result inside.
func (c *Callback) read() error {
	var body map[string]string
	if err := json.Unmarshal(c.Body, &body); err != nil {
		return errors.New("body is not an object of strings")
	}
	c.TransactionID, c.CallbackURI = body["transaction_id"], body["callback_uri"]
	if c.TransactionID == "" || c.CallbackURI == "" || len(body) != 2 {
		return errors.New("body must hold transaction_id and callback_uri, nothing else")
	}
	return nil
}

// record keeps a delivery and hands it on.
func (p *Portal) record(c Callback) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.callbacks = append(p.callbacks, c)
	for _, s := range p.subscribers {
		select {
		case s <- c:
		default:
		}
	}
}

// VerifyWebhook checks the Standard Webhooks headers of a delivery: webhook-id, webhook-timestamp within five minutes, and one
// v1 signature that is HMAC-SHA256 over id.timestamp.body. An empty secret accepts anything.
func VerifyWebhook(secret string, h http.Header, body []byte, now time.Time) error {
	if secret == "" {
		return nil
	}
	id, stamp := h.Get("Webhook-Id"), h.Get("Webhook-Timestamp")
	if id == "" || stamp == "" {
		return errors.New("webhook-id or webhook-timestamp is missing")
	}
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errors.New("webhook-timestamp is not a number")
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > webhookTolerance || age < -webhookTolerance {
		return errors.New("webhook-timestamp is too far away")
	}
	want, err := SignWebhook(secret, id, stamp, body)
	if err != nil {
		return err
	}
	for _, signature := range strings.Fields(h.Get("Webhook-Signature")) {
		if hmac.Equal([]byte(signature), []byte(want)) {
			return nil
		}
	}
	return errors.New("webhook-signature does not match")
}

// SignWebhook makes the v1 signature of a delivery.
func SignWebhook(secret, id, timestamp string, body []byte) (string, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, webhookSecretPrefix))
	if err != nil {
		return "", errors.New("webhook secret is not base64")
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(id + "." + timestamp + "."))
	m.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(m.Sum(nil)), nil
}
