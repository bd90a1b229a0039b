package demo

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

//go:embed page
var pageFiles embed.FS

// Page shows the virtual phone, the portal, and the live audit log. It is for this machine only: whoever reaches it
// can answer for the demo's user.
type Page struct {
	World     *World
	BaseURL   string // of the server, with /oauth
	Log       Log
	Phone     *phone.Phone
	ProfileID string
	Logger    *slog.Logger

	mu      sync.Mutex
	message *phone.Message // on the phone's screen; nil = nothing to answer
	screen  string         // what the phone says
	portal  string         // what the portal says
	asked   map[string]bool
}

// Handler serves the page and what its script calls. Requests from other sites are refused.
func (p *Page) Handler() (http.Handler, error) {
	files, err := fs.Sub(pageFiles, "page")
	if err != nil {
		return nil, fmt.Errorf("read the embedded page: %w", err)
	}
	p.mu.Lock()
	p.asked = map[string]bool{}
	p.screen, p.portal = "Nothing to confirm.", "Ask Kim something."
	p.mu.Unlock()
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServerFS(files))
	mux.HandleFunc("GET /state", p.state)
	mux.HandleFunc("POST /portal/ask", p.ask)
	mux.HandleFunc("POST /phone/answer", p.answer)
	return headers(http.NewCrossOriginProtection().Handler(mux)), nil
}

// headers keeps the page to itself: no foreign script, no frame.
func headers(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// Watch lets the phone react to pushes and the portal to callbacks, until the context ends.
func (p *Page) Watch(ctx context.Context) {
	pushes, callbacks := p.World.FCM.Subscribe(), p.World.Portal.Subscribe()
	for {
		select {
		case push := <-pushes:
			p.ring(ctx, push)
		case call := <-callbacks:
			p.called(ctx, call)
		case <-ctx.Done():
			return
		}
	}
}

// ring is what the app does when a push arrives: it fetches the secured message and shows it.
func (p *Page) ring(ctx context.Context, received standin.Push) {
	push, err := phone.ParsePush(received.Payload)
	if err == nil {
		var message *phone.Message
		if message, err = p.Phone.Fetch(ctx, push.TransactionID, push.ProfileID); err == nil {
			p.mu.Lock()
			p.message, p.screen = message, ""
			p.mu.Unlock()
			return
		}
	}
	p.say("The push could not be opened: " + plain(err))
}

// called is what the portal does when it is called back: it fetches the result.
func (p *Page) called(ctx context.Context, call standin.Callback) {
	p.mu.Lock()
	mine := p.asked[call.TransactionID]
	p.mu.Unlock()
	if !mine {
		return
	}
	result, err := p.World.portalAPI(p.BaseURL, http.DefaultTransport).Result(ctx, call.TransactionID)
	says := ""
	switch {
	case err != nil:
		says = "The result could not be fetched: " + plain(err)
	case result.Authenticated:
		says = "It is really Kim. Answered with " + result.Method + "."
	case result.Reason != nil:
		says = "Not confirmed: " + result.Reason.Description + "."
	}
	p.mu.Lock()
	p.portal = says
	p.mu.Unlock()
}

// ask starts a transaction as the portal.
func (p *Page) ask(w http.ResponseWriter, r *http.Request) {
	kind, message, secure := typePlain, "Sign in to Harbour Bank?", "Sign-in from a browser in Utrecht"
	if r.FormValue("kind") == typeWithPIN {
		kind, message, secure = typeWithPIN, "Harbour Bank asks you to confirm a payment.", "€ 125.00 to J. Doe"
	}
	started, err := p.World.initiate(r.Context(), p.World.portalAPI(p.BaseURL, http.DefaultTransport), kind, p.Phone.ClientID(), message, secure)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.portal = "The server refused: " + plain(err)
	} else {
		p.asked[started.TransactionID] = true
		p.portal = "Waiting for Kim …"
	}
	w.WriteHeader(http.StatusNoContent)
}

// answer approves or denies what is on the phone's screen.
func (p *Page) answer(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	defer w.WriteHeader(http.StatusNoContent)
	if p.message == nil {
		return
	}
	var err error
	switch {
	case r.FormValue("response") == "deny":
		_, err = p.Phone.Deny(r.Context(), p.message)
	case p.message.Method == "push_with_pin":
		_, err = p.Phone.Accept(r.Context(), p.message, r.FormValue("pin"))
	default:
		_, err = p.Phone.AcceptPlain(r.Context(), p.message)
	}
	refused := phone.Refused(err)
	switch {
	case err == nil:
		p.message, p.screen = nil, "Answered."
	case refused != nil && refused.Remaining != nil && *refused.Remaining > 0:
		p.screen = fmt.Sprintf("Wrong PIN. Tries left: %d", *refused.Remaining)
	case refused != nil && refused.Remaining != nil:
		p.message, p.screen = nil, "Too many wrong PINs: the server has removed Kim from this phone. Restart the demo to begin again."
	default:
		p.message, p.screen = nil, "The server refused the answer: "+plain(err)
	}
}

func (p *Page) say(text string) {
	p.mu.Lock()
	p.screen = text
	p.mu.Unlock()
}

// plain shows an error to the person at the page.
func plain(err error) string {
	var refused *phone.Error
	if errors.As(err, &refused) && refused.Code != "" {
		return refused.Code
	}
	return err.Error()
}

// view is what the page's script draws.
type view struct {
	Device  string     `json:"device"` // short form of the client id
	Screen  string     `json:"screen"`
	Message *screen    `json:"message"`
	Portal  string     `json:"portal"`
	Events  []logEntry `json:"events"`
}

type screen struct {
	Text   string `json:"text"`
	Secure string `json:"secure"`
	PIN    bool   `json:"pin"`
}

type logEntry struct {
	Position int64           `json:"position"`
	Time     string          `json:"time"`
	Code     string          `json:"code"`
	Outcome  string          `json:"outcome"`
	Words    string          `json:"words"`
	Details  json.RawMessage `json:"details"`
}

// state answers with the screen and the events after the position that the script has seen.
func (p *Page) state(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.FormValue("after"), 10, 64)
	if err != nil {
		after = 0
	}
	events, err := p.Log.EventsAfter(r.Context(), after, 500)
	if err != nil {
		http.Error(w, "the audit log cannot be read", http.StatusServiceUnavailable)
		return
	}
	v := view{Events: make([]logEntry, len(events))}
	for i := range events {
		e := &events[i]
		v.Events[i] = logEntry{
			Position: e.Position, Time: e.Time.Local().Format(time.TimeOnly), Code: string(e.Code), Outcome: string(e.Code.Outcome()),
			Words: e.Code.Friendly(), Details: e.Details.JSON(),
		}
	}
	sum := sha256.Sum256([]byte(p.Phone.ClientID()))
	p.mu.Lock()
	v.Device = fmt.Sprintf("%x", sum[:3])
	v.Screen, v.Portal = p.screen, p.portal
	if p.message != nil {
		v.Message = &screen{Text: p.message.Text, Secure: p.message.SecureText, PIN: p.message.Method == "push_with_pin"}
	}
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		p.Logger.DebugContext(r.Context(), "state not sent", "error", err)
	}
}
