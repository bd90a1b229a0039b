package outbound

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// Trouble is why a question to an outside service has no usable answer. Its text holds no query of an address, which may carry keys.
type Trouble struct {
	Reason string        // "connect", "timeout", "address not allowed", "too large", "status", "unreachable"; else the caller's
	Host   string        // of the service, with its port
	Status int           // of the answer; 0 = there was none
	Took   time.Duration // from the question to the end
	cause  error
}

// Error implements error.
func (t *Trouble) Error() string {
	text := "ask " + t.Host + ": " + t.Reason
	if t.Status != 0 {
		text += " " + strconv.Itoa(t.Status)
	}
	if t.cause != nil {
		text += ": " + t.cause.Error()
	}
	return text
}

// Unwrap returns the cause.
func (t *Trouble) Unwrap() error { return t.cause }

// Because returns a copy with a reason of the caller's: an answer that came, and cannot be used.
func (t Trouble) Because(reason string, cause error) *Trouble {
	t.Reason, t.cause = reason, cause
	return &t
}

// Ask sends a question to a service on whose answer somebody waits: it is sent once, and only 200 is an answer. The
// exchange says how it went, also when there is no error. Errors: *Trouble.
func Ask(client *http.Client, question *http.Request, now func() time.Time) (body []byte, exchange Trouble, err error) {
	began := now()
	exchange.Host = question.URL.Host
	body, exchange.Status, err = ask(client, question)
	exchange.Took = now().Sub(began)
	switch {
	case err != nil:
		return nil, exchange, exchange.Because(reasonOf(err), WithoutQuery(err))
	case exchange.Status != http.StatusOK:
		return nil, exchange, exchange.Because("status", nil)
	}
	return body, exchange, nil
}

func ask(client *http.Client, question *http.Request) (body []byte, status int, err error) {
	response, err := client.Do(question) //nolint:gosec // the guarded client judges every address that it dials
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK { // what it says beside the status does not matter
		return nil, response.StatusCode, nil
	}
	body, err = io.ReadAll(response.Body)
	return body, response.StatusCode, err
}

// reasonOf says in a word what an exchange failed of.
func reasonOf(err error) string {
	var dial *net.OpError
	switch {
	case errors.Is(err, ErrForbidden):
		return "address not allowed"
	case errors.Is(err, ErrTooLarge):
		return "too large"
	case errors.As(err, &dial) && dial.Op == "dial":
		return "connect"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	}
	return "unreachable"
}
