package entitlement

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
	"tokenserver/internal/strictjson"
)

const (
	connectTimeout = 2 * time.Second
	totalTimeout   = 5 * time.Second // the second try of a failed connect included
	maxAnswer      = 64 << 10
)

// NewClient returns the client for Service. private are the private networks in which the service may be.
func NewClient(private []netip.Prefix) *http.Client {
	return outbound.New(outbound.Config{
		Timeout: totalTimeout, ConnectTimeout: connectTimeout, MaxBody: maxAnswer, AllowPrivate: private,
	})
}

// Service asks the scope verification service of the settings. Every field but TransactionHeader is required. Safe for
// concurrent use.
type Service struct {
	Settings          settingsSource
	Client            *http.Client // see NewClient
	Now               func() time.Time
	TransactionHeader string // that carries the transaction id on to the service; "" = X-Request-Id
}

// settingsSource gives the settings as they are now.
type settingsSource interface {
	Current() *settings.Snapshot
}

const usualHeader = "X-Request-Id"

// Refusal says which scope a person may not have. The zero value refuses nothing.
type Refusal struct {
	Refused  bool
	Scope    string // "" when the service does not say which
	Endpoint string // where the user is sent, an absolute address: the scope's own, else the general one; "" = none
}

// NoVerdict is the error of a service that gave no usable answer. The request must not go on.
type NoVerdict struct{ *outbound.Trouble }

// Unwrap returns the trouble.
func (n NoVerdict) Unwrap() error { return n.Trouble }

// Attrs are the details of EXTERNAL_SCOPE_CHECK_FAILED.
func (n NoVerdict) Attrs() []audit.Attr {
	attrs := []audit.Attr{audit.Reason(n.Reason), audit.Detail("endpoint", n.Host), audit.Count("ms", int(n.Took.Milliseconds()))}
	if n.Status != 0 {
		attrs = append(attrs, audit.Count("http_status", n.Status))
	}
	return attrs
}

// question is the body of a request.
type question struct {
	UserID           string         `json:"user_id"`
	ExternalIdentity string         `json:"external_identity"` // the id as the identity provider issued it
	Scopes           []scopeInDoubt `json:"scopes"`
}

type scopeInDoubt struct {
	ID              string  `json:"id"`
	ServiceEndpoint *string `json:"service_endpoint"` // null when the scope has none
}

// Check asks whether a person may have all the scopes. externalID is the person's id as the identity provider issued it.
// Without a service every scope is allowed. Errors: NoVerdict.
func (s *Service) Check(ctx context.Context, userID, externalID string, scopes []string) (Refusal, error) {
	now := s.Settings.Current()
	service := &now.Document.OAuth.ScopeVerification
	if !service.Enabled || len(scopes) == 0 {
		return Refusal{}, nil
	}
	q := question{UserID: userID, ExternalIdentity: externalID, Scopes: make([]scopeInDoubt, len(scopes))}
	for i, id := range scopes {
		q.Scopes[i].ID = id
		if known := now.Scope(id); known != nil && known.ServiceEndpoint != "" {
			q.Scopes[i].ServiceEndpoint = &known.ServiceEndpoint
		}
	}
	body, err := json.Marshal(q)
	if err != nil {
		return Refusal{}, fmt.Errorf("encode scope verification: %w", err)
	}
	answer, exchange, err := s.ask(ctx, service, body)
	if err != nil {
		return Refusal{}, err
	}
	refused, scope, err := verdict(answer)
	if err != nil {
		return Refusal{}, NoVerdict{exchange.Because("malformed answer", err)}
	}
	if !refused {
		return Refusal{}, nil
	}
	if !slices.Contains(scopes, scope) { // what was not asked about is no name of a scope of ours
		scope = ""
	}
	r := Refusal{Refused: true, Scope: scope, Endpoint: service.FailedEndpoint}
	if known := now.Scope(scope); known != nil && known.FailedEndpoint != "" {
		r.Endpoint = known.FailedEndpoint
	}
	return r, nil
}

// ask sends the question; a second time only when the first never reached the service.
func (s *Service) ask(ctx context.Context, service *settings.ScopeVerification, body []byte) ([]byte, outbound.Trouble, error) {
	ctx, cancel := context.WithTimeout(ctx, totalTimeout)
	defer cancel()
	for again := false; ; again = true {
		answer, exchange, err := s.askOnce(ctx, service, body)
		var trouble *outbound.Trouble
		switch {
		case err == nil:
			return answer, exchange, nil
		case !errors.As(err, &trouble):
			return nil, exchange, err
		case trouble.Reason == "connect" && !again && ctx.Err() == nil:
			continue
		}
		return nil, exchange, NoVerdict{trouble}
	}
}

func (s *Service) askOnce(ctx context.Context, service *settings.ScopeVerification, body []byte) ([]byte, outbound.Trouble, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, service.Endpoint, bytes.NewReader(body))
	if err != nil {
		return nil, outbound.Trouble{}, NoVerdict{outbound.Trouble{}.Because("address unusable", outbound.WithoutQuery(err))}
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if id := audit.TransactionID(ctx); id != "" {
		header := s.TransactionHeader
		if header == "" {
			header = usualHeader
		}
		request.Header.Set(header, id)
	}
	if service.Username != "" || !service.Password.Empty() {
		request.SetBasicAuth(service.Username, service.Password.Reveal())
	}
	return outbound.Ask(s.Client, request, s.Now)
}

// verdict reads an answer: SUCCESS, or FAILURE with or without the name of a scope. Anything else is no verdict.
func verdict(answer []byte) (refused bool, scope string, err error) {
	members, err := strictjson.Object(answer)
	if err != nil {
		return false, "", err
	}
	var result string
	if err := json.Unmarshal(members["verification_result"], &result); err != nil {
		return false, "", fmt.Errorf("verification_result: %w", err)
	}
	switch result {
	case "SUCCESS":
		return false, "", nil
	case "FAILURE":
		// The name only chooses a page: whatever stands there, the person is refused.
		_ = json.Unmarshal(members["unauthorized_scope"], &scope)
		return true, scope, nil
	}
	return false, "", errors.New("unknown verification_result")
}
