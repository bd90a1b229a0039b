package standin

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Registrar is an operator's service behind registration by API: POST /init, /complete and /backchannel, in the contract of the
// extension engine. It verifies the signature of every call and remembers it. Left to itself it knows one password for everybody:
//
//	init          2000, the payload "say the password"
//	complete      2000 and the user named before the colon for "NAME:harbour"; 4001 for another password; 5000 without a name
//	backchannel   2000, the payload of the request
type Registrar struct {
	now     func() time.Time
	server  *http.Server
	address string

	mu     sync.Mutex
	secret string
	fault  fault
	delay  time.Duration
	script func(RegistrarCall) string
	calls  []RegistrarCall
}

// RegistrarCall is one call that the service got.
type RegistrarCall struct {
	Path       string              `json:"-"`
	Type       string              `json:"type"`
	Identifier string              `json:"identifier"`
	Payload    *string             `json:"requestPayload"`
	Params     map[string][]string `json:"hookContextCustomParams"`
	Client     struct {
		ID          string `json:"id"`
		Application string `json:"app_identifier"`
		Platform    string `json:"app_platform"`
		Version     string `json:"app_version"`
	} `json:"client"`
	Body   []byte      `json:"-"`
	Header http.Header `json:"-"`
}

const registrarMaxBody = 256 << 10

// StartRegistrar starts the service on a free port, with a fresh webhook secret. now is its clock.
func StartRegistrar(now func() time.Time) (*Registrar, error) {
	r := &Registrar{now: now, secret: NewWebhookSecret()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{step}", r.answer)
	r.server = &http.Server{Handler: mux}
	address, err := serve(r.server, nil)
	if err != nil {
		return nil, fmt.Errorf("start registrar: %w", err)
	}
	r.address = address
	return r, nil
}

// URL is the endpoint for the configuration of the identity provider.
func (r *Registrar) URL() string { return "http://" + r.address }

// Secret is the webhook secret that the server must sign with.
func (r *Registrar) Secret() string { return r.secret }

// Script makes f answer every call from now on with the body of a 200; nil is the usual behaviour again.
func (r *Registrar) Script(f func(RegistrarCall) string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.script = f
}

// FailNext makes the next n calls fail with a status; status 0 cuts the connection.
func (r *Registrar) FailNext(n, status int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.fault = fault{left: n, status: status}
}

// Delay makes every answer wait; 0 ends it.
func (r *Registrar) Delay(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delay = d
}

// Calls returns all calls so far, oldest first.
func (r *Registrar) Calls() []RegistrarCall {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

// Close stops the service.
func (r *Registrar) Close() error {
	if err := r.server.Close(); err != nil {
		return fmt.Errorf("close registrar: %w", err)
	}
	return nil
}

// answer answers every call.
func (r *Registrar) answer(w http.ResponseWriter, request *http.Request) {
	r.mu.Lock()
	delay, planned, script := r.delay, r.fault, r.script
	if planned.left > 0 {
		r.fault.left--
	}
	r.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, registrarMaxBody))
	if err != nil {
		http.Error(w, "body", http.StatusBadRequest)
		return
	}
	if err := VerifyWebhook(r.secret, request.Header, body, r.now()); err != nil {
		http.Error(w, err.Error(), http.StatusUnauthorized)
		return
	}
	call := RegistrarCall{Path: request.URL.Path, Body: body, Header: request.Header.Clone()}
	if err := json.Unmarshal(body, &call); err != nil {
		http.Error(w, "no call", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.calls = append(r.calls, call)
	r.mu.Unlock()
	wait(request.Context(), delay)
	switch {
	case planned.left > 0 && planned.status == 0:
		panic(http.ErrAbortHandler) // cuts the connection
	case planned.left > 0:
		w.WriteHeader(planned.status)
		return
	case script == nil:
		script = password
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, script(call)) // the client may have gone
}

// password is the usual behaviour.
func password(c RegistrarCall) string {
	switch c.Path {
	case "/init":
		return `{"status":2000,"responsePayload":"say the password"}`
	case "/complete":
		text := ""
		if c.Payload != nil {
			text = *c.Payload
		}
		name, said, _ := strings.Cut(text, ":")
		switch {
		case name == "":
			return `{"status":5000,"responsePayload":"start again"}`
		case said != "harbour":
			return `{"status":4001,"responsePayload":"wrong password"}`
		}
		user, err := json.Marshal(map[string]any{"id": name, "amr": []string{"pwd"}, "name": strings.ToUpper(name[:1]) + name[1:]})
		if err != nil { // cannot happen: texts always encode
			return `{"status":3001}`
		}
		return `{"status":2000,"responsePayload":"welcome","user":` + string(user) + `}`
	}
	answer, err := json.Marshal(map[string]any{"status": 2000, "responsePayload": c.Payload})
	if err != nil { // cannot happen: texts always encode
		return `{"status":3001}`
	}
	return string(answer)
}
