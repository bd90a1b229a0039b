package e2e_test

import (
	"context"
	"fmt"
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

	"tokenserver/internal/testenv"
	"tokenserver/phone"
)

// screen is how a browser shows pages.
type screen struct {
	name          string
	width, height int64
	language      string
	dark          bool
}

// tab is a browser tab of one test, driven by the keyboard alone.
type tab struct {
	*actor
	ctx    context.Context //nolint:containedctx // it is the browser library's handle of the tab
	screen screen

	mu       sync.Mutex
	problems []string // what the browser complained about
}

// TestPages walks a person through sign-in, consent and the way back into the app, with the keyboard alone, and shows the
// error pages. Screenshots are in build/screenshots/.
func TestPages(t *testing.T) {
	chromium := findChromium(t)
	for _, s := range []screen{
		{"phone", 390, 844, "en", false},
		{"desktop", 1280, 800, "nl", false},
		{"dark", 390, 844, "de", true},
	} {
		t.Run(s.name, func(t *testing.T) {
			d := embedded(t)
			b := newTab(t, d, chromium, s)
			b.journey("xan")
			b.errorPage()
			b.complaints()
		})
	}
}

func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if testenv.Required() {
		t.Fatal("chromium is not installed (make deps)")
	}
	t.Skip("chromium is not installed (make deps)")
	return ""
}

// newTab starts a browser with an empty profile.
func newTab(t *testing.T, d *deployment, chromium string, s screen) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("no-first-run", true),
		chromedp.Flag("lang", s.language), chromedp.Flag("accept-lang", s.language),
	)
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	b := &tab{actor: newActor(t, d), ctx: ctx, screen: s}
	b.open()
	return b
}

// open opens a tab, in the same browser if there is one. A tab that has tried to open the app is of no more use: the browser asks
// there whether it may.
func (b *tab) open() {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	b.t.Cleanup(cancel)
	b.ctx = ctx
	if err := chromedp.Listen(ctx, b.listen); err != nil {
		b.t.Fatal(err)
	}
	scheme := "light"
	if b.screen.dark {
		scheme = "dark"
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	call(b, runtime.Enable, cdp.Empty{})
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	})
	browse(b, chromedp.EmulateViewport(b.screen.width, b.screen.height))
}

// actionTime bounds one action in the browser.
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

// listen keeps what the browser complains about: scripts that fail, policies that are broken.
func (b *tab) listen(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		b.problems = append(b.problems, "exception: "+e.ExceptionDetails.Text)
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError {
			b.problems = append(b.problems, e.Entry.Text+" "+e.Entry.URL)
		}
	}
}

// complaints fails for what the browser complained about. It cannot open the app, which is not installed, and it reports the
// status of error pages.
func (b *tab) complaints() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		if !strings.Contains(problem, redirectURL) && !strings.Contains(problem, "harbour:") && !strings.Contains(problem, "status of 400") {
			b.t.Errorf("the browser complains: %s", problem)
		}
	}
}

// next gives the requests of the tab a new transaction id, which it returns.
func (b *tab) next() string {
	b.t.Helper()
	transaction := b.begin()
	call(b, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{
		Headers: network.Headers{transactionHeader: transaction, "X-Forwarded-For": b.address},
	})
	return transaction
}

// press types on the keyboard, wherever the focus is.
func (b *tab) press(keys string) {
	b.t.Helper()
	browse(b, chromedp.KeyEvent(keys))
}

// reach presses the tabulator until an element has the focus.
func (b *tab) reach(selector string) {
	b.t.Helper()
	const most = 12
	for range most {
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

// picture saves a screenshot and checks what every page must have: a language, a title, one heading, nothing wider than the
// screen, and a name for every field.
func (b *tab) picture(name string) {
	b.t.Helper()
	type seen struct {
		Language, Title   string
		Headings, Unnamed int
		Width             int64
	}
	page := browse(b, chromedp.Evaluate[seen](`({
		Language: document.documentElement.lang, Title: document.title,
		Headings: document.querySelectorAll('h1').length,
		Unnamed: [...document.querySelectorAll('input:not([type=hidden])')].filter(i => i.labels.length === 0).length,
		Width: document.documentElement.scrollWidth,
	})`))
	if page.Language != b.screen.language || page.Title == "" || page.Headings != 1 || page.Unnamed != 0 || page.Width > b.screen.width {
		b.t.Errorf("page %s: %+v", name, page)
	}
	png := browse(b, chromedp.CaptureScreenshot())
	folder := filepath.Join(all.root, "build", "screenshots")
	if err := os.MkdirAll(folder, 0o750); err != nil {
		b.t.Fatal(err)
	}
	if err := save(filepath.Join(folder, name+"-"+b.screen.name+".png"), png); err != nil {
		b.t.Fatal(err)
	}
}

// journey signs in and consents.
func (b *tab) journey(user string) {
	p := b.registered(android())
	authorization, err := p.Authorize(b.t.Context(), []string{"openid", "read", "pay"}, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	b.next()
	browse(b, chromedp.Navigate(authorization.URL))
	b.shows("#password")
	b.picture("sign-in")

	wrong := b.next()
	b.reach("#username") // has the focus from the start
	b.press(user + kb.Tab + "wrong" + kb.Enter)
	b.shows("[role=alert]")
	b.picture("sign-in-refused")
	b.d.log.want(b.t, "wrong password", wrong, "ACCOUNT_SIGN_IN_FAILED")

	right := b.next()
	b.reach("#password")
	b.press(b.d.world.password + kb.Enter)
	b.shows("button[value=accept]")
	b.picture("consent")
	b.d.log.want(b.t, "right password", right, "ACCOUNT_SIGN_IN_SUCCESS")

	consent := b.next()
	b.reach("button[value=accept]")
	b.press(kb.Enter)
	b.shows("a#continue")
	b.reach("a#continue")
	b.picture("authorization-complete")
	b.d.log.want(b.t, "consent", consent, "CONSENT_GIVEN AUTHZ_REQUEST_GRANT_CREATED")

	link := browse(b, chromedp.Evaluate[string]("document.getElementById('continue').href"))
	code, err := p.CodeFrom(b.t.Context(), authorization, link)
	if err != nil {
		b.t.Fatal(err)
	}
	b.step("code", "TOKEN_REQUEST_ACCESS_TOKEN_CREATED", func(ctx context.Context) error {
		_, err := p.Exchange(ctx, authorization, code, phone.NewProfileID())
		return err
	})

	// The session is known now: only consent is asked, and it is refused this time.
	if authorization, err = p.Authorize(b.t.Context(), []string{"openid", "read", "pay"}, nil); err != nil {
		b.t.Fatal(err)
	}
	b.open()
	denied := b.next()
	browse(b, chromedp.Navigate(authorization.URL))
	b.shows("button[value=deny]")
	b.reach("button[value=deny]")
	b.press(kb.Enter)
	b.shows("a#continue")
	b.picture("authorization-denied")
	b.d.log.want(b.t, "denied", denied, "CONSENT_DENIED")
}

// errorPage asks for a client that nobody knows.
func (b *tab) errorPage() {
	b.open()
	transaction := b.next()
	browse(b, chromedp.Navigate(b.d.base+"/v1/authorize?response_type=code&client_id=nobody"))
	b.shows("h1")
	b.picture("error")
	text := browse(b, chromedp.Text(chromedp.CSS("main")))
	if !strings.Contains(text, transaction) {
		b.t.Errorf("the error page does not name the transaction: %s", text)
	}
	b.d.log.want(b.t, "unknown client", transaction, "AUTHZ_REQUEST_INVALID")
}
