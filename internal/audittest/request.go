package audittest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// Handler returns the shell with the routes under /oauth.
func (e *Env) Handler(routes ...func(*echo.Group)) http.Handler {
	shell := e.Shell.New()
	group := shell.Group("/oauth")
	for _, add := range routes {
		add(group)
	}
	return shell
}

// Server serves the routes under /oauth on a loopback port, for clients that need an address.
func (e *Env) Server(t testing.TB, routes ...func(*echo.Group)) *httptest.Server {
	t.Helper()
	server := httptest.NewServer(e.Handler(routes...))
	t.Cleanup(server.Close)
	return server
}

// Request is one request. JSON and Form set body and content type; Body with ContentType is for malformed ones.
type Request struct {
	Method      string // "" = POST
	Path        string // with query
	JSON        string
	Form        url.Values
	Body        string
	ContentType string
	Header      http.Header
	Basic       []string // user name and password, form-url-encoded as RFC 6749 §2.3.1 wants them
	Bearer      string
	From        string // address of the peer; "" = 192.0.2.1
}

// Answer is what came back.
type Answer struct {
	Status int
	Header http.Header
	Body   string
}

// Do sends one request straight to the handler. Safe to call from several goroutines.
func Do(t testing.TB, h http.Handler, r Request) Answer {
	t.Helper()
	body, kind := r.Body, r.ContentType
	switch {
	case r.JSON != "":
		body, kind = r.JSON, "application/json"
	case r.Form != nil:
		body, kind = r.Form.Encode(), "application/x-www-form-urlencoded"
	}
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	request := httptest.NewRequestWithContext(t.Context(), method, r.Path, strings.NewReader(body))
	for name, values := range r.Header {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	if kind != "" {
		request.Header.Set("Content-Type", kind)
	}
	if len(r.Basic) == 2 {
		request.SetBasicAuth(url.QueryEscape(r.Basic[0]), url.QueryEscape(r.Basic[1]))
	}
	if r.Bearer != "" {
		request.Header.Set("Authorization", "Bearer "+r.Bearer)
	}
	if r.From != "" {
		request.RemoteAddr = r.From + ":40000"
	}
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, request)
	return Answer{recorder.Code, recorder.Header(), recorder.Body.String()}
}
