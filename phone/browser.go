package phone

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
)

// Browser shows pages to the user until one of them leads back into the app.
type Browser interface {
	// Open shows the authorization request and returns the address that starts with redirectPrefix, unopened.
	Open(ctx context.Context, authorizeURL, redirectPrefix string) (string, error)
}

const (
	maxSteps = 30      // pages and redirects of one sign-in
	maxPage  = 1 << 20 // bytes of one page
)

// Errors of Person.Open that are neither the network's nor the server's.
var (
	ErrSignInRefused = errors.New("the sign-in page came again: user name or password were not accepted")
	ErrLost          = errors.New("the page offers nothing that this user knows to do")
	ErrTooManyPages  = errors.New("too many pages and redirects")
)

// PageError is an error page: a status of 400 or more instead of a page to go on with.
type PageError struct {
	Status int
	URL    string // without its query
	Text   string // visible text of the page, shortened
}

// Error shows the status and what the user would have read.
func (e *PageError) Error() string { return fmt.Sprintf("page %s: %d %s", e.URL, e.Status, e.Text) }

// Person is a user at a browser: a scripted one, who reads real HTML. It signs in, decides on the consent page, goes on where a
// page asks to, and keeps its cookies between calls, so a second Open may find a session.
type Person struct {
	Username string
	Password string
	Consent  bool // press accept on the consent page; false presses deny
	// SMSCode reads the code that the step-up page asks for; nil: a page that asks for one ends the visit.
	SMSCode func(ctx context.Context) (string, error)
	// Transport carries the requests; nil: http.DefaultTransport.
	Transport http.RoundTripper

	mu  sync.Mutex
	jar http.CookieJar
}

// visit is one walk through the pages.
type visit struct {
	person   *Person
	client   *http.Client
	prefix   string
	named    bool
	signedIn bool
	decided  int
}

// Open walks from the authorization request to the redirect into the app. Errors: *PageError, ErrSignInRefused, ErrLost,
// ErrTooManyPages, or those of the transport.
func (u *Person) Open(ctx context.Context, authorizeURL, redirectPrefix string) (string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.jar == nil {
		jar, err := cookiejar.New(nil)
		if err != nil {
			return "", fmt.Errorf("cookie jar: %w", err)
		}
		u.jar = loopbackJar{jar}
	}
	v := &visit{person: u, prefix: redirectPrefix, client: &http.Client{
		Jar: u.jar, Transport: u.Transport, Timeout: requestTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	next := step{method: http.MethodGet, url: authorizeURL}
	for range maxSteps {
		if strings.HasPrefix(next.url, redirectPrefix) {
			return next.url, nil
		}
		var err error
		if next, err = v.take(ctx, next); err != nil {
			return "", err
		}
	}
	return "", ErrTooManyPages
}

// step is the next request of the visit.
type step struct {
	method string
	url    string
	form   url.Values // nil: no body
}

// take makes one request and says what the user does next.
func (v *visit) take(ctx context.Context, s step) (step, error) {
	var body io.Reader
	if s.form != nil {
		body = strings.NewReader(s.form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, s.method, s.url, body)
	if err != nil {
		return step{}, fmt.Errorf("open page: %w", err)
	}
	request.Header.Set("Accept", "text/html")
	request.Header.Set("User-Agent", "Mozilla/5.0 (phone; scripted user)")
	if s.form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Origin", request.URL.Scheme+"://"+request.URL.Host)
	}
	response, err := v.client.Do(request)
	if err != nil {
		return step{}, fmt.Errorf("open page: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	if location := response.Header.Get("Location"); location != "" && response.StatusCode/100 == 3 {
		return redirected(s, request.URL, response.StatusCode, location)
	}
	page, err := ParsePage(io.LimitReader(response.Body, maxPage))
	if err != nil {
		return step{}, fmt.Errorf("read page: %w", err)
	}
	if response.StatusCode >= http.StatusBadRequest {
		address := *request.URL
		address.RawQuery = ""
		return step{}, &PageError{Status: response.StatusCode, URL: address.String(), Text: page.Text}
	}
	return v.read(ctx, page, request.URL)
}

// redirected follows a Location as browsers do: 307 and 308 keep method and body, the others become a GET.
func redirected(s step, from *url.URL, status int, location string) (step, error) {
	to, err := from.Parse(location)
	if err != nil {
		return step{}, fmt.Errorf("follow redirect: %w", err)
	}
	if status == http.StatusTemporaryRedirect || status == http.StatusPermanentRedirect {
		return step{method: s.method, url: to.String(), form: s.form}, nil
	}
	return step{method: http.MethodGet, url: to.String()}, nil
}

// read decides what the user does on a page.
func (v *visit) read(ctx context.Context, page *Page, at *url.URL) (step, error) {
	if page.Continue != "" {
		return redirected(step{}, at, http.StatusFound, page.Continue)
	}
	for _, form := range page.Forms {
		switch {
		case form.Has("password"):
			if v.signedIn {
				return step{}, ErrSignInRefused
			}
			v.signedIn = true
			return form.submit(at, url.Values{"username": {v.person.Username}, "password": {v.person.Password}})
		case form.Has("username") && !v.named: // the page that asks for the name first
			v.named = true
			return form.submit(at, url.Values{"username": {v.person.Username}})
		case form.Has("user_code") && form.value("user_code") != "": // the code of a device, as its address brought it
			return form.submit(at, nil)
		case form.Button("decision") && v.decided < 2: // asked again when the token of the form has expired meanwhile
			v.decided++
			decision := "deny"
			if v.person.Consent {
				decision = "accept"
			}
			return form.submit(at, url.Values{"decision": {decision}})
		case form.Has("code") && v.person.SMSCode != nil:
			code, err := v.person.SMSCode(ctx)
			if err != nil {
				return step{}, fmt.Errorf("sms code: %w", err)
			}
			return form.submit(at, url.Values{"code": {code}})
		}
	}
	var onwards []Form // forms of a page that only passes something on
	for _, form := range page.Forms {
		if form.Method == http.MethodPost && form.onlyHidden() && !form.Button("decision") {
			onwards = append(onwards, form)
		}
	}
	if len(onwards) == 1 {
		return onwards[0].submit(at, nil)
	}
	return step{}, ErrLost
}

// submit fills the fields over the values of the page.
func (f Form) submit(at *url.URL, fields url.Values) (step, error) {
	to, err := at.Parse(f.Action)
	if err != nil {
		return step{}, fmt.Errorf("form action: %w", err)
	}
	values := url.Values{}
	for _, input := range f.Inputs {
		if !input.button() {
			values.Add(input.Name, input.Value)
		}
	}
	for name, value := range fields {
		values[name] = value
	}
	if f.Method == http.MethodGet {
		to.RawQuery = values.Encode()
		return step{method: http.MethodGet, url: to.String()}, nil
	}
	return step{method: http.MethodPost, url: to.String(), form: values}, nil
}

// loopbackJar treats plain http to loopback as secure, as browsers do (W3C Secure Contexts §3.1), so that Secure and __Host-
// cookies work against a server on the same machine.
type loopbackJar struct{ http.CookieJar }

func (j loopbackJar) SetCookies(u *url.URL, cookies []*http.Cookie) {
	j.CookieJar.SetCookies(secureIfLoopback(u), cookies)
}

func (j loopbackJar) Cookies(u *url.URL) []*http.Cookie {
	return j.CookieJar.Cookies(secureIfLoopback(u))
}

func secureIfLoopback(u *url.URL) *url.URL {
	host := u.Hostname()
	if u.Scheme != "http" || (host != "localhost" && host != "::1" && !strings.HasPrefix(host, "127.")) {
		return u
	}
	secure := *u
	secure.Scheme = "https"
	return &secure
}
