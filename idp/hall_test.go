package idp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// hall is the authorization requests that wait for users who sign in elsewhere. A transaction belongs to the browser whose
// cookie "browser" is its field Browser.
type hall struct {
	mu      sync.Mutex
	now     func() time.Time
	waiting map[string]store.Authorization
	known   map[string]store.Identity // by transaction
	refuse  error                     // of Identified
}

func newHall(now func() time.Time) *hall {
	return &hall{now: now, waiting: map[string]store.Authorization{}, known: map[string]store.Identity{}}
}

// open adds the transaction "t1" of the browser "ann's" at a provider, and so on with changes.
func (h *hall) open(id, provider string, change func(*store.Authorization)) {
	a := store.Authorization{
		ID: id, State: store.AtProvider, Provider: provider, Browser: []byte("ann's"), ClientID: "portal", MaxAge: -1, Language: "nl",
		CreatedAt: h.now(), ExpiresAt: h.now().Add(30 * time.Minute),
	}
	if change != nil {
		change(&a)
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.waiting[id] = a
}

func (h *hall) Waiting(c echo.Context, id string) (store.Authorization, string, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a, found := h.waiting[id]
	cookie, err := c.Cookie("browser")
	switch {
	case !found:
		return store.Authorization{}, "", store.ErrNotFound
	case !h.now().Before(a.ExpiresAt):
		return store.Authorization{}, "", store.ErrExpired
	case err != nil || cookie.Value != string(a.Browser):
		return store.Authorization{}, "", store.ErrRevoked
	case a.State != store.AtProvider:
		return a, "", store.ErrConflict
	}
	audit.Know(c.Request().Context(), audit.Client(a.ClientID))
	return a, "The Portal", nil
}

func (h *hall) Identified(_ echo.Context, a store.Authorization, id store.Identity) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refuse != nil {
		return h.refuse
	}
	if a = h.waiting[a.ID]; a.State != store.AtProvider {
		return store.ErrConflict
	}
	a.State = store.Identified
	h.waiting[a.ID], h.known[a.ID] = a, id
	return nil
}

func (h *hall) Fail(c echo.Context, a store.Authorization, f outcome.Failure) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.waiting, a.ID)
	web.AnswerFailuresBy(c, func(c echo.Context, f outcome.Failure) error {
		return c.Redirect(http.StatusFound, fmt.Sprintf("https://client.example/?error=%s&error_description=%s", f.Code, f.Text))
	})
	return f
}

func (h *hall) GoOnURL(id string) string { return "/oauth/authorize/continue?t=" + id }

func (h *hall) ErrorPage(c echo.Context, f outcome.Failure) error {
	return c.String(f.Code.Status(), f.Text)
}

// identity returns who was identified for the transaction "t1".
func (h *hall) identity(t *testing.T) store.Identity {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	is, found := h.known["t1"]
	if !found {
		t.Fatal("nobody was identified")
	}
	return is
}

func (h *hall) nobodyKnown(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.known) > 0 {
		t.Errorf("identified: %v", h.known)
	}
}

// answered checks an answer: "page TEXT", "client ERROR TEXT" or "on".
func answered(t *testing.T, a audittest.Answer, want string) {
	t.Helper()
	kind, rest, _ := strings.Cut(want, " ")
	word, text, _ := strings.Cut(rest, " ")
	location := a.Header.Get("Location")
	switch {
	case kind == "page" && a.Status == http.StatusBadRequest && a.Body == rest:
	case kind == "client" && a.Status == http.StatusFound && location == "https://client.example/?error="+word+"&error_description="+text:
	case kind == "on" && a.Status == http.StatusFound && strings.HasPrefix(location, "/oauth/authorize/continue?t="):
	default:
		t.Errorf("answered %d %q %q, want %s", a.Status, location, a.Body, want)
	}
	if kind == "on" && (a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Referrer-Policy") != "no-referrer") {
		t.Errorf("headers %v", a.Header)
	}
}

// recorded checks the events since the last look, and members of the details of the only one, in pairs.
func recorded(t *testing.T, e *audittest.Env, codes []audit.Code, details ...string) {
	t.Helper()
	events := e.Events(t)
	got := []audit.Code{}
	for _, v := range events {
		got = append(got, v.Code)
	}
	if !slices.Equal(got, codes) {
		t.Errorf("events %v, want %v", got, codes)
		return
	}
	if len(details) == 0 || len(events) == 0 {
		return
	}
	members := map[string]any{}
	if err := json.Unmarshal([]byte(events[0].Details), &members); err != nil {
		t.Fatalf("details %q: %v", events[0].Details, err)
	}
	for i := 0; i < len(details); i += 2 {
		if got := fmt.Sprint(members[details[i]]); got != details[i+1] {
			t.Errorf("detail %s is %q, want %q (%s)", details[i], got, details[i+1], events[0].Details)
		}
	}
}
