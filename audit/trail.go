package audit

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Origin is what every event of one request has in common.
type Origin struct {
	ClientIP      string
	UserAgent     string
	TransactionID string
	Instance      string
}

// Trail collects the events of one request, or of one background job, until they are committed.
type Trail struct {
	mu      sync.Mutex
	origin  Origin
	facts   []Attr
	proved  bool // the caller has proved who it is
	pending []Event
	written []Code
}

// NewTrail starts an empty trail.
func NewTrail(origin Origin) *Trail { return &Trail{origin: origin} }

type trailKey struct{}

// WithTrail puts t into the context of a request.
func WithTrail(ctx context.Context, t *Trail) context.Context {
	return context.WithValue(ctx, trailKey{}, t)
}

// TrailOf returns the trail of a request; nil when there is none.
func TrailOf(ctx context.Context) *Trail {
	t, _ := ctx.Value(trailKey{}).(*Trail)
	return t
}

// TransactionID returns the request's transaction id, "" outside a request. Outbound calls pass it on.
func TransactionID(ctx context.Context) string {
	if t := TrailOf(ctx); t != nil {
		return t.origin.TransactionID
	}
	return ""
}

// ClientIP returns the address from which the request came, "" outside a request.
func ClientIP(ctx context.Context) string {
	if t := TrailOf(ctx); t != nil {
		return t.origin.ClientIP
	}
	return ""
}

// Know adds facts to every event that the trail gets from now on: who the caller turned out, or claims, to be.
func Know(ctx context.Context, facts ...Attr) {
	if t := TrailOf(ctx); t != nil {
		t.mu.Lock()
		t.facts = append(t.facts, facts...)
		t.mu.Unlock()
	}
}

// Admit is Know for a caller that has proved who it is: by a credential, a token, a key or a session. What fails in this
// request from now on is not anonymous.
func Admit(ctx context.Context, facts ...Attr) {
	Know(ctx, facts...)
	if t := TrailOf(ctx); t != nil {
		t.mu.Lock()
		t.proved = true
		t.mu.Unlock()
	}
}

// Anonymous tells whether nobody has proved who is calling.
func (t *Trail) Anonymous() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return !t.proved
}

// Mark returns the number of events that are not committed yet. Cut takes it.
func (t *Trail) Mark() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.pending)
}

// Cut forgets the events after mark: what a rolled-back transaction would have reported did not happen.
func (t *Trail) Cut(mark int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.pending = t.pending[:min(mark, len(t.pending))]
}

// Pending returns a copy of the events that are not committed yet.
func (t *Trail) Pending() []Event {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.pending)
}

// Committed drops the first n pending events: they are stored now.
func (t *Trail) Committed(n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.pending[:n] {
		t.written = append(t.written, e.Code)
	}
	t.pending = slices.Delete(t.pending, 0, n)
}

// Codes returns every code of the trail so far, committed or not, in order: the access log prints them.
func (t *Trail) Codes() []Code {
	t.mu.Lock()
	defer t.mu.Unlock()
	codes := slices.Clone(t.written)
	for _, e := range t.pending {
		codes = append(codes, e.Code)
	}
	return codes
}

// Recorder adds events to the trail of the request at hand.
type Recorder struct {
	Now func() time.Time // UTC
}

// Record adds one event to the pending events of the request. It has no error result: the events are written with
// the effect by the store's transaction, or before the answer by package web, which answers 503 when they cannot be.
// A context without a trail is a fault of the program and panics: going on would lose the event.
func (r *Recorder) Record(ctx context.Context, code Code, attrs ...Attr) {
	t := TrailOf(ctx)
	if t == nil {
		panic("audit: " + string(code) + " recorded without a trail")
	}
	e := Event{Time: r.Now().UTC().Truncate(time.Microsecond), Code: code}
	t.mu.Lock()
	defer t.mu.Unlock()
	e.ClientIP, e.UserAgent = t.origin.ClientIP, t.origin.UserAgent
	e.TransactionID, e.Instance = t.origin.TransactionID, t.origin.Instance
	for _, fact := range t.facts {
		fact.set(&e)
	}
	for _, attr := range attrs {
		attr.set(&e)
	}
	e.makeStorable()
	t.pending = append(t.pending, e)
}

// makeStorable replaces what PostgreSQL refuses in a text: bytes that are not UTF-8, and NUL. Both can come from the
// outside, for example in a User-Agent, and must not keep an event from being stored.
func (e *Event) makeStorable() {
	for _, text := range []*string{
		&e.ClientID, &e.UserID, &e.ProfileID, &e.Application, &e.Platform, &e.Version, &e.ClientIP, &e.UserAgent,
		&e.TransactionID, &e.Agent, &e.AdminUser, &e.Instance,
	} {
		if !utf8.ValidString(*text) || strings.IndexByte(*text, 0) >= 0 {
			*text = strings.ReplaceAll(strings.ToValidUTF8(*text, "\ufffd"), "\x00", "\ufffd")
		}
	}
}
