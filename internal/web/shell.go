package web

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
)

// MaxBody is how many bytes of a request body are read unless a route says otherwise.
const MaxBody = 64 << 10

// Shell builds echo servers whose requests are audited. Audit, Commit, Log, Now and NewID are required.
type Shell struct {
	Audit  *audit.Recorder
	Commit func(context.Context, []audit.Event) error // stores events that belong to no effect; shared by concurrent requests
	Log    *slog.Logger
	Now    func() time.Time
	NewID  func() string // UUID

	Instance          string           // of this process, in every event
	TrustedProxies    []netip.Prefix   // whose X-Forwarded-For is believed
	TransactionHeader string           // request header that carries the transaction id; "" = always made here
	BodyLimits        map[string]int64 // bytes, of routes that take more than MaxBody, by route pattern
	Budget            Budget           // of garbage by address; nil = none
	Secure            bool             // the public address is https: browsers are told to keep to it
	Observe           func(Observation)
}

// patience is how long a request may wait for stores and for others altogether.
const patience = 25 * time.Second

// Budget limits what one client address may waste: requests that leave an event of their failure before anybody has proved
// who it is; see audit.Admit.
type Budget interface {
	// Exhausted tells whether requests of that address are refused for now.
	Exhausted(ctx context.Context, address string) bool
	// Spend counts one failed, anonymous request.
	Spend(ctx context.Context, address string)
}

// Observation is what metrics learn of one answered request.
type Observation struct {
	Route   string // the pattern, never the path
	Method  string
	Status  int
	Elapsed time.Duration
	Codes   []audit.Code
}

// New returns an echo server with the shell's middleware and error handler.
func (s *Shell) New() *echo.Echo {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.HTTPErrorHandler = s.HandleError
	e.Use(s.audited)
	return e
}

// audited is the one middleware: trail, buffer, recovery, commit, access line.
func (s *Shell) audited(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		start := s.Now()
		request := c.Request()
		address := clientAddress(request, s.TrustedProxies)
		trail := audit.NewTrail(audit.Origin{
			ClientIP: address, UserAgent: clip(request.UserAgent(), 512),
			TransactionID: s.transactionID(request), Instance: s.Instance,
		})
		ctx, cancel := context.WithTimeout(audit.WithTrail(request.Context(), trail), patience)
		defer cancel()
		request = request.WithContext(ctx)
		limit := int64(MaxBody)
		if larger := s.BodyLimits[c.Path()]; larger > limit {
			limit = larger
		}
		request.Body = http.MaxBytesReader(c.Response().Writer, request.Body, limit)
		c.SetRequest(request)

		answer := newAnswer(c.Response().Writer)
		c.Response().Writer = answer
		defer func() { c.Response().Writer = answer.under }()

		if s.Budget != nil && s.Budget.Exhausted(ctx, address) {
			s.HandleError(tooMany, c)
		} else if err := s.run(next, c); err != nil {
			s.HandleError(err, c)
			if s.Budget != nil && anonymousGarbage(err, trail) {
				s.Budget.Spend(ctx, address)
			}
		}
		if err := s.settle(ctx, trail); err != nil {
			s.Log.ErrorContext(ctx, "audit events not committed", "error", err, "transaction_id", audit.TransactionID(ctx))
			answer.discard(c.Response())
			s.render(c, unavailable)
		}
		s.guard(answer.header)
		if err := answer.send(); err != nil {
			s.Log.DebugContext(ctx, "answer not sent", "error", err)
		}
		s.accessLine(c, trail, address, s.Now().Sub(start))
		return nil
	}
}

// guard sets the headers that no HTML goes out without. A page says itself what it may load; one that does not say gets
// nothing.
func (s *Shell) guard(h http.Header) {
	if !strings.HasPrefix(h.Get(echo.HeaderContentType), echo.MIMETextHTML) {
		return
	}
	if s.Secure {
		h.Set(echo.HeaderStrictTransportSecurity, "max-age=31536000")
	}
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	if h.Get(echo.HeaderContentSecurityPolicy) == "" {
		h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
	}
}

// settle commits the events that no store transaction took along.
func (s *Shell) settle(ctx context.Context, trail *audit.Trail) error {
	events := trail.Pending()
	if len(events) == 0 {
		return nil
	}
	if err := s.Commit(context.WithoutCancel(ctx), events); err != nil {
		return err
	}
	trail.Committed(len(events))
	return nil
}

// run calls the handler and turns a panic into a fault of ours.
func (s *Shell) run(next echo.HandlerFunc, c echo.Context) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicError(r)
		}
	}()
	return next(c)
}

func (s *Shell) transactionID(r *http.Request) string {
	if s.TransactionHeader != "" {
		if id := r.Header.Get(s.TransactionHeader); id != "" && len(id) <= 128 && printable(id) {
			return id
		}
	}
	return s.NewID()
}

func (s *Shell) accessLine(c echo.Context, trail *audit.Trail, address string, elapsed time.Duration) {
	codes := trail.Codes()
	s.Log.InfoContext(c.Request().Context(), "request",
		"method", c.Request().Method, "route", c.Path(), "status", c.Response().Status,
		"bytes", c.Response().Size, "elapsed_us", elapsed.Microseconds(), "client_ip", address,
		"transaction_id", audit.TransactionID(c.Request().Context()), "audit", codes)
	if s.Observe != nil {
		s.Observe(Observation{
			Route: c.Path(), Method: c.Request().Method, Status: c.Response().Status, Elapsed: elapsed, Codes: codes,
		})
	}
}

// How the shell itself fails.
var (
	tooMany = outcome.Failure{Code: outcome.TooManyRequests, Text: "too many failed requests from this address, try again in a minute"}

	unavailable = outcome.Failure{Code: outcome.TemporarilyUnavailable, Text: "the server cannot work right now, try again shortly"}
)

func clip(s string, most int) string {
	if len(s) > most {
		return s[:most]
	}
	return s
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
