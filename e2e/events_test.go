package e2e_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sealTime is how long a committed event may take until the events API shows it.
const sealTime = 20 * time.Second

// event is one line of the audit log as the events API shows it.
type event struct {
	ID          string         `json:"event_identifier"`
	Code        string         `json:"event_type"`
	ClientID    string         `json:"client_id"`
	UserID      string         `json:"user_id"`
	ClientIP    string         `json:"client_ip"`
	Application string         `json:"app_name"`
	Transaction string         `json:"transaction_id"`
	Agent       string         `json:"event_agent_user"`
	Occurred    int64          `json:"occurred"`
	Position    int64          `json:"position"`
	Details     map[string]any `json:"details"`
}

// detail returns one member of the details, as text.
func (e event) detail(name string) string {
	if e.Details[name] == nil {
		return ""
	}
	return fmt.Sprint(e.Details[name])
}

// auditLog reads the audit log of one deployment through the events API and keeps what it has read.
type auditLog struct {
	d *deployment

	reading sync.Mutex // one reader at a time
	mu      sync.Mutex
	upTo    int64 // highest position read
	events  []event
	by      map[string][]event // by transaction id, in order of position
}

func newAuditLog(d *deployment) *auditLog { return &auditLog{d: d, by: map[string][]event{}} }

// read adds what was sealed since the last time. It returns the transaction id under which it asked: when that one's own
// events have been read, everything that was answered before the call has been read, too.
func (l *auditLog) read(ctx context.Context) (string, error) {
	l.reading.Lock()
	defer l.reading.Unlock()
	transaction := nextTransaction("harness")
	const size = 1000
	var fresh []event
	before := int64(0)
	for {
		query := url.Values{"size": {strconv.Itoa(size)}}
		if before > 0 {
			query.Set("before_position", strconv.FormatInt(before, 10))
		}
		page, err := l.page(ctx, transaction, query)
		if err != nil {
			return "", err
		}
		done := len(page) < size
		for _, e := range page {
			if e.Position <= l.upTo {
				done = true
				break
			}
			fresh = append(fresh, e)
			before = e.Position
		}
		if done {
			break
		}
	}
	slices.SortFunc(fresh, func(a, b event) int { return cmp.Compare(a.Position, b.Position) })
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range fresh {
		if e.Position != l.upTo+1 {
			return "", fmt.Errorf("events API: position %d follows %d", e.Position, l.upTo)
		}
		l.upTo = e.Position
		l.events = append(l.events, e)
		l.by[e.Transaction] = append(l.by[e.Transaction], e)
	}
	return transaction, nil
}

// page asks the events API once.
func (l *auditLog) page(ctx context.Context, transaction string, query url.Values) ([]event, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.d.base+"/api/v1/events?"+query.Encode(), nil)
	if err != nil {
		return nil, fmt.Errorf("events API: %w", err)
	}
	request.SetBasicAuth(auditClient, l.d.world.secret)
	request.Header.Set(transactionHeader, transaction)
	request.Header.Set("X-Forwarded-For", "10.255.255.1")
	response, err := l.d.transport.RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("events API: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("events API: status %d", response.StatusCode)
	}
	var body struct {
		ResultSet []event `json:"result_set"`
	}
	if err := json.NewDecoder(response.Body).Decode(&body); err != nil {
		return nil, fmt.Errorf("events API: %w", err)
	}
	return body.ResultSet, nil
}

var errUnsealed = errors.New("the events are not sealed")

// settle returns when everything that was answered before the call has been read.
func (l *auditLog) settle(ctx context.Context) error {
	deadline := time.Now().Add(sealTime)
	mark := ""
	for {
		transaction, err := l.read(ctx)
		if mark == "" {
			mark = transaction
		}
		if mark != "" && len(l.of(mark)) > 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("the audit log does not show what was answered %v ago: %w", sealTime, errors.Join(err, errUnsealed))
		}
		time.Sleep(pollEvery)
	}
}

// of returns the events of one transaction id that have been read.
func (l *auditLog) of(transaction string) []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.by[transaction])
}

// all returns everything that has been read.
func (l *auditLog) all() []event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// want compares the whole list of codes of one transaction id.
func (l *auditLog) want(t *testing.T, step, transaction, codes string) {
	t.Helper()
	if err := l.settle(t.Context()); err != nil {
		t.Errorf("%s: %v", step, err)
		return
	}
	events := l.of(transaction)
	if got := codesOf(events); got != codes {
		t.Errorf("%s: audit log\n  has  %s\n  want %s\n  %s", step, got, codes, detailsOf(events))
	}
}

// await waits for an event that match accepts.
func (l *auditLog) await(t *testing.T, what string, match func(event) bool) {
	t.Helper()
	deadline := time.Now().Add(sealTime)
	for {
		_, err := l.read(t.Context())
		for _, e := range l.all() {
			if match(e) {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("no event %s in the audit log after %v (%v)", what, sealTime, err)
		}
		time.Sleep(pollEvery)
	}
}

// codesOf joins the codes of a list of events.
func codesOf(events []event) string {
	codes := make([]string, len(events))
	for i := range events {
		codes[i] = events[i].Code
	}
	return strings.Join(codes, " ")
}

// detailsOf shows what a surprising list says.
func detailsOf(events []event) string {
	var text strings.Builder
	for _, e := range events {
		details, _ := json.Marshal(e.Details)
		fmt.Fprintf(&text, "%s %s; ", e.Code, details)
	}
	return text.String()
}
