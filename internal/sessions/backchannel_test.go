package sessions_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/jobs"
	"tokenserver/internal/keys"
	"tokenserver/internal/outbound"
	"tokenserver/internal/sessions"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// bench is the sessions with everything that they stand on, and a client that is told.
type bench struct {
	*audittest.Env
	sessions    *sessions.Service
	backChannel *sessions.BackChannel
	runner      *jobs.Runner
	ring        *keys.Ring
	tokens      *token.Service
	woken       int

	mu       sync.Mutex
	statuses []int // of the next answers of the client; none left = 200
	received []string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	e := audittest.New(t)
	b := &bench{Env: e}
	client := httptest.NewServer(http.HandlerFunc(b.receive))
	t.Cleanup(client.Close)
	yes := true
	e.Settings.Set(settings.Document{WebClients: []settings.WebClient{
		{ID: "told", OpenIDConnect: settings.OpenIDConnect{BackChannelLogoutURL: client.URL + "/logout?x=1"}},
		{ID: "deletes", OpenIDConnect: settings.OpenIDConnect{DeleteTokensOnLogout: &yes}},
		{ID: "public", Authentication: settings.PublicClient},
		{ID: "plain"},
	}})
	b.ring = &keys.Ring{Store: e.Store, Keys: e.Keys, Algorithm: keys.ES256, Now: e.Now, NewID: e.NewID}
	if err := b.ring.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	revocations := &token.Revocations{Store: e.Store, Hints: e.Redis, Now: e.Now}
	if err := revocations.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.tokens = &token.Service{
		Access: e.Redis, Families: e.Store, Search: e.Store, Profiles: e.Store, Installations: e.Store, Revocations: revocations,
		Keys: e.Keys, Ring: b.ring, Issuer: e.Issuer, Now: e.Now, NewID: e.NewID,
	}
	b.sessions = &sessions.Service{
		Store: e.Redis, Jobs: e.Store, Tokens: b.tokens, Marks: revocations, Settings: e.Settings, Wake: func(string) { b.woken++ }, Now: e.Now, NewID: e.NewID,
	}
	b.backChannel = &sessions.BackChannel{
		Settings: e.Settings, Signing: b.ring, Client: outbound.New(outbound.Config{AllowPrivate: outbound.Loopback()}), Timeout: time.Minute,
		Issuer: e.Issuer, Audit: e.Recorder, Now: e.Now, NewID: e.NewID,
	}
	b.runner = jobs.New(jobs.Config{
		Queue: e.Store, Kinds: []jobs.Kind{b.backChannel.Kind()}, Log: e.Log, Now: e.Now, Instance: "test", Poll: time.Hour,
	})
	return b
}

// receive is the client's endpoint.
func (b *bench) receive(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r.Method != http.MethodPost || r.URL.RequestURI() != "/logout?x=1" || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" ||
		r.ParseForm() != nil || len(r.PostForm) != 1 {
		w.WriteHeader(http.StatusTeapot)
		return
	}
	b.received = append(b.received, r.PostForm.Get("logout_token"))
	if len(b.statuses) > 0 {
		w.WriteHeader(b.statuses[0])
		b.statuses = b.statuses[1:]
	}
}

// open begins a session in which these clients got answers.
func (b *bench) open(t *testing.T, user string, clients ...string) store.BrowserSession {
	t.Helper()
	s, err := b.sessions.Open(t.Context(), store.BrowserSession{
		Hash: []byte(b.NewID()), ID: b.sessions.NewSessionID(), UserID: user, Clients: clients, AuthTime: b.Now(),
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (b *bench) end(t *testing.T, s store.BrowserSession, policy sessions.TokenPolicy) sessions.Ended {
	t.Helper()
	var out sessions.Ended
	err := b.Store.InTx(t.Context(), func(ctx context.Context) (err error) {
		out, err = b.sessions.End(ctx, s, policy)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func (b *bench) drain(t *testing.T, tries int) {
	t.Helper()
	if n, err := b.runner.Drain(t.Context()); n != tries || err != nil {
		t.Fatalf("%d tries, %v; want %d", n, err, tries)
	}
}

// TestBackChannel: the client gets a logout token of its own form (OpenID Connect Back-Channel Logout 1.0 §2.4), which it
// checks with the published keys.
func TestBackChannel(t *testing.T) {
	b := newBench(t)
	s := b.open(t, "ann", "plain", "told")
	b.end(t, s, sessions.TokensAsClients)
	if b.woken != 1 {
		t.Errorf("woken %d times", b.woken)
	}
	b.drain(t, 1)
	if len(b.received) != 1 {
		t.Fatalf("%d notices", len(b.received))
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(b.ring.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	signed, err := jose.ParseSignedCompact(b.received[0], []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	body, err := signed.Verify(set)
	if err != nil || signed.Signatures[0].Header.ExtraHeaders["typ"] != "logout+jwt" {
		t.Fatalf("%v, header %v", err, signed.Signatures[0].Header)
	}
	var claims map[string]any
	if err := json.Unmarshal(body, &claims); err != nil {
		t.Fatal(err)
	}
	id := claims["jti"]
	now := float64(b.Now().Unix())
	want := map[string]any{
		"iss": b.Issuer, "sub": "ann", "aud": "told", "iat": now, "exp": now + 120, "jti": id, "sid": s.ID,
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	}
	if fmt.Sprint(claims) != fmt.Sprint(want) || id == "" {
		t.Errorf("claims %v\nwant   %v", claims, want)
	}
	events := b.Events(t)
	if len(events) != 1 || events[0].Code != audit.OpenidBackchannelLogoutSent || events[0].ClientID != "told" || events[0].UserID != "ann" ||
		events[0].Details != `{"http_status":200,"tries":1}` {
		t.Errorf("%+v", events)
	}
}

// TestBackChannelTries: what another try may cure is tried again, the rest ends at once.
func TestBackChannelTries(t *testing.T) {
	failed := audit.OpenidBackchannelLogoutFailed
	for _, tc := range []struct {
		name     string
		statuses []int
		tries    int
		code     audit.Code
		details  string
	}{
		{"204", []int{204}, 1, audit.OpenidBackchannelLogoutSent, `{"http_status":204,"tries":1}`},
		{"second try", []int{503}, 2, audit.OpenidBackchannelLogoutSent, `{"http_status":200,"tries":2}`},
		{"busy, slow, busy", []int{429, 408, 500}, 4, audit.OpenidBackchannelLogoutSent, `{"http_status":200,"tries":4}`},
		{"refused", []int{400}, 1, failed, `{"tries":1,"reason":"status","http_status":400}`},
		{"another success is none", []int{202}, 1, failed, `{"tries":1,"reason":"status","http_status":202}`},
		{"redirect", []int{302}, 1, failed, `{"tries":1,"reason":"status","http_status":302}`},
		{"never", slices.Repeat([]int{500}, 10), 10, failed, `{"tries":10,"reason":"status","http_status":500}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.statuses = tc.statuses
			b.end(t, b.open(t, "ann", "told"), sessions.KeepTokens)
			for range tc.tries {
				b.drain(t, 1)
				b.Clock.Advance(15 * time.Minute)
			}
			b.drain(t, 0)
			events := b.Events(t)
			if len(events) != 1 || events[0].Code != tc.code || events[0].Details != tc.details {
				t.Errorf("%+v", events)
			}
			slices.Sort(b.received)
			if n := len(slices.Compact(b.received)); n != tc.tries {
				t.Errorf("%d different tokens in %d tries", n, tc.tries)
			}
		})
	}
}

func TestBackChannelCannot(t *testing.T) {
	for _, tc := range []struct {
		name, reason string
		spoil        func(b *bench)
	}{
		{"private address", "address_not_allowed", func(b *bench) { b.backChannel.Client = outbound.New(outbound.Config{}) }},
		{"address taken away", "not_configured", func(b *bench) { b.Settings.Set(settings.Document{WebClients: []settings.WebClient{{ID: "told"}}}) }},
		{"client gone", "not_configured", func(b *bench) { b.Settings.Set(settings.Document{}) }},
		{"client disabled", "not_configured", func(b *bench) {
			d := b.Settings.Current().Document
			d.WebClients[0].Disabled = true
			b.Settings.Set(d)
		}},
		{"no address at all", "invalid_url", func(b *bench) {
			d := b.Settings.Current().Document
			d.WebClients[0].OpenIDConnect.BackChannelLogoutURL = "https://h.example/%zz?secret=1"
			b.Settings.Set(d)
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t)
			b.end(t, b.open(t, "ann", "told"), sessions.KeepTokens)
			tc.spoil(b)
			b.drain(t, 1)
			b.drain(t, 0)
			events := b.Events(t)
			if len(events) != 1 || events[0].Code != audit.OpenidBackchannelLogoutFailed || events[0].Details != `{"tries":1,"reason":"`+tc.reason+`"}` {
				t.Errorf("%+v", events)
			}
			if len(b.received) != 0 {
				t.Error("the client was told")
			}
		})
	}
	b := newBench(t)
	if err := b.Store.AddJob(t.Context(), store.Job{ID: "j", Kind: sessions.BackChannelJob, Payload: []byte("x"), NotBefore: b.Now(), CreatedAt: b.Now()}); err != nil {
		t.Fatal(err)
	}
	b.drain(t, 1)
	if events := b.Events(t); len(events) != 1 || events[0].Details != `{"tries":1,"reason":"payload"}` {
		t.Errorf("%+v", events)
	}
}

// TestUnreachableKeepsSecrets: an address that does not answer is tried again, and its query stays out of the log.
func TestUnreachableKeepsSecrets(t *testing.T) {
	b := newBench(t)
	d := b.Settings.Current().Document
	u, _ := url.Parse(d.WebClients[0].OpenIDConnect.BackChannelLogoutURL)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	d.WebClients[0].OpenIDConnect.BackChannelLogoutURL = gone.URL + u.RequestURI()
	b.Settings.Set(d)
	b.end(t, b.open(t, "ann", "told"), sessions.KeepTokens)
	err := b.backChannel.Kind().Work(t.Context(), store.Job{Payload: []byte(`{"client_id":"told","user_id":"ann","sid":"s"}`)})
	if err == nil || strings.Contains(err.Error(), "x=1") {
		t.Errorf("%v", err)
	}
	b.drain(t, 1)
	if events := b.Events(t); len(events) != 0 {
		t.Errorf("%+v", events)
	}
}
