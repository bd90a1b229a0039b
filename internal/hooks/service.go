package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
)

const (
	connectTimeout = 2 * time.Second
	totalTimeout   = 5 * time.Second
	maxAnswer      = 256 << 10
)

// NewClient returns the client for Service. private are the private networks in which hooks may be.
func NewClient(private []netip.Prefix) *http.Client {
	return outbound.New(outbound.Config{
		Timeout: totalTimeout, ConnectTimeout: connectTimeout, MaxBody: maxAnswer, AllowPrivate: private,
	})
}

// Service asks web hooks. Every field is required. Safe for concurrent use.
type Service struct {
	Client *http.Client // see NewClient
	Sign   signer
	Issuer string
	Now    func() time.Time
	NewID  func() string // of deliveries and JWTs
	Log    *slog.Logger

	mu     sync.Mutex
	passes map[passKey]pass // JWTs that are good for further requests
}

// signer signs JWTs with the server's current key; see keys.Ring.
type signer interface {
	Sign(ctx context.Context, typ string, claims any) (string, error)
}

// Failure is the error of a hook that gave no usable answer and must not be passed over.
type Failure struct {
	Hook string // id
	*outbound.Trouble
}

// Error implements error.
func (f Failure) Error() string { return "web hook " + f.Hook + ": " + f.Trouble.Error() }

// Unwrap returns the trouble.
func (f Failure) Unwrap() error { return f.Trouble }

// Attrs are the details of the event.
func (f Failure) Attrs() []audit.Attr {
	attrs := []audit.Attr{audit.Detail("hook", f.Hook), audit.Reason(f.Reason), audit.Count("ms", int(f.Took.Milliseconds()))}
	if f.Status != 0 {
		attrs = append(attrs, audit.Count("http_status", f.Status))
	}
	return attrs
}

// Of returns the hook of a kind among those of a client, nil when the client has none.
func Of(s *settings.Snapshot, ids []string, kind settings.HookType) *settings.WebHook {
	for i := range s.Document.WebHooks {
		if h := &s.Document.WebHooks[i]; h.Type == kind && slices.Contains(ids, h.ID) {
			return h
		}
	}
	return nil
}

// open tells whether the failure of a hook is passed over: by default that of a hook about users, not of one about tokens.
func open(h *settings.WebHook) bool {
	if h.FailOpen != nil {
		return *h.FailOpen
	}
	return h.Type == settings.CustomizeUser
}

// ask sends a question to a hook and reads the answer. A failure that is passed over is logged, and there is no answer.
// Errors: Failure.
func (s *Service) ask(ctx context.Context, h *settings.WebHook, path string, question any, read func(answer []byte) error) (answered bool, err error) {
	body, err := json.Marshal(question)
	if err != nil {
		return false, fmt.Errorf("encode question to web hook: %w", err)
	}
	trouble := s.exchange(ctx, h, path, body, read)
	switch {
	case trouble == nil:
		return true, nil
	case open(h):
		s.Log.WarnContext(ctx, "web hook passed over", "hook", h.ID, "error", trouble, "transaction_id", audit.TransactionID(ctx))
		return false, nil
	}
	return false, Failure{h.ID, trouble}
}

func (s *Service) exchange(ctx context.Context, h *settings.WebHook, path string, body []byte, read func([]byte) error) *outbound.Trouble {
	ctx, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(h.BaseURI, "/")+path, bytes.NewReader(body))
	if err != nil {
		return outbound.Trouble{}.Because("address unusable", outbound.WithoutQuery(err))
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if err := s.prove(ctx, h, request, body); err != nil {
		return outbound.Trouble{Host: request.URL.Host}.Because("credentials", err)
	}
	answer, exchange, err := outbound.Ask(s.Client, request, s.Now)
	if err != nil {
		var trouble *outbound.Trouble
		if errors.As(err, &trouble) {
			return trouble
		}
		return exchange.Because("unreachable", err)
	}
	if err := read(answer); err != nil {
		return exchange.Because("malformed answer", err)
	}
	return nil
}
