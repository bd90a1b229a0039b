package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

const (
	transactionHeader = "X-Transaction-Id" // configured in every deployment
	requestTime       = 30 * time.Second
	maxAnswer         = 8 << 20
)

// actor is one test's way to a deployment: a client address of its own, and one transaction id at a time, so that the events
// of each step can be told from all others. It is the http.RoundTripper of everything that the test uses.
type actor struct {
	d       *deployment
	t       *testing.T
	address string

	mu          sync.Mutex
	transaction string
	last        int // status of the last answer
}

// actors numbers the client addresses; transactions numbers the steps.
var counters = newCounters()

type counts struct{ actors, transactions atomic.Uint32 }

func newCounters() *counts { return &counts{} }

// nextTransaction makes the transaction id of one step of a test.
func nextTransaction(test string) string {
	const most = 100
	if len(test) > most {
		test = test[:most]
	}
	return fmt.Sprintf("%s#%d", test, counters.transactions.Add(1))
}

// newActor returns an actor of the test on the deployment.
func newActor(t *testing.T, d *deployment) *actor {
	t.Helper()
	n := counters.actors.Add(1)
	a := &actor{d: d, t: t, address: fmt.Sprintf("10.%d.%d.%d", n>>16&0xff, n>>8&0xff, n&0xff)}
	a.begin()
	return a
}

// begin starts a step: requests from now on carry a new transaction id, which it returns.
func (a *actor) begin() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.transaction = nextTransaction(a.t.Name())
	return a.transaction
}

// RoundTrip implements http.RoundTripper.
func (a *actor) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	transaction := a.transaction
	a.mu.Unlock()
	r = r.Clone(r.Context())
	r.Header.Set(transactionHeader, transaction)
	r.Header.Set("X-Forwarded-For", a.address)
	response, err := a.d.transport.RoundTrip(r)
	if err == nil {
		a.mu.Lock()
		a.last = response.StatusCode
		a.mu.Unlock()
	}
	return response, err
}

// status is that of the last answer.
func (a *actor) status() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.last
}

// client is an HTTP client that is the actor.
func (a *actor) client() *http.Client {
	return &http.Client{
		Transport: a, Timeout: requestTime,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// request is one request of a test, right or wrong.
type request struct {
	method string // empty: POST with a body, GET without
	path   string // below the base URL, e.g. /v1/token
	header http.Header
	basic  []string   // client id and secret
	bearer string     //
	form   url.Values // body
	json   any        // body
	raw    string     // body as it is, with the content type of header
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// word is the error of the answer: "error", or "code" in the API style.
func (r *answer) word() string {
	var body struct {
		Error string `json:"error"`
		Code  string `json:"code"`
	}
	if json.Unmarshal(r.body, &body) != nil {
		return ""
	}
	if body.Error == "" {
		return body.Code
	}
	return body.Error
}

// number is the error_code of the portal API.
func (r *answer) number() string {
	var body struct {
		Number string `json:"error_code"`
	}
	if json.Unmarshal(r.body, &body) != nil {
		return ""
	}
	return body.Number
}

// member returns one member of the body, as text.
func (r *answer) member(name string) string {
	var body map[string]any
	if json.Unmarshal(r.body, &body) != nil || body[name] == nil {
		return ""
	}
	return fmt.Sprint(body[name])
}

// try sends a request. Errors are those of the transport only.
func (a *actor) try(ctx context.Context, r request) (*answer, error) {
	var body io.Reader
	contentType := ""
	switch {
	case r.form != nil:
		body, contentType = strings.NewReader(r.form.Encode()), "application/x-www-form-urlencoded"
	case r.json != nil:
		data, err := json.Marshal(r.json)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body, contentType = bytes.NewReader(data), "application/json"
	case r.raw != "":
		body = strings.NewReader(r.raw)
	}
	method := r.method
	if method == "" {
		method = http.MethodGet
		if body != nil {
			method = http.MethodPost
		}
	}
	request, err := http.NewRequestWithContext(ctx, method, a.d.base+r.path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if len(r.basic) == 2 {
		request.SetBasicAuth(url.QueryEscape(r.basic[0]), url.QueryEscape(r.basic[1]))
	}
	if r.bearer != "" {
		request.Header.Set("Authorization", "Bearer "+r.bearer)
	}
	for name, values := range r.header {
		request.Header[name] = values
	}
	response, err := a.client().Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	return &answer{response.StatusCode, response.Header, data}, nil
}

// send is try for tests whose server must answer.
func (a *actor) send(r request) *answer {
	a.t.Helper()
	response, err := a.try(a.t.Context(), r)
	if err != nil {
		a.t.Fatalf("%s: %v", r.path, err)
	}
	return response
}

// phone installs an app on a new phone.
func (a *actor) phone(app phone.App) *phone.Phone {
	a.t.Helper()
	app.BaseURL = a.d.base
	p, err := phone.New(app, phone.Options{Now: time.Now, HTTPClient: a.client()})
	if err != nil {
		a.t.Fatal(err)
	}
	return p
}

// do sends a request of a phone and returns the answer, whatever its status.
func (a *actor) do(p *phone.Phone, r phone.Request) *answer {
	a.t.Helper()
	response, err := p.Do(a.t.Context(), r)
	if err != nil {
		a.t.Fatalf("%s: %v", r.Path, err)
	}
	return &answer{response.Status, response.Header, response.Body}
}

// portal makes the calls of the portal, which is an API client for mobile authentication.
func (a *actor) portal() *standin.PortalAPI {
	return &standin.PortalAPI{
		BaseURL: a.d.base, ClientID: portalClient, ClientSecret: a.d.world.secret, HTTPClient: a.client(),
	}
}

// person is the user at a browser.
func (a *actor) person(username string) *phone.Person {
	return &phone.Person{Username: username, Password: a.d.world.password, Consent: true, Transport: a}
}

// step runs one step and compares the whole list of codes that its requests wrote, blanks between them.
func (a *actor) step(name, codes string, do func(ctx context.Context) error) {
	a.t.Helper()
	transaction := a.begin()
	if err := do(a.t.Context()); err != nil {
		a.t.Errorf("%s: %v", name, err)
	}
	a.d.log.want(a.t, name, transaction, codes)
	if a.t.Failed() {
		a.t.FailNow()
	}
}

// quietly runs a preparation whose codes are not compared. It must succeed.
func (a *actor) quietly(name string, do func(ctx context.Context) error) {
	a.t.Helper()
	a.begin()
	if err := do(a.t.Context()); err != nil {
		a.t.Fatalf("%s: %v", name, err)
	}
}
