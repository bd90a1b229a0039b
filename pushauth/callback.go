package pushauth

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/jobs"
	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// CallbackJob is the kind of the jobs that tell a portal about the end of a transaction.
const CallbackJob = "pushauth.callback"

const (
	callbackWorkers = 8

	webhookSecretPrefix = "whsec_" // Standard Webhooks
)

// callbackPayload is a job's payload: what the events of the delivery need.
type callbackPayload struct {
	TransactionID string `json:"transaction_id"`
	CallbackURI   string `json:"callback_uri"`
	UserID        string `json:"user_id"`
	ClientID      string `json:"client_id"`
	APIClient     string `json:"api_client"`
}

// addCallback writes the job that calls the portal, in the transaction of ctx.
func (e *Endings) addCallback(ctx context.Context, t store.Transaction) error {
	payload, err := json.Marshal(callbackPayload{
		TransactionID: t.ID, CallbackURI: t.CallbackURI, UserID: t.UserID, ClientID: t.ClientID, APIClient: t.APIClient,
	})
	if err != nil {
		return fmt.Errorf("encode callback: %w", err)
	}
	now := e.Now()
	return e.Decisions.AddJob(ctx, store.Job{
		ID: e.NewID(), Kind: CallbackJob, Payload: payload, NotBefore: now, CreatedAt: now,
	})
}

// Callbacks tells portals that their transactions have ended. The body names the transaction and holds no result: the
// portal fetches it. Every field is required.
type Callbacks struct {
	Settings   settingsSource
	Configured *http.Client  // for addresses that an administrator typed in: these may be private
	Strict     *http.Client  // for all others, which a portal has sent
	Timeout    time.Duration // of one call
	Audit      *audit.Recorder
	Now        func() time.Time
}

// NewCallbackClients returns the two clients of Callbacks. private are the private networks in which any callback may be;
// roots are the certificate authorities of portals, nil = those of the system.
func NewCallbackClients(timeout time.Duration, private []netip.Prefix, roots *x509.CertPool) (configured, strict *http.Client) {
	everywhere := []netip.Prefix{netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)}
	configured = outbound.New(outbound.Config{Timeout: timeout, RootCAs: roots, AllowPrivate: everywhere})
	return configured, outbound.New(outbound.Config{Timeout: timeout, RootCAs: roots, AllowPrivate: private})
}

// settingsSource gives the settings as they are now.
type settingsSource interface {
	Current() *settings.Snapshot
}

// Kind is how the job runner does callbacks. PUSH_AUTH_CALLBACK_SENT or, after the last try, PUSH_AUTH_CALLBACK_FAILED
// is written once for each transaction.
func (c *Callbacks) Kind() jobs.Kind {
	return jobs.Kind{Name: CallbackJob, Workers: callbackWorkers, Timeout: c.Timeout, Work: c.deliver, Bury: c.giveUp}
}

// callbackRefused is an answer that is no success; status 0 = there was none.
type callbackRefused struct {
	status int
	class  string // short, for the event
	cause  error
}

func (r callbackRefused) Error() string {
	if r.cause != nil {
		return "callback: " + r.cause.Error()
	}
	return "callback: status " + strconv.Itoa(r.status)
}

func (r callbackRefused) Unwrap() error { return r.cause }

// deliver calls the portal once.
func (c *Callbacks) deliver(ctx context.Context, job store.Job) error {
	var p callbackPayload
	if err := json.Unmarshal(job.Payload, &p); err != nil {
		return jobs.Final(fmt.Errorf("decode callback: %w", err))
	}
	body, err := json.Marshal(struct {
		CallbackURI   string `json:"callback_uri"`
		TransactionID string `json:"transaction_id"`
	}{p.CallbackURI, p.TransactionID})
	if err != nil {
		return jobs.Final(fmt.Errorf("encode callback: %w", err))
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.CallbackURI, bytes.NewReader(body))
	if err != nil {
		return jobs.Final(callbackRefused{class: "invalid_url", cause: outbound.WithoutQuery(err)})
	}
	client := c.Strict
	request.Header.Set("Content-Type", web.JSONType)
	configured := c.Settings.Current().Callback(p.CallbackURI)
	if configured != nil {
		client = c.Configured
		if configured.Username != "" {
			request.SetBasicAuth(configured.Username, configured.Password.Reveal())
		}
	}
	if err := sign(request.Header, job.ID, c.Now(), body, configured); err != nil {
		return jobs.Final(callbackRefused{class: "signing_secret", cause: err})
	}
	response, err := client.Do(request)
	if err != nil {
		return unreachable(err)
	}
	_ = response.Body.Close() // what the portal says beside the status does not matter
	if status := response.StatusCode; status < http.StatusOK || status >= http.StatusMultipleChoices {
		refused := callbackRefused{status: status, class: "status"}
		if status == http.StatusRequestTimeout || status == http.StatusTooManyRequests || status >= http.StatusInternalServerError {
			return refused
		}
		return jobs.Final(refused)
	}
	c.Audit.Record(ctx, audit.PushAuthCallbackSent, append(p.attrs(),
		audit.Count("http_status", response.StatusCode), audit.Count("tries", job.Attempts))...)
	return nil
}

// unreachable tells errors that another try may cure from those that it cannot.
func unreachable(err error) error {
	refused := callbackRefused{class: "unreachable", cause: outbound.WithoutQuery(err)}
	switch {
	case errors.Is(err, outbound.ErrForbidden):
		refused.class = "address_not_allowed"
		return jobs.Final(refused)
	case errors.Is(err, context.DeadlineExceeded):
		refused.class = "timeout"
	}
	return refused
}

// giveUp records that the portal could not be told.
func (c *Callbacks) giveUp(ctx context.Context, job store.Job, cause error) error {
	var p callbackPayload
	_ = json.Unmarshal(job.Payload, &p) // an unreadable payload is what the event is about then
	attrs := append(p.attrs(), audit.Count("tries", job.Attempts))
	var refused callbackRefused
	switch {
	case !errors.As(cause, &refused):
		attrs = append(attrs, audit.Reason("payload"))
	case refused.status != 0:
		attrs = append(attrs, audit.Reason(refused.class), audit.Count("http_status", refused.status))
	default:
		attrs = append(attrs, audit.Reason(refused.class))
	}
	c.Audit.Record(ctx, audit.PushAuthCallbackFailed, attrs...)
	return nil
}

func (p callbackPayload) attrs() []audit.Attr {
	return []audit.Attr{audit.Client(p.ClientID), audit.User(p.UserID), audit.APIAgent(p.APIClient), audit.Transaction(p.TransactionID)}
}

// sign sets the headers of the Standard Webhooks form. Without a configuration for the address there is no secret, and
// so no signature.
func sign(h http.Header, id string, now time.Time, body []byte, configured *settings.Callback) error {
	stamp := strconv.FormatInt(now.Unix(), 10)
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", stamp)
	if configured == nil || configured.SigningSecret.Empty() {
		return nil
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(configured.SigningSecret.Reveal(), webhookSecretPrefix))
	if err != nil {
		return errors.New("the signing secret is not base64") // without the secret
	}
	m := hmac.New(sha256.New, key)
	m.Write([]byte(id + "." + stamp + "."))
	m.Write(body)
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(m.Sum(nil)))
	return nil
}

func isConflict(err error) bool { return errors.Is(err, store.ErrConflict) }
