package sms

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
)

// Message is one text on its way to one phone.
type Message struct {
	To     string // as somebody wrote it, or E.164
	Text   string // complete: codes are filled in
	Code   string // the code inside the text, for gateways that write their own; "" = none
	Sender string // tried before those of the settings; "" = none
}

// Gateway hands messages to one provider.
type Gateway interface {
	// Send hands over one message within the time of ctx. m.To is E.164; m.Sender "" leaves the sender to the gateway.
	// Errors: *Refused.
	Send(ctx context.Context, m Message) error
}

// maker builds the gateway of a configuration upon the guarded client. To add a gateway: one file, one row.
type maker func(g *settings.SMSGateway, client *http.Client) Gateway

func makers(kind settings.SMSGatewayType) maker {
	switch kind {
	case settings.SMSOverHTTP:
		return newHTTPGateway
	case settings.SMSByTwilio:
		return newTwilio
	}
	return nil
}

const (
	attemptTimeout = 5 * time.Second // for one sender at one gateway
	atOnce         = 32              // messages in flight to one gateway; further ones wait
	maxAnswer      = 64 << 10        // bytes
)

// Config says what the sender may do. The zero value reaches public addresses only.
type Config struct {
	AllowPrivate []netip.Prefix // private networks in which gateways may be
	Timeout      time.Duration  // of one attempt; 0 = 5 s
	AtOnce       int            // messages in flight to one gateway; 0 = 32
	// Observe is told of each attempt: gateway id, "sent" or the class of the refusal, time.
	Observe func(gateway, result string, elapsed time.Duration)
}

// Sender sends messages through the gateway of the settings. It keeps one gateway, and so one connection pool, for each
// configuration. Make it with NewSender; safe for concurrent use.
type Sender struct {
	config   Config
	settings settingsSource
	numbers  limiter
	log      *slog.Logger
	now      func() time.Time

	mu      sync.Mutex
	current *line
}

// settingsSource serves the settings; each message works on one snapshot.
type settingsSource interface {
	Current() *settings.Snapshot
}

// limiter counts the messages to each number; see ratelimit.Limiter.
type limiter interface {
	Exceeded(key string) bool
	Spend(ctx context.Context, key string) (exceeded bool)
}

// line is the way to one gateway: changed settings make a new one.
type line struct {
	id      string
	print   [sha256.Size]byte
	gateway Gateway
	slots   chan struct{}
}

// NewSender returns a Sender. numbers bounds the messages to one number.
func NewSender(config Config, source settingsSource, numbers limiter, log *slog.Logger, now func() time.Time) *Sender {
	if config.Timeout <= 0 {
		config.Timeout = attemptTimeout
	}
	if config.AtOnce <= 0 {
		config.AtOnce = atOnce
	}
	if config.Observe == nil {
		config.Observe = func(string, string, time.Duration) {}
	}
	return &Sender{config: config, settings: source, numbers: numbers, log: log, now: now}
}

// Send sends a text to a phone number, and the code inside it, "" for none. Errors: *Refused.
func (s *Sender) Send(ctx context.Context, to, text, code string) error {
	return s.Deliver(ctx, Message{To: to, Text: text, Code: code})
}

// Deliver sends a message: the senders of message, settings and gateway are tried one after the other, each once, until the
// gateway takes it or refuses the number itself. Errors: *Refused.
func (s *Sender) Deliver(ctx context.Context, m Message) error {
	snapshot := s.settings.Current()
	number, err := Number(m.To, snapshot.Document.SMS.DefaultCountry)
	if err != nil {
		return err
	}
	m.To = number
	configured := snapshot.SMSGateway()
	if configured == nil {
		return &Refused{Class: Down, Reason: "no gateway is configured"}
	}
	if s.numbers.Exceeded(number) {
		return &Refused{Class: Throttled, Reason: "too many messages to one number"}
	}
	s.numbers.Spend(ctx, number)
	l, err := s.line(configured)
	if err != nil {
		return err
	}
	for _, sender := range senders(m.Sender, snapshot.Document.SMS.SenderID, configured.SenderID) {
		m.Sender = sender
		var refused *Refused
		if err = s.attempt(ctx, l, m); !errors.As(err, &refused) || refused.Class == NumberRefused || ctx.Err() != nil {
			return err
		}
	}
	return err
}

// senders lists those to try, each once. Without any the gateway uses its own.
func senders(all ...string) []string {
	var list []string
	for _, sender := range all {
		if sender != "" && !slices.Contains(list, sender) {
			list = append(list, sender)
		}
	}
	if len(list) == 0 {
		return []string{""}
	}
	return list
}

// attempt hands one message to the gateway, once.
func (s *Sender) attempt(ctx context.Context, l *line, m Message) error {
	start := s.now()
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	err := l.send(ctx, m)
	result := "sent"
	var refused *Refused
	switch {
	case errors.As(err, &refused):
		result = string(refused.Class)
		s.log.WarnContext(ctx, "text message not sent", "gateway", l.id, "class", result, "status", refused.Status,
			"vendor_code", refused.Vendor, "reason", refused.Reason)
	case err != nil:
		return err
	}
	s.config.Observe(l.id, result, s.now().Sub(start))
	return err
}

// send waits for a free slot and hands the message over.
func (l *line) send(ctx context.Context, m Message) error {
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return &Refused{Class: Throttled, Reason: "too many messages wait for the gateway"}
	}
	defer func() { <-l.slots }()
	return l.gateway.Send(ctx, m)
}

// line returns the way to a gateway, made at its first use and after each change of its settings.
func (s *Sender) line(g *settings.SMSGateway) (*line, error) {
	print := sha256.Sum256([]byte(strings.Join([]string{
		g.ID, string(g.Type), g.URL, g.Account, g.Username, g.SenderID, g.Password.Reveal(),
	}, "\x00")))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.current != nil && s.current.print == print {
		return s.current, nil
	}
	build := makers(g.Type)
	if build == nil {
		return nil, &Refused{Class: Down, Reason: "the gateway is of an unknown type"}
	}
	client := outbound.New(outbound.Config{
		Timeout: s.config.Timeout, MaxPerHost: s.config.AtOnce, MaxBody: maxAnswer, AllowPrivate: s.config.AllowPrivate,
	})
	s.current = &line{id: g.ID, print: print, gateway: build(g, client), slots: make(chan struct{}, s.config.AtOnce)}
	return s.current, nil
}

// unanswered says why a gateway gave no answer. The error of the transport is dropped: it may hold the address, with keys.
func unanswered(ctx context.Context, err error) *Refused {
	reason := "unreachable"
	switch {
	case errors.Is(err, outbound.ErrForbidden):
		reason = "address not allowed"
	case errors.Is(err, outbound.ErrTooLarge):
		reason = "answer too large"
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		reason = "timeout"
	}
	return &Refused{Class: Down, Reason: reason}
}

// classOf sorts a refusal by its HTTP status. When a sender was named it may be the cause, else it must be the number.
func classOf(status int, sender string) Class {
	switch {
	case status == http.StatusTooManyRequests:
		return Throttled
	case status != http.StatusBadRequest && status != http.StatusUnprocessableEntity:
		return Down
	case sender != "":
		return SenderRefused
	}
	return NumberRefused
}
