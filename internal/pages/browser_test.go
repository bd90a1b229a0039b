package pages_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/internal/testenv"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// screen is how a browser shows pages.
type screen struct {
	name          string
	width, height int64
	language      string
	dark          bool
}

// tab is a browser tab that is driven by the keyboard alone.
type tab struct {
	t      *testing.T
	server *server
	base   string
	ctx    context.Context //nolint:containedctx // it is the browser library's handle of the tab
	screen screen

	mu       sync.Mutex
	problems []string // what the browser complained about
}

// TestPagesInABrowser walks people through connecting a device, app-to-web sign-in and the page before an identity provider
// elsewhere, with the keyboard alone. Screenshots are in build/screenshots/.
func TestPagesInABrowser(t *testing.T) {
	chromium := findChromium(t)
	for _, s := range []screen{
		{"phone", 390, 844, "en", false},
		{"desktop", 1280, 800, "nl", false},
		{"dark", 390, 844, "de", true},
		{"french", 390, 844, "fr", false},
	} {
		t.Run(s.name, func(t *testing.T) {
			b := newTab(t, chromium, s)
			b.connectDevice()
			b.refuseDevice()
			b.lockUserCodes()
			b.comeFromApp()
			b.goElsewhere()
			for _, problem := range b.problems {
				t.Errorf("the browser complains: %s", problem)
			}
		})
	}
}

// findChromium returns the browser. Where the tests must be whole, its absence is a failure.
func findChromium(t *testing.T) string {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil && testenv.Required() {
		t.Fatal("chromium is not installed (make deps)")
	}
	if err != nil {
		t.Skip("chromium is not installed (make deps)")
	}
	return chromium
}

// newTab starts a server that browsers can reach, and a browser with an empty profile.
func newTab(t *testing.T, chromium string, s screen) *tab {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := audittest.New(t)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	base := "http://localhost:" + port
	e.Issuer = base + "/oauth"
	b := &tab{t: t, base: base, screen: s, server: newServerOn(t, e, folder(t, map[string]string{
		"quay/page.css": ":root { --accent: #0b6e4f; --accent-over: #084c37; }\n@media (prefers-color-scheme: dark) { :root { --accent: #7fd8b4; --accent-over: #b3ecd5; } }",
		"quay/logo.svg": `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 160 40"><path fill="#0b6e4f" d="M4 36 20 4l16 32z"/><path fill="#2a9d8f" d="M44 16h112v8H44z"/></svg>`,
	}))}
	b.configure(base)
	web := &httptest.Server{Listener: listener, Config: &http.Server{Handler: b.server.handler}}
	web.Start()
	t.Cleanup(web.Close)

	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("no-first-run", true), chromedp.Flag("lang", s.language), chromedp.Flag("accept-lang", s.language),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	if b.ctx, cancel = chromedp.NewContext(ctx); true {
		t.Cleanup(cancel)
	}
	if err := chromedp.Listen(b.ctx, b.listen); err != nil {
		t.Fatal(err)
	}
	scheme := "light"
	if s.dark {
		scheme = "dark"
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	browse(b, chromedp.EmulateViewport(s.width, s.height))
	return b
}

// configure adds a client with the device grant, an app that may sign in browsers, and a provider elsewhere.
func (b *tab) configure(base string) {
	d := b.server.Settings.Current().Document
	d.OAuth.ForwardPage = true
	d.IdentityProviders = append(d.IdentityProviders, settings.IdentityProvider{ID: "town", Name: "Town Hall", Type: settings.SAMLProvider})
	d.Applications[0].AppToWebURLs = []string{base + "/oauth/pages/landed"}
	d.WebClients = append(d.WebClients,
		settings.WebClient{
			ID: "tv", Name: "Quay TV", Authentication: settings.PublicClient, Grants: []settings.Grant{settings.DeviceCode},
			DefaultScopes: []string{"accounts:read", "transfer"}, TemplateSet: "quay",
		})
	d.WebClients[0].AdditionalProviders = []string{"town"}
	d.WebClients[0].IdentityProvider = "accounts"
	b.server.Settings.Set(d)
	err := b.server.Store.AddProfile(b.t.Context(), store.Profile{
		ClientID: strings.Repeat("A", 64), ProfileID: "AB12CD", UserID: "u-ann", CreatedAt: b.server.Now(), LastLogin: b.server.Now(),
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

const actionTime = 20 * time.Second

// browse does one action in the tab.
func browse[T any](b *tab, action chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		b.t.Fatal(err)
	}
	return value
}

// call sends one command of the protocol.
func call[P, R any](b *tab, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, command, params); err != nil {
		b.t.Fatal(err)
	}
}

// listen keeps what the browser complains about, besides the status of answers that are meant to fail.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError && !strings.Contains(e.Entry.Text, "status of 4") {
			b.problems = append(b.problems, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

func (b *tab) press(keys string) {
	b.t.Helper()
	browse(b, chromedp.KeyEvent(keys))
}

// reach presses the tabulator until an element has the focus, and checks that the focus can be seen.
func (b *tab) reach(selector string) {
	b.t.Helper()
	for range 12 {
		if browse(b, chromedp.Evaluate[bool](fmt.Sprintf("document.activeElement !== null && document.activeElement.matches(%q)", selector))) {
			return
		}
		b.press(kb.Tab)
	}
	b.t.Fatalf("the keyboard does not reach %s", selector)
}

// shows waits for an element of the next page.
func (b *tab) shows(selector string) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.WaitVisible(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("no %s on the page: %v\n%s", selector, err, browse(b, chromedp.OuterHTML(chromedp.CSS("html"))))
	}
}

func (b *tab) open(path string) {
	b.t.Helper()
	browse(b, chromedp.Navigate(b.base+path))
}

// picture saves a screenshot and checks what every page must have: a language, a title, one heading, nothing wider than the
// screen, a name for every field, descriptions that are there, and contrast of at least 4.5 of text on its ground.
func (b *tab) picture(name string) {
	b.t.Helper()
	type seen struct {
		Language, Title            string
		Headings, Unnamed, Missing int
		Width                      int64
		Pale                       []string
	}
	page := browse(b, chromedp.Evaluate[seen](`(() => {
		const parse = c => (c.match(/[\d.]+/g) || []).map(Number);
		const light = c => { const [r, g, b] = parse(c).slice(0, 3).map(v => (v /= 255) <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
			return .2126 * r + .7152 * g + .0722 * b; };
		const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; const p = parse(c);
			if (p.length < 4 || p[3] > 0) return c; } return 'rgb(255, 255, 255)'; };
		const pale = [];
		for (const e of document.querySelectorAll('h1, p, label, button:enabled, a, li, dt, dd')) {
			const x = light(getComputedStyle(e).color), y = light(ground(e));
			if (e.textContent.trim() && (Math.max(x, y) + .05) / (Math.min(x, y) + .05) < 4.5) pale.push(e.textContent.trim().slice(0, 40));
		}
		return {
			Language: document.documentElement.lang, Title: document.title,
			Headings: document.querySelectorAll('h1').length,
			Unnamed: [...document.querySelectorAll('input:not([type=hidden])')].filter(i => i.labels.length === 0).length,
			Missing: [...document.querySelectorAll('[aria-describedby]')].flatMap(e => e.getAttribute('aria-describedby').split(' '))
				.filter(id => !document.getElementById(id)).length,
			Width: document.documentElement.scrollWidth, Pale: pale,
		};
	})()`))
	if page.Language != b.screen.language || page.Title == "" || page.Headings != 1 || page.Unnamed != 0 || page.Missing != 0 ||
		page.Width > b.screen.width || len(page.Pale) != 0 {
		b.t.Errorf("page %s: %+v", name, page)
	}
	path := filepath.Join("..", "..", "build", "screenshots", name+"-"+b.screen.name+".png")
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, browse(b, chromedp.CaptureScreenshot()), 0o600); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tab) wantCodes(want ...audit.Code) {
	b.t.Helper()
	p := &person{t: b.t, server: b.server}
	p.wantCodes(want...)
}

// start begins a device login.
func (b *tab) start() (deviceCode, userCode string) {
	b.t.Helper()
	a := audittest.Do(b.t, b.server.handler, audittest.Request{Path: "/oauth/device_authorization", Form: map[string][]string{"client_id": {"tv"}}})
	var answer struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || a.Status != http.StatusOK {
		b.t.Fatalf("start: %d %s", a.Status, a.Body)
	}
	b.wantCodes(audit.DeviceAuthzRequestDeviceCodeCreated)
	return answer.DeviceCode, answer.UserCode
}

func (b *tab) poll(deviceCode string) int {
	b.t.Helper()
	return audittest.Do(b.t, b.server.handler, audittest.Request{Path: "/oauth/token", Form: map[string][]string{
		"grant_type": {"urn:ietf:params:oauth:grant-type:device_code"}, "client_id": {"tv"}, "device_code": {deviceCode},
	}}).Status
}

// connectDevice types a wrong code, then the right one, signs in and agrees.
func (b *tab) connectDevice() {
	device, code := b.start()
	b.open("/oauth/device_authorization/verification")
	b.reach("#user-code") // has the focus from the start
	b.picture("user-code")
	b.press("bbbb bbbb" + kb.Enter)
	b.shows("[role=alert]")
	b.picture("user-code-wrong")
	b.wantCodes(audit.DeviceAuthzUserCodeInvalid)
	b.reach("#user-code")
	browse(b, chromedp.Evaluate[bool]("document.activeElement.select() === undefined"))
	b.press(strings.ToLower(code[:4]) + "-" + code[4:] + kb.Enter)
	b.shows("#password")
	b.picture("device-sign-in")
	b.reach("#username")
	b.press("ann" + kb.Tab + "correct horse" + kb.Enter)
	b.shows("button[value=accept]")
	b.picture("device-consent")
	b.wantCodes(audit.AccountSignInSuccess)
	b.reach("button[value=accept]")
	b.press(kb.Enter)
	b.shows(".ending .name")
	b.picture("device-success")
	b.wantCodes(audit.ConsentGiven, audit.AuthzRequestDeviceGrantCreated)
	if status := b.poll(device); status != http.StatusOK {
		b.t.Errorf("poll: %d", status)
	}
	b.wantCodes(audit.TokenRequestAccessTokenCreated)
}

// refuseDevice confirms a code that came with the address, and says no.
func (b *tab) refuseDevice() {
	device, code := b.start()
	b.open("/oauth/device_authorization/verification?user_code=" + code)
	b.picture("user-code-confirm")
	b.reach("button.primary")
	b.press(kb.Enter)
	b.shows("button[value=deny]") // the session is known
	b.reach("button[value=deny]")
	b.press(kb.Enter)
	b.shows(".ending .refused")
	b.picture("device-denied")
	b.wantCodes(audit.ConsentDenied)
	if status := b.poll(device); status != http.StatusBadRequest {
		b.t.Errorf("poll: %d", status)
	}
	b.wantCodes(audit.TokenRequestInvalidGrant)
}

// lockUserCodes guesses until the page is locked.
func (b *tab) lockUserCodes() {
	for range 4 { // one wrong code was typed before
		b.open("/oauth/device_authorization/verification")
		b.reach("#user-code")
		b.press("CCCCCCCC" + kb.Enter)
		b.shows("[role=alert]")
	}
	b.open("/oauth/device_authorization/verification")
	b.reach("#user-code")
	b.press("CCCCCCCC" + kb.Enter)
	b.shows("button:disabled")
	b.picture("user-code-locked")
	b.server.Codes(b.t)
}

// comeFromApp opens the address of an app, which is asked about because this is another network than the app's.
func (b *tab) comeFromApp() {
	if err := b.server.Store.PutAccount(b.t.Context(), store.Account{
		ID: "u-bob", Username: "bob", CreatedAt: b.server.Now(), UpdatedAt: b.server.Now(), Attributes: store.Attributes{"name": "Bob de Vries"},
	}); err != nil {
		b.t.Fatal(err)
	}
	if err := b.server.Store.AddProfile(b.t.Context(), store.Profile{
		ClientID: strings.Repeat("A", 64), ProfileID: "BOB123", UserID: "u-bob", CreatedAt: b.server.Now(), LastLogin: b.server.Now(),
	}); err != nil {
		b.t.Fatal(err)
	}
	var issued token.Issued
	if err := b.server.Store.InTx(b.t.Context(), func(ctx context.Context) (err error) {
		issued, err = b.server.tokens.Issue(ctx, token.Grant{
			ClientID: strings.Repeat("A", 64), ProfileID: "BOB123", UserID: "u-bob", Kind: store.DefaultToken, Application: "bank", Platform: "android", Version: "1.0",
			Scopes: []string{"accounts:read"}, AccessLife: time.Hour, AuthTime: b.server.Now(), AMR: []string{"pwd"},
		})
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	target := b.base + "/oauth/pages/landed"
	a := audittest.Do(b.t, b.server.handler, audittest.Request{
		Path: "/oauth/v1/app-to-web", Bearer: issued.AccessToken, Form: map[string][]string{"target_url": {target}},
	})
	var answer struct {
		Page string `json:"redirect_uri"`
	}
	if err := json.Unmarshal([]byte(a.Body), &answer); err != nil || a.Status != http.StatusOK {
		b.t.Fatalf("app-to-web: %d %s", a.Status, a.Body)
	}
	b.wantCodes(audit.AppToWebSsoTokenCreated)
	b.open(strings.TrimPrefix(answer.Page, b.base))
	b.shows("form#answer")
	b.picture("app-to-web")
	b.reach("button.primary")
	b.press(kb.Enter)
	ctx, cancel := context.WithTimeout(b.ctx, actionTime)
	defer cancel()
	for browse(b, chromedp.Location()) != target {
		select {
		case <-ctx.Done():
			b.t.Fatalf("at %s, not at the target", browse(b, chromedp.Location()))
		case <-time.After(20 * time.Millisecond):
		}
	}
	b.wantCodes(audit.AppToWebSsoSignedIn, audit.SessionTerminationUserSessionTerminated)
}

// goElsewhere stops at the page before an identity provider elsewhere. The script would go on at once, so it is held back.
func (b *tab) goElsewhere() {
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.open("/oauth/authorize?" + query("response_type", "code", "client_id", "portal", "redirect_uri", "https://portal.example/back", "idp", "town",
		"scope", "openid", "nonce", "n", "state", "s", "code_challenge", challenge, "code_challenge_method", "S256"))
	b.shows("a#continue")
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: false})
	b.picture("forward-to-authentication")
	b.wantCodes()
}
