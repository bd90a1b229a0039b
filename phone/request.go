package phone

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	// maxResponse caps what is read of an answer.
	maxResponse = 1 << 20
	// assertionLife is the life of a client assertion; servers accept at most an hour.
	assertionLife = 2 * time.Minute
	assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
)

// Request is one SDK request. Exactly one of Form and JSON is used; the identification headers are added by Do.
type Request struct {
	Method     string         // empty: POST
	Path       string         // below the base URL: /v1/token
	Form       url.Values     // body application/x-www-form-urlencoded
	JSON       map[string]any // body application/json
	Bearer     string         // access token, when not empty
	ClientAuth bool           // add the authentication of the installation: Basic, or an assertion in the body
	Header     http.Header    // set last, so that a test can replace any header
}

// Response is an answer of the server, whatever its status.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do sends one request. Errors are those of the transport only; a refusal is a Response. It is exported so that tests can send
// what an SDK never would.
func (p *Phone) Do(ctx context.Context, r Request) (*Response, error) {
	s := p.snapshot()
	if r.ClientAuth {
		if err := p.authenticate(s, &r); err != nil {
			return nil, err
		}
	}
	return p.send(ctx, s.App, r)
}

// send encodes the body, adds the headers and reads the answer.
func (p *Phone) send(ctx context.Context, app App, r Request) (*Response, error) {
	var body io.Reader
	contentType := ""
	switch {
	case r.Form != nil:
		body, contentType = strings.NewReader(r.Form.Encode()), "application/x-www-form-urlencoded"
	case r.JSON != nil:
		data, err := json.Marshal(r.JSON)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body, contentType = bytes.NewReader(data), "application/json"
	}
	method := r.Method
	if method == "" {
		method = http.MethodPost
	}
	request, err := http.NewRequestWithContext(ctx, method, app.BaseURL+r.Path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	maps.Copy(request.Header, app.header())
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "phone/"+app.SDKVersion+" ("+app.Platform+" "+app.OSVersion+")")
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if r.Bearer != "" {
		request.Header.Set("Authorization", "Bearer "+r.Bearer)
	}
	maps.Copy(request.Header, r.Header)
	answer, err := p.client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", method, r.Path, err)
	}
	defer func() { _ = answer.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(answer.Body, maxResponse))
	if err != nil {
		return nil, fmt.Errorf("%s %s: read answer: %w", method, r.Path, err)
	}
	return &Response{Status: answer.StatusCode, Header: answer.Header, Body: data}, nil
}

// call is Do plus the protocol: a status of 300 or more becomes an *Error, and a success body is decoded into out (nil: ignored).
func (p *Phone) call(ctx context.Context, family string, r Request, out any) error {
	response, err := p.Do(ctx, r)
	if err != nil {
		return err
	}
	return response.decode(family, out)
}

// decode reads a success body into out, or returns the refusal.
func (r *Response) decode(family string, out any) error {
	if r.Status >= http.StatusMultipleChoices {
		return refusal(r, family)
	}
	if out == nil || len(r.Body) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.Body, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

// Refusal returns the *Error that an answer carries, or nil for a success.
func (r *Response) Refusal() *Error {
	if r.Status < http.StatusMultipleChoices {
		return nil
	}
	return refusal(r, "")
}

// authenticate adds the client authentication to a copy of the body.
func (p *Phone) authenticate(s state, r *Request) error {
	if err := s.registered(); err != nil {
		return err
	}
	if s.ClientKey == nil {
		header := make(http.Header)
		header.Set("Authorization", basic(s.ClientID, s.secretOnTheWire()))
		maps.Copy(header, r.Header)
		r.Header = header
		return nil
	}
	assertion, err := p.clientAssertion(s)
	if err != nil {
		return err
	}
	if r.JSON != nil {
		body := maps.Clone(r.JSON)
		body["client_assertion_type"], body["client_assertion"] = assertionType, assertion
		r.JSON = body
		return nil
	}
	form := make(url.Values)
	maps.Copy(form, r.Form)
	form.Set("client_assertion_type", assertionType)
	form.Set("client_assertion", assertion)
	r.Form = form
	return nil
}

// ClientAssertion makes a fresh private_key_jwt of this installation (API version 2).
func (p *Phone) ClientAssertion(ctx context.Context) (string, error) {
	if _, err := p.issuer(ctx); err != nil {
		return "", err
	}
	s := p.snapshot()
	if s.ClientKey == nil {
		return "", local("not_registered", NumberDeviceDeregistered, "the installation has no client key")
	}
	return p.clientAssertion(s)
}

// clientAssertion signs iss, sub, aud, iat, exp and a jti that is never used twice.
func (p *Phone) clientAssertion(s state) (string, error) {
	now := p.options.Now()
	return s.ClientKey.Sign(Claims{"kid": s.KeyID}, Claims{
		"iss": s.ClientID, "sub": s.ClientID, "aud": s.Issuer,
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(), "jti": randomText(16),
	})
}

// secretOnTheWire is the secret itself or, under tampering protection, the value bound to the running binary.
func (s state) secretOnTheWire() string {
	if s.App.TamperingProtection {
		return BoundSecret(SignatureKey(s.App.Signature), s.ClientSecret)
	}
	return s.ClientSecret
}

// basic is RFC 6749 §2.3.1: both parts form-encoded before they are joined.
func basic(id, secret string) string {
	r := http.Request{Header: make(http.Header)}
	r.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	return r.Header.Get("Authorization")
}
