package web

import (
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/store"
)

const rendererKey = "web.renderer"

// RenderFailuresWith is middleware for routes that do not answer failures as JSON: /authorize redirects, pages show a
// page. The renderer writes the answer only; the event is recorded by HandleError all the same.
func RenderFailuresWith(render func(echo.Context, outcome.Failure) error) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			c.Set(rendererKey, render)
			return next(c)
		}
	}
}

// AnswerFailuresBy changes how failures of this request are answered from here on: a handler that has learned more knows
// better where they belong.
func AnswerFailuresBy(c echo.Context, render func(echo.Context, outcome.Failure) error) {
	c.Set(rendererKey, render)
}

// HandleError is the only place where an error becomes audit event, log line and answer. What is not a Failure is a
// fault of ours: 500, the cause logged, nothing invented for the caller.
func (s *Shell) HandleError(err error, c echo.Context) {
	if c.Response().Committed {
		return
	}
	ctx := c.Request().Context()
	var failure outcome.Failure
	var routing *echo.HTTPError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &failure):
		failure.Record(ctx, s.Audit)
		s.Log.InfoContext(ctx, "refused", "error", err, "code", failure.Audit, "transaction_id", audit.TransactionID(ctx))
	case errors.Is(err, store.ErrUnavailable):
		s.Log.ErrorContext(ctx, "store unavailable", "error", err, "transaction_id", audit.TransactionID(ctx))
		failure = unavailable
	case errors.As(err, &tooLarge):
		failure = outcome.Failure{Code: outcome.PayloadTooLarge, Text: "the body is too large"}
	case errors.As(err, &routing) && routing.Code == http.StatusMethodNotAllowed:
		failure = outcome.Failure{Code: outcome.MethodNotAllowed, Text: "this address does not serve this method"}
	case errors.As(err, &routing) && routing.Code == http.StatusNotFound:
		failure = outcome.Failure{Code: outcome.NotFound, Text: "there is nothing at this address"}
	default:
		s.Log.ErrorContext(ctx, "request failed", "error", err, "route", c.Path(), "transaction_id", audit.TransactionID(ctx))
		failure = outcome.Failure{Code: outcome.ServerError, Text: "the server made a mistake; it has been logged"}
	}
	s.render(c, failure)
}

func (s *Shell) render(c echo.Context, f outcome.Failure) {
	render, ok := c.Get(rendererKey).(func(echo.Context, outcome.Failure) error)
	if !ok {
		render = JSONFailure
	}
	if err := render(c, f); err != nil {
		s.Log.ErrorContext(c.Request().Context(), "failure not rendered", "error", err)
	}
}

// JSONFailure answers with the OAuth error body: error, error_description, then the further members. A failure with a
// number gets error_code and description as well, as the mobile-authentication portal API shows them.
func JSONFailure(c echo.Context, f outcome.Failure) error {
	body := FailureBody(f)
	NoStore(c)
	if f.Code == outcome.InvalidClient && c.Request().Header.Get(echo.HeaderAuthorization) != "" {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Basic realm="token-server"`)
	}
	if f.Code == outcome.InvalidToken || f.Code == outcome.InsufficientScope {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, `Bearer realm="token-server", error="`+f.Code.String()+`"`)
	}
	if f.Code == outcome.TooManyRequests {
		c.Response().Header().Set(echo.HeaderRetryAfter, "60")
	}
	return c.Blob(f.Code.Status(), JSONType, body)
}

// FailureBody is the body of JSONFailure, for answers that are stored to be repeated.
func FailureBody(f outcome.Failure) []byte {
	body := make([]byte, 0, 160)
	body = append(body, '{')
	if f.Number != 0 {
		body = appendMember(body, "error_code", strconv.Itoa(f.Number))
		body = appendMember(body, "description", f.Text)
	}
	body = appendMember(body, "error", f.Code.String())
	body = appendMember(body, "error_description", f.Text)
	for _, m := range f.Members() {
		body = appendMember(body, m.Name, m.Value)
	}
	body = append(body, '}')
	return body
}

// anonymousGarbage tells whether a request left an event of its failure before its caller proved who it is. What leaves
// nothing behind may be repeated at will.
func anonymousGarbage(err error, trail *audit.Trail) bool {
	var f outcome.Failure
	return errors.As(err, &f) && f.Audit != "" && trail.Anonymous()
}

type panicked struct {
	value any
	stack []byte
}

func (p panicked) Error() string { return fmt.Sprintf("panic: %v\n%s", p.value, p.stack) }

func panicError(value any) error { return panicked{value, debug.Stack()} }
