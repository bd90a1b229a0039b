package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// outside is a web server of others: what relying parties serve, the scope verification service.
type outside struct {
	key    *partyKey
	server *http.Server
	url    string

	mu      sync.Mutex
	notices []string // logout tokens that relying parties got over the back channel
	visits  []string // queries of front-channel logouts
}

func startOutside() (*outside, error) {
	key, err := newPartyKey()
	if err != nil {
		return nil, err
	}
	o := &outside{key: key}
	routes := http.NewServeMux()
	routes.HandleFunc("GET /jwks", o.keys)
	routes.HandleFunc("GET /no-keys", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, object{"keys": []object{}}) })
	routes.HandleFunc("POST /back-channel", o.backChannel)
	routes.HandleFunc("GET /front-channel", o.frontChannel)
	routes.HandleFunc("POST /entitled", o.entitled)
	o.server = &http.Server{Handler: routes, ReadHeaderTimeout: time.Minute}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	o.url = "http://" + listener.Addr().String()
	go func() { _ = o.server.Serve(listener) }()
	return o, nil
}

func (o *outside) close() error { return o.server.Shutdown(context.Background()) }

// keys is the JWK set of a relying party: one to verify its assertions, one to encrypt its ID tokens to.
func (o *outside) keys(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, object{"keys": []object{o.key.public()}})
}

func (o *outside) backChannel(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.notices = append(o.notices, r.PostFormValue("logout_token"))
}

func (o *outside) frontChannel(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.visits = append(o.visits, r.URL.RawQuery)
	_, _ = w.Write([]byte("<p>gone</p>"))
}

// noticed returns the logout tokens so far.
func (o *outside) noticed() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]string(nil), o.notices...)
}

// The users for whom the scope verification service does something else than agree.
const (
	notEntitled = "u-vic"
	brokenFor   = "u-wes"
)

// entitled is the scope verification service.
func (o *outside) entitled(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		User   string `json:"user_id"`
		Scopes []struct {
			ID string `json:"id"`
		} `json:"scopes"`
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil || len(asked.Scopes) == 0 {
		http.Error(w, "what is asked?", http.StatusBadRequest)
		return
	}
	switch asked.User {
	case notEntitled:
		writeJSON(w, object{"verification_result": "FAILURE", "unauthorized_scope": asked.Scopes[0].ID})
	case brokenFor:
		http.Error(w, "out of order", http.StatusInternalServerError)
	default:
		writeJSON(w, object{"verification_result": "SUCCESS"})
	}
}

func writeJSON(w http.ResponseWriter, body any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}
