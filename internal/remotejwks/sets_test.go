package remotejwks_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tokenserver/internal/outbound"
	"tokenserver/internal/remotejwks"
)

// publisher is a server of JWK sets that does what a test tells it.
type publisher struct {
	*httptest.Server
	calls  atomic.Int32
	answer atomic.Pointer[http.HandlerFunc]
}

func (p *publisher) does(h http.HandlerFunc) { p.answer.Store(&h) }

// publishes answers with these key ids.
func (p *publisher) publishes(t *testing.T, cacheControl string, ids ...string) {
	t.Helper()
	text := setOf(t, ids...)
	p.does(func(w http.ResponseWriter, _ *http.Request) {
		if cacheControl != "" {
			w.Header().Set("Cache-Control", cacheControl)
		}
		_, _ = w.Write(text)
	})
}

func setOf(t testing.TB, ids ...string) []byte {
	t.Helper()
	var set jose.JSONWebKeySet
	for _, id := range ids {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.Public(), KeyID: id, Use: "sig", Algorithm: "ES256"})
	}
	text, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

type kit struct {
	*publisher
	sets *remotejwks.Sets
	mu   sync.Mutex
	now  time.Time
}

func (k *kit) pass(d time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.now = k.now.Add(d)
}

func newKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{publisher: &publisher{}, now: time.Unix(1_800_000_000, 0)}
	k.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		k.calls.Add(1)
		(*k.answer.Load())(w, r)
	}))
	t.Cleanup(k.Close)
	roots := x509.NewCertPool()
	roots.AddCert(k.Certificate())
	k.sets = &remotejwks.Sets{
		Client:  outbound.New(outbound.Config{RootCAs: roots, AllowPrivate: outbound.Loopback()}),
		Private: outbound.Loopback(),
		Now: func() time.Time {
			k.mu.Lock()
			defer k.mu.Unlock()
			return k.now
		},
	}
	return k
}

func (k *kit) ids(t *testing.T) string {
	t.Helper()
	set, err := k.sets.Keys(t.Context(), k.URL)
	if err != nil {
		return "error"
	}
	ids := make([]string, len(set.Keys))
	for i := range set.Keys {
		ids[i] = set.Keys[i].KeyID
	}
	return strings.Join(ids, " ")
}

func TestASetIsKeptAsLongAsItsServerSays(t *testing.T) {
	for _, tc := range []struct {
		header string
		life   time.Duration
	}{
		{"", time.Hour},
		{"public, max-age=600", 10 * time.Minute},
		{`Max-Age="600"`, 10 * time.Minute},
		{"max-age=1", time.Minute},
		{"max-age=99999999", 24 * time.Hour},
		{"max-age=99999999999999999999", 24 * time.Hour},
		{"max-age=x", time.Minute},
		{"no-store", time.Minute},
	} {
		k := newKit(t)
		k.publishes(t, tc.header, "a")
		if got := k.ids(t); got != "a" {
			t.Fatalf("%q: %s", tc.header, got)
		}
		k.pass(tc.life - time.Second)
		k.ids(t)
		if n := k.calls.Load(); n != 1 {
			t.Errorf("%q: fetched %d times before its life ended", tc.header, n)
		}
		k.pass(time.Second)
		k.ids(t)
		if n := k.calls.Load(); n != 2 {
			t.Errorf("%q: fetched %d times after its life", tc.header, n)
		}
	}
}

func TestAnUnknownKeyIDFetchesOnceAMinute(t *testing.T) {
	k := newKit(t)
	k.publishes(t, "", "a")
	has := func(kid string) bool {
		keys, err := k.sets.Candidates(t.Context(), k.URL, kid, "ES256")
		if err != nil {
			t.Fatal(err)
		}
		return len(keys) == 1 && keys[0].KeyID == kid
	}
	if !has("a") || k.calls.Load() != 1 {
		t.Errorf("%d calls", k.calls.Load())
	}
	k.publishes(t, "", "b")
	if !has("b") || k.calls.Load() != 2 {
		t.Errorf("a rotation went unnoticed: %d calls", k.calls.Load())
	}
	k.publishes(t, "", "c")
	k.pass(59 * time.Second)
	for range 5 {
		if has("c") {
			t.Error("fetched again within a minute")
		}
	}
	if n := k.calls.Load(); n != 2 {
		t.Errorf("%d calls", n)
	}
	k.pass(time.Second)
	if !has("c") || k.calls.Load() != 3 {
		t.Errorf("not fetched after a minute: %d calls", k.calls.Load())
	}
}

func TestAMissRightAfterAFetchIsThatOfTheMinute(t *testing.T) {
	k := newKit(t)
	k.publishes(t, "", "a")
	for range 3 {
		if keys, err := k.sets.Candidates(t.Context(), k.URL, "b", "ES256"); err != nil || len(keys) != 0 {
			t.Error(keys, err)
		}
	}
	if n := k.calls.Load(); n != 1 {
		t.Errorf("%d calls", n)
	}
}

func TestTheLastGoodSetStaysWhileTheFarSideFails(t *testing.T) {
	k := newKit(t)
	fails := func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }
	k.does(fails)
	if got := k.ids(t); got != "error" {
		t.Fatal(got)
	}
	k.publishes(t, "", "a")
	if got := k.ids(t); got != "error" || k.calls.Load() != 1 {
		t.Errorf("%s: asked again at once: %d calls", got, k.calls.Load())
	}
	k.pass(10 * time.Second)
	if got := k.ids(t); got != "a" {
		t.Fatal(got)
	}
	k.does(fails)
	k.pass(time.Hour)
	for range 3 {
		if got := k.ids(t); got != "a" {
			t.Fatal(got)
		}
	}
	if n := k.calls.Load(); n != 3 {
		t.Errorf("a failing server was called %d times", n)
	}
	k.pass(24 * time.Hour)
	if got := k.ids(t); got != "error" {
		t.Errorf("a set outlived its life by more than a day: %s", got)
	}
}

func TestCallersShareOneFetch(t *testing.T) {
	k := newKit(t)
	text, release := setOf(t, "a"), make(chan struct{})
	k.does(func(w http.ResponseWriter, _ *http.Request) {
		<-release
		_, _ = w.Write(text)
	})
	impatient, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() {
		_, err := k.sets.Keys(impatient, k.URL)
		left <- err
	}()
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("who leaves gets %v", err)
	}
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if set, err := k.sets.Keys(t.Context(), k.URL); err != nil || len(set.Keys) != 1 {
				t.Error(set, err)
			}
		})
	}
	close(release)
	all.Wait()
	if n := k.calls.Load(); n != 1 {
		t.Errorf("%d fetches", n)
	}
}

func TestWhatIsNoSetIsRefused(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(setOf(t, "a")) }))
	t.Cleanup(inside.Close)
	for _, tc := range []struct {
		name  string
		does  http.HandlerFunc
		cause error
	}{
		{name: "no JSON", does: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }},
		{name: "no keys", does: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("{}")) }},
		{name: "a list", does: func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[]")) }},
		{name: "redirects", does: func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, inside.URL, http.StatusFound) }},
		{name: "created", does: func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusCreated) }},
		{
			name: "announces too much", cause: outbound.ErrTooLarge,
			does: func(w http.ResponseWriter, _ *http.Request) {
				_, _ = w.Write([]byte(strings.Repeat(" ", 256<<10) + `{"keys":[]}`))
			},
		},
		{
			name: "sends too much", cause: outbound.ErrTooLarge,
			does: func(w http.ResponseWriter, _ *http.Request) {
				for range 300 {
					_, _ = w.Write([]byte(strings.Repeat(" ", 1<<10)))
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = w.Write([]byte(`{"keys":[]}`))
			},
		},
		{
			name: "breaks off",
			does: func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Length", "1000")
				_, _ = w.Write([]byte(`{"keys":[`))
			},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			k := newKit(t)
			k.does(tc.does)
			_, err := k.sets.Keys(t.Context(), k.URL+"/secret?token=x")
			if !errors.Is(err, remotejwks.ErrUnavailable) || (tc.cause != nil && !errors.Is(err, tc.cause)) {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), "token=x") {
				t.Errorf("the query is in the message: %v", err)
			}
			if _, err := k.sets.Candidates(t.Context(), k.URL, "a", "ES256"); !errors.Is(err, remotejwks.ErrUnavailable) {
				t.Errorf("candidates: %v", err)
			}
		})
	}
}

func TestASlowServerIsGivenUp(t *testing.T) {
	k := newKit(t)
	release := make(chan struct{})
	k.does(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	t.Cleanup(func() { close(release) })
	k.sets.Client.Timeout = 20 * time.Millisecond
	if _, err := k.sets.Keys(t.Context(), k.URL); !errors.Is(err, remotejwks.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

func TestOnlyAllowedAddressesAreCalled(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(setOf(t, "a")) }))
	t.Cleanup(plain.Close)
	k := newKit(t)
	k.publishes(t, "", "a")
	for _, tc := range []struct {
		name, uri string
		private   []netip.Prefix
		good      bool
	}{
		{"plain http on an allowed loopback address", plain.URL, outbound.Loopback(), true},
		{"plain http on a loopback address", plain.URL, nil, false},
		{"plain http by name", strings.Replace(plain.URL, "127.0.0.1", "localhost", 1), outbound.Loopback(), false},
		{"plain http elsewhere", "http://192.0.2.1/keys", []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, false},
		{"https on a private address", k.URL, nil, false},
		{"a file", "file:///etc/passwd", outbound.Loopback(), false},
		{"a user", strings.Replace(k.URL, "https://", "https://user@", 1), outbound.Loopback(), false},
		{"nothing", "", outbound.Loopback(), false},
	} {
		sets := &remotejwks.Sets{Client: outbound.New(outbound.Config{AllowPrivate: tc.private}), Private: tc.private, Now: k.sets.Now}
		if _, err := sets.Keys(t.Context(), tc.uri); (err == nil) != tc.good {
			t.Errorf("%s: %v", tc.name, err)
		} else if err != nil && !errors.Is(err, remotejwks.ErrUnavailable) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if k.calls.Load() != 0 {
		t.Error("a private address was reached")
	}
}
