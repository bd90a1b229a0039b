package idp_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/idp"
	"tokenserver/internal/audittest"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

const password = "correct horse battery staple"

// lobby is the authorization request that waits for the user, as far as the sign-in page knows it.
type lobby struct {
	mu         sync.Mutex
	pages      *pages.Pages
	identified []string // "user method"
	authTime   time.Time
	err        error // what Waiting says
}

func (l *lobby) Waiting(_ echo.Context, id string) (store.Authorization, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return store.Authorization{}, "", l.err
	}
	if id != "t1" && id != "t2" {
		return store.Authorization{}, "", store.ErrNotFound
	}
	return store.Authorization{
		ID: id, Browser: []byte("browser of " + id), Language: "en", RedirectURI: "https://client.example/back", LoginHint: "hinted",
	}, "The <Client>", nil
}

func (l *lobby) Identified(_ echo.Context, _ store.Authorization, id store.Identity) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.identified = append(l.identified, id.UserID+" "+strings.Join(id.AMR, " "))
	l.authTime = id.AuthTime
	return nil
}

func (l *lobby) Fail(_ echo.Context, _ store.Authorization, f outcome.Failure) error { return f }

func (l *lobby) GoOnURL(id string) string { return "/oauth/on?t=" + id }

func (l *lobby) ErrorPage(c echo.Context, f outcome.Failure) error {
	return c.String(f.Code.Status(), f.Text)
}

type server struct {
	*audittest.Env
	handler http.Handler
	lobby   *lobby

	accounts *idp.Accounts
}

func newServer(t *testing.T) *server {
	t.Helper()
	e := audittest.New(t)
	set, err := pages.New(e.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	l := &lobby{pages: set}
	a := &idp.Accounts{
		Audit: e.Recorder, Now: e.Now, Keys: e.Keys, Issuer: e.Issuer, Store: e.Store, People: e.Store, Attempts: e.Store,
		Browsers: e.Store, Journey: l, Passwords: idp.NewPasswords(2), Pages: set,
	}
	for _, account := range []store.Account{
		{ID: "u-ann", Username: "Ann", PasswordHash: secret.HashPassword(password)},
		{ID: "u-bob", Username: "bob", PasswordHash: secret.HashPassword(password)},
		{ID: "u-off", Username: "off", PasswordHash: secret.HashPassword(password), Disabled: true},
		{ID: "u-none", Username: "none"},
	} {
		account.CreatedAt, account.UpdatedAt = e.Now(), e.Now()
		if err := e.Store.PutAccount(t.Context(), account); err != nil {
			t.Fatal(err)
		}
	}
	return &server{e, e.Handler(a.Routes), l, a}
}

// browser is one browser at one address.
type browser struct {
	t      *testing.T
	s      *server
	from   string
	cookie string // of the known browser
}

func (b *browser) send(r audittest.Request) audittest.Answer {
	b.t.Helper()
	r.From = b.from
	if b.cookie != "" {
		r.Header = http.Header{"Cookie": {"__Host-ts-browser=" + b.cookie}}
	}
	a := audittest.Do(b.t, b.s.handler, r)
	for _, c := range (&http.Response{Header: a.Header}).Cookies() {
		if c.Name == "__Host-ts-browser" {
			b.cookie = c.Value
		}
	}
	return a
}

func (b *browser) open() audittest.Answer {
	b.t.Helper()
	return b.send(audittest.Request{Method: http.MethodGet, Path: "/oauth/sign-in?t=t1"})
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

func (b *browser) form(change ...string) url.Values {
	b.t.Helper()
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(b.open().Body, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	for i := 0; i < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

func (b *browser) try(username, password string) audittest.Answer {
	b.t.Helper()
	return b.send(audittest.Request{Path: "/oauth/sign-in", Form: b.form("username", username, "password", password)})
}

func (s *server) wantCodes(t *testing.T, want ...audit.Code) {
	t.Helper()
	if got := s.Codes(t); !slices.Equal(got, want) {
		t.Errorf("audit %v, want %v", got, want)
	}
}

func TestSignInPage(t *testing.T) {
	s := newServer(t)
	b := &browser{t: t, s: s, from: "192.0.2.1"}
	a := b.open()
	for _, want := range []string{`name="username" type="text" value="hinted"`, `name="password" type="password"`, "The &lt;Client&gt;", `<label for="password">`, `<html lang="en">`} {
		if !strings.Contains(a.Body, want) {
			t.Errorf("no %q in %s", want, a.Body)
		}
	}
	if policy := a.Header.Get("Content-Security-Policy"); !strings.HasSuffix(policy, "form-action 'self' https://client.example") {
		t.Errorf("policy %q", policy)
	}
	s.wantCodes(t)
	for name, tc := range map[string]struct {
		err    error
		status int
		to     string
		audit  []audit.Code
	}{
		"gone":            {store.ErrNotFound, 400, "", []audit.Code{audit.AuthzRequestInvalid}},
		"expired":         {store.ErrExpired, 400, "", []audit.Code{audit.AuthzRequestInvalid}},
		"another browser": {store.ErrRevoked, 400, "", []audit.Code{audit.AuthzRequestInvalid}},
		"signed in":       {store.ErrConflict, 302, "/oauth/on?t=t1", nil},
		"no Redis":        {store.ErrUnavailable, 503, "", nil},
	} {
		s.lobby.err = tc.err
		if a := b.open(); a.Status != tc.status || a.Header.Get("Location") != tc.to {
			t.Errorf("%s: %d %s", name, a.Status, a.Header.Get("Location"))
		}
		s.wantCodes(t, tc.audit...)
	}
}

func TestSignIn(t *testing.T) {
	s := newServer(t)
	for _, tc := range []struct {
		name, username, password string
		user                     string // identified; "" = refused
	}{
		{"right", "Ann", password, "u-ann"},
		{"right in another case", "ANN", password, "u-ann"},
		{"wrong password", "bob", "x", ""},
		{"no password", "bob", "", ""},
		{"password of nobody", "nobody", password, ""},
		{"disabled", "off", password, ""},
		{"account without a password", "none", "", ""},
		{"no user", "", password, ""},
		{"endless user", strings.Repeat("a", 300), password, ""},
		{"endless password", "bob", strings.Repeat("a", 1100), ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s.lobby.identified = nil
			b := &browser{t: t, s: s, from: "192.0.2.1"}
			a := b.try(tc.username, tc.password)
			if tc.user == "" {
				if a.Status != http.StatusOK || !strings.Contains(a.Body, "User name or password is not correct.") || len(s.lobby.identified) != 0 || b.cookie != "" {
					t.Errorf("%d %v %s", a.Status, s.lobby.identified, a.Body)
				}
				s.wantCodes(t, audit.AccountSignInFailed)
				return
			}
			if a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/oauth/on?t=t1" || fmt.Sprint(s.lobby.identified) != "["+tc.user+" pwd]" {
				t.Errorf("%d %s %v", a.Status, a.Header.Get("Location"), s.lobby.identified)
			}
			if cookie := a.Header.Get("Set-Cookie"); !strings.HasPrefix(cookie, "__Host-ts-browser=") || !strings.HasSuffix(cookie, "; Path=/; Max-Age=34560000; HttpOnly; Secure; SameSite=Lax") {
				t.Errorf("cookie %q", cookie)
			}
			s.wantCodes(t, audit.AccountSignInSuccess)
		})
	}
}

// TestUnknownUserLooksLikeAKnownOne: the whole page is the same.
func TestUnknownUserLooksLikeAKnownOne(t *testing.T) {
	s := newServer(t)
	same := func(username string) string {
		b := &browser{t: t, s: s, from: "192.0.2.1"}
		a := b.try(username, "wrong")
		return fmt.Sprint(a.Status, " ", strings.ReplaceAll(a.Body, username, "NAME"))
	}
	if known, unknown := same("ann"), same("nobody"); known != unknown {
		t.Errorf("known:\n%s\nunknown:\n%s", known, unknown)
	}
	for range 5 {
		same("bob")
		same("nemo")
	}
	if known, unknown := same("bob"), same("nemo"); known != unknown || !strings.HasPrefix(known, "429") {
		t.Errorf("throttled, known:\n%s\nunknown:\n%s", known, unknown)
	}
}

// counted counts the passwords that are hashed.
type counted struct {
	*idp.Passwords
	n *int
}

func (c counted) Verify(ctx context.Context, hash, password string) (bool, error) {
	*c.n++
	return c.Passwords.Verify(ctx, hash, password)
}

// TestUnknownUserCostsAsMuch: a password is hashed once for everybody, whether there is such a user or not.
func TestUnknownUserCostsAsMuch(t *testing.T) {
	s := newServer(t)
	hashed := 0
	s.accounts.Passwords = counted{idp.NewPasswords(1), &hashed}
	for _, username := range []string{"ann", "nobody", strings.Repeat("x", 300)} {
		before := hashed
		b := &browser{t: t, s: s, from: "192.0.2.1"}
		b.try(username, "wrong")
		if hashed != before+1 {
			t.Errorf("%.10s: %d passwords hashed, want 1", username, hashed-before)
		}
	}
}

// slow is a password that takes a minute to compare.
type slow struct {
	*idp.Passwords
	clock interface{ Advance(by time.Duration) }
}

func (s slow) Verify(ctx context.Context, hash, password string) (bool, error) {
	s.clock.Advance(time.Minute)
	return s.Passwords.Verify(ctx, hash, password)
}

// TestSignInBeganBeforeThePasswordChanged: the sign-in counts from before the password was looked up. One that is changed
// while the former is compared comes later, and ends what the former opens.
func TestSignInBeganBeforeThePasswordChanged(t *testing.T) {
	s := newServer(t)
	s.accounts.Passwords = slow{idp.NewPasswords(1), s.Clock}
	began := s.Now()
	b := &browser{t: t, s: s, from: "192.0.2.1"}
	if a := b.try("ann", password); a.Status != http.StatusSeeOther || !s.lobby.authTime.Equal(began) {
		t.Errorf("%d, signed in at %v, want %v", a.Status, s.lobby.authTime, began)
	}
}

func TestSignInForgery(t *testing.T) {
	s := newServer(t)
	b := &browser{t: t, s: s, from: "192.0.2.1"}
	for name, change := range map[string][]string{
		"no token":                     {"csrf_token", ""},
		"not hex":                      {"csrf_token", "x"},
		"another token":                {"csrf_token", strings.Repeat("0", 64)},
		"token of another transaction": {"t", "t2"},
	} {
		form := b.form(append(change, "username", "ann", "password", password)...)
		a := b.send(audittest.Request{Path: "/oauth/sign-in", Form: form})
		if a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/oauth/sign-in?t="+form.Get("t")+"&again=1" {
			t.Errorf("%s: %d %s", name, a.Status, a.Header.Get("Location"))
		}
		s.wantCodes(t, audit.AccountSignInCSRFInvalid)
	}
	if page := b.send(audittest.Request{Method: http.MethodGet, Path: "/oauth/sign-in?t=t1&again=1"}); !strings.Contains(page.Body, "open for too long") {
		t.Errorf("fresh page: %s", page.Body)
	}
	form := b.form("username", "ann", "password", password)
	s.lobby.err = store.ErrExpired
	if a := b.send(audittest.Request{Path: "/oauth/sign-in", Form: form}); a.Status != http.StatusBadRequest {
		t.Errorf("expired: %d", a.Status)
	}
	s.wantCodes(t, audit.AccountSignInCSRFInvalid)
	s.lobby.err = store.ErrConflict
	if a := b.send(audittest.Request{Path: "/oauth/sign-in", Form: form}); a.Status != http.StatusSeeOther || a.Header.Get("Location") != "/oauth/on?t=t1" {
		t.Errorf("pressed twice: %d %s", a.Status, a.Header.Get("Location"))
	}
	s.wantCodes(t)
	if a := b.send(audittest.Request{Path: "/oauth/sign-in?t=t1", Form: form}); a.Status != http.StatusBadRequest {
		t.Errorf("with a query: %d", a.Status)
	}
	s.wantCodes(t, audit.AccountSignInCSRFInvalid)
	if len(s.lobby.identified) != 0 {
		t.Errorf("identified %v", s.lobby.identified)
	}
}

// TestLockOut: an attacker is slowed down more and more, on all addresses together, while the owner at a known browser
// signs in as if nothing had happened.
func TestLockOut(t *testing.T) {
	s := newServer(t)
	owner := &browser{t: t, s: s, from: "192.0.2.1"}
	if a := owner.try("ann", password); a.Status != http.StatusSeeOther {
		t.Fatalf("owner: %d", a.Status)
	}
	s.Codes(t)
	attack := func(i int) audittest.Answer {
		b := &browser{t: t, s: s, from: fmt.Sprintf("198.51.100.%d", i%250+1)}
		return b.try("ann", "guess")
	}
	for i := range 5 {
		if a := attack(i); a.Status != http.StatusOK {
			t.Fatalf("guess %d: %d", i+1, a.Status)
		}
		s.wantCodes(t, audit.AccountSignInFailed)
	}
	for i, seconds := range []int{30, 60, 120, 240, 480, 900, 900} {
		wait := time.Duration(seconds) * time.Second
		a := attack(10 + i)
		if a.Status != http.StatusTooManyRequests || a.Header.Get("Retry-After") != strconv.Itoa(seconds) || !strings.Contains(a.Body, "too many attempts") {
			t.Fatalf("after %d pauses: %d %s", i, a.Status, a.Header.Get("Retry-After"))
		}
		s.wantCodes(t, audit.AccountSignInThrottled)
		right := &browser{t: t, s: s, from: "198.51.100.9"}
		if a := right.try("ann", password); a.Status != http.StatusTooManyRequests {
			t.Fatalf("the right password during the pause: %d", a.Status)
		}
		s.wantCodes(t, audit.AccountSignInThrottled)
		if a := owner.try("ann", password); a.Status != http.StatusSeeOther {
			t.Fatalf("owner during the attack: %d", a.Status)
		}
		s.wantCodes(t, audit.AccountSignInSuccess)
		s.Clock.Advance(wait)
		if a := attack(20 + i); a.Status != http.StatusOK {
			t.Fatalf("guess after %s: %d", wait, a.Status)
		}
		s.wantCodes(t, audit.AccountSignInFailed)
	}
	s.Clock.Advance(24*time.Hour + time.Second)
	for range 5 {
		if a := attack(1); a.Status != http.StatusOK {
			t.Errorf("a day later: %d", a.Status)
		}
	}
}

// TestKnownBrowserHasABudget: the known browser may be a stolen one.
func TestKnownBrowserHasABudget(t *testing.T) {
	s := newServer(t)
	b := &browser{t: t, s: s, from: "192.0.2.1"}
	b.try("ann", password)
	for i := range 10 {
		if a := b.try("ann", "guess"); a.Status != http.StatusOK {
			t.Fatalf("guess %d: %d", i+1, a.Status)
		}
	}
	if a := b.try("ann", password); a.Status != http.StatusTooManyRequests {
		t.Errorf("eleventh: %d", a.Status)
	}
	elsewhere := &browser{t: t, s: s, from: "203.0.113.1"}
	if a := elsewhere.try("ann", password); a.Status != http.StatusSeeOther {
		t.Errorf("the owner elsewhere: %d", a.Status)
	}
	if a := b.try("bob", password); a.Status != http.StatusSeeOther {
		t.Errorf("another user at this browser: %d", a.Status)
	}
}

// TestAddressBudget: guesses at many users from one address; successes of others there are not counted.
func TestAddressBudget(t *testing.T) {
	s := newServer(t)
	for i := range 50 {
		b := &browser{t: t, s: s, from: "192.0.2.7"}
		if a := b.try(fmt.Sprintf("user%d", i), "guess"); a.Status != http.StatusOK {
			t.Fatalf("guess %d: %d", i+1, a.Status)
		}
		if i == 20 { // a good sign-in takes its own attempt back, not those of others
			if a := b.try("bob", password); a.Status != http.StatusSeeOther {
				t.Fatalf("good sign-in: %d", a.Status)
			}
		}
	}
	s.Codes(t)
	b := &browser{t: t, s: s, from: "192.0.2.7"}
	if a := b.try("ann", password); a.Status != http.StatusTooManyRequests {
		t.Errorf("%d", a.Status)
	}
	s.wantCodes(t, audit.AccountSignInThrottled)
	other := &browser{t: t, s: s, from: "192.0.2.8"}
	if a := other.try("ann", password); a.Status != http.StatusSeeOther {
		t.Errorf("another address: %d", a.Status)
	}
}

// TestParallelGuesses: an attempt is counted before the password is looked at, so guesses at once cannot outrun the count.
func TestParallelGuesses(t *testing.T) {
	s := newServer(t)
	form := (&browser{t: t, s: s, from: "192.0.2.1"}).form("username", "ann", "password", "guess")
	const guesses = 50
	statuses := make([]int, guesses)
	var group sync.WaitGroup
	for i := range guesses {
		group.Go(func() {
			statuses[i] = audittest.Do(t, s.handler, audittest.Request{Path: "/oauth/sign-in", Form: form, From: fmt.Sprintf("198.51.100.%d", i+1)}).Status
		})
	}
	group.Wait()
	looked := 0
	for _, status := range statuses {
		if status == http.StatusOK {
			looked++
		} else if status != http.StatusTooManyRequests {
			t.Errorf("status %d", status)
		}
	}
	if looked != 5 {
		t.Errorf("%d passwords were looked at, want 5", looked)
	}
}

// TestNoAnswerWithoutItsEvent: a refusal that cannot be stored is not given either.
func TestNoAnswerWithoutItsEvent(t *testing.T) {
	s := newServer(t)
	b := &browser{t: t, s: s, from: "192.0.2.1"}
	form := b.form("username", "ann", "password", "wrong")
	s.BreakCommits(errors.New("disk full"))
	if a := b.send(audittest.Request{Path: "/oauth/sign-in", Form: form}); a.Status != http.StatusServiceUnavailable {
		t.Errorf("%d", a.Status)
	}
	s.BreakCommits(nil)
	s.wantCodes(t)
}
