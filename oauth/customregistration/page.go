package customregistration

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// Page is two-way OTP in a browser: it shows a client code and asks for the response code of the portal. It is an identity
// provider of the authorization endpoint. Every field is required.
type Page struct {
	Settings      settingsSource
	Registrations pageRegistrations
	Journey       journey
	Pages         *pages.Pages
	Keys          *secret.Keys
	Audit         *audit.Recorder
	Now           func() time.Time
}

// pageRegistrations is what the page needs of the store; see sqlstore.Store.
type pageRegistrations interface {
	codes
	CountCompletion(ctx context.Context, hash []byte, limit int, now time.Time) error
}

// journey is the authorization request that waits for the user; see oauth.Browser.
type journey interface {
	// Waiting returns the transaction and the name of its client. Errors: store.ErrNotFound, store.ErrExpired,
	// store.ErrRevoked (another browser's), store.ErrConflict (the user is known already).
	Waiting(c echo.Context, transactionID string) (a store.Authorization, clientName string, err error)
	// Identified says who the user is, once. Errors: store.ErrConflict, an outcome.Failure for Fail.
	Identified(c echo.Context, a store.Authorization, id store.Identity) error
	// Fail ends the transaction and returns the failure, which is then told to the client.
	Fail(c echo.Context, a store.Authorization, f outcome.Failure) error
	// GoOnURL returns where the browser goes then.
	GoOnURL(transactionID string) string
	// ErrorPage shows a failure after which there is no way on.
	ErrorPage(c echo.Context, f outcome.Failure) error
}

// How the page fails. It succeeds with ONE_TIME_PASSWORD_AUTH_SUCCEEDED and 303 to where the journey goes on.
var (
	pageGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestInvalid, Text: "the sign-in has ended or belongs to another browser",
	}.With("page", "error.transaction")
	pageFormGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.CSRFInvalid, Text: "the sign-in has ended or belongs to another browser",
	}.With("page", "error.transaction")
	pageCSRF = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.CSRFInvalid, Text: "the form does not belong to this page",
	}
	pageDisabled = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.UnableToDetermineIdentityProvider, Text: "the identity provider is disabled",
	}
	pageSilent = outcome.Failure{
		Code: outcome.LoginRequired, Audit: audit.AuthnRequestLoginRequired, Text: "the user is not signed in",
	}
	pageRefused = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.OneTimePasswordAuthFailed, Text: "the codes have expired or were wrong too often",
	}
	pageWrong = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.OneTimePasswordAuthFailed, Text: "the response code is not right",
	}
)

const pagePath = "/two-way-otp"

// Routes adds the page. g is the group /oauth.
func (p *Page) Routes(g *echo.Group) {
	failing := web.RenderFailuresWith(p.Journey.ErrorPage)
	g.GET(pagePath, p.show, failing)
	g.POST(pagePath, p.answer, failing)
}

// SignInURL returns the address of the page for a transaction.
func (p *Page) SignInURL(transactionID string) string {
	return p.Pages.Path(pagePath) + "?t=" + transactionID
}

func (p *Page) book() book {
	return book{Codes: p.Registrations, Keys: p.Keys, Audit: p.Audit, Now: p.Now}
}

// show answers GET: the client code, and the form for the response code.
func (p *Page) show(c echo.Context) error {
	t, client, err := p.Journey.Waiting(c, c.QueryParam("t"))
	if errors.Is(err, store.ErrConflict) {
		return c.Redirect(http.StatusFound, p.Journey.GoOnURL(c.QueryParam("t")))
	}
	if err != nil {
		return ended(err, pageGone)
	}
	if t.Silent {
		return p.Journey.Fail(c, t, pageSilent.About(audit.Detail("idp", t.Provider)))
	}
	r, code, err := p.begun(c.Request().Context(), t)
	if err != nil {
		return p.failed(c, t, err)
	}
	if r.Ended || !p.Now().Before(r.ExpiresAt) {
		return p.giveUp(c, t, r, audit.Reason("expired"))
	}
	notice := ""
	if c.QueryParam("again") != "" {
		notice = "twoway.again"
	}
	return p.Pages.TwoWay(c, http.StatusOK, p.form(t, client, code, notice))
}

// failed tells the client of a failure; what is none stays a fault.
func (p *Page) failed(c echo.Context, t store.Authorization, err error) error {
	var failure outcome.Failure
	if errors.As(err, &failure) {
		return p.Journey.Fail(c, t, failure)
	}
	return err
}

func (p *Page) form(t store.Authorization, client, code, notice string) pages.TwoWay {
	return pages.TwoWay{
		Language: t.Language, ClientName: client, Action: p.Pages.Path(pagePath), TransactionID: t.ID, FormToken: p.formToken(t),
		ClientCode: code, Notice: notice, Minutes: int(codeLife / time.Minute), RedirectURI: t.RedirectURI,
	}
}

// formToken belongs to one transaction at one browser, and ends with it.
func (p *Page) formToken(t store.Authorization) string {
	return hex.EncodeToString(p.Keys.MAC(secret.ForFormToken, "two-way-otp", t.ID, string(t.Browser)))
}

// ended turns the lack of a transaction into failure; other errors stay what they are.
func ended(err error, failure outcome.Failure) error {
	if reason := store.GoneReason(err); reason != "" {
		return failure.Because(err).About(audit.Reason(reason))
	}
	return err
}

// begun returns the registration of a transaction and its client code, and begins it at the first visit.
func (p *Page) begun(ctx context.Context, t store.Authorization) (r store.CustomRegistration, code string, err error) {
	hash := p.Keys.MAC(secret.ForCode, "two-way OTP", t.ID)
	r, err = p.Registrations.CustomRegistration(ctx, hash)
	if errors.Is(err, store.ErrNotFound) {
		provider := p.Settings.Current().IdentityProvider(t.Provider)
		if provider == nil || provider.Disabled || provider.Type != settings.TwoWayOTP {
			return r, "", pageDisabled.About(audit.Detail("idp", t.Provider))
		}
		_, err = p.book().begin(ctx, t.ID, store.CustomRegistration{Hash: hash, ClientID: t.ClientID, Provider: t.Provider, CreatedAt: p.Now()})
		if err != nil && !errors.Is(err, store.ErrConflict) { // a conflict: another window was faster
			return r, "", err
		}
		r, err = p.Registrations.CustomRegistration(ctx, hash)
	}
	if err != nil {
		return r, "", fmt.Errorf("find registration: %w", err)
	}
	return r, p.shown(t.ID, r), nil
}

// shown derives the client code again, under whatever key it was made with.
func (p *Page) shown(transactionID string, r store.CustomRegistration) string {
	for _, mac := range p.Keys.MACs(secret.ForShortCode, "draw", transactionID, fmt.Sprint(r.CodeIndex)) {
		if code := clientCode(mac); p.Keys.Equal(secret.ForShortCode, r.ClientCode, "client code", code) {
			return code
		}
	}
	return ""
}

// answer answers POST: the response code.
func (p *Page) answer(c echo.Context) error {
	form, err := web.BindForm(c)
	if err != nil {
		return pageFormGone.Because(err).About(audit.Reason("not a form"))
	}
	t, client, err := p.Journey.Waiting(c, form["t"])
	if errors.Is(err, store.ErrConflict) { // pressed twice
		return c.Redirect(http.StatusSeeOther, p.Journey.GoOnURL(form["t"]))
	}
	if err != nil {
		return ended(err, pageFormGone)
	}
	if token, err := hex.DecodeString(form["csrf_token"]); err != nil ||
		!p.Keys.Equal(secret.ForFormToken, token, "two-way-otp", t.ID, string(t.Browser)) {
		web.AnswerFailuresBy(c, p.backToPage(t))
		return pageCSRF.About(audit.Detail("page", "two-way-otp"))
	}
	ctx := c.Request().Context()
	r, code, err := p.begun(ctx, t)
	if err != nil {
		return p.failed(c, t, err)
	}
	if r.Ended {
		return p.giveUp(c, t, r, audit.Reason("used"))
	}
	a, err := p.book().compare(ctx, r, digits(form["code"]), func(ctx context.Context) error {
		return p.Registrations.CountCompletion(ctx, r.Hash, maxWrongCodes, p.Now())
	})
	switch {
	case err != nil:
		return err
	case a.ok():
		return p.identified(c, t, r, a)
	case a.status == statusCodesEnded:
		return p.giveUp(c, t, r, a.details...)
	}
	web.AnswerFailuresBy(c, p.pageAgain(t, client, code, a.status))
	return pageWrong.About(a.details...)
}

// digits takes away the blanks and dashes that people type between digits.
func digits(text string) string {
	out := make([]byte, 0, codeDigits)
	for i := range min(len(text), 4*codeDigits) {
		if b := text[i]; b != ' ' && b != '-' {
			out = append(out, b)
		}
	}
	return string(out)
}

// identified hands the user over. One conditional statement decides who does; it commits with the event.
func (p *Page) identified(c echo.Context, t store.Authorization, r store.CustomRegistration, a answer) error {
	ctx := c.Request().Context()
	err := p.Registrations.InTx(ctx, func(ctx context.Context) error {
		if err := p.Registrations.EndCustomRegistration(ctx, r.Hash); err != nil {
			return err
		}
		audit.Know(ctx, audit.User(r.UserID))
		p.Audit.Record(ctx, a.passed, a.details...)
		return nil
	})
	if errors.Is(err, store.ErrConflict) { // pressed twice
		return c.Redirect(http.StatusSeeOther, p.Journey.GoOnURL(t.ID))
	}
	if err != nil {
		return fmt.Errorf("end registration: %w", err)
	}
	err = p.Journey.Identified(c, t, *a.identity)
	var refused outcome.Failure
	switch {
	case errors.As(err, &refused):
		return p.Journey.Fail(c, t, refused)
	case err != nil && !errors.Is(err, store.ErrConflict):
		return fmt.Errorf("hand over the user: %w", err)
	}
	web.NoStore(c)
	return c.Redirect(http.StatusSeeOther, p.Journey.GoOnURL(t.ID))
}

// giveUp ends registration and transaction: the user starts again in the app.
func (p *Page) giveUp(c echo.Context, t store.Authorization, r store.CustomRegistration, about ...audit.Attr) error {
	err := p.Registrations.EndCustomRegistration(c.Request().Context(), r.Hash)
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return fmt.Errorf("end registration: %w", err)
	}
	return p.Journey.Fail(c, t, pageRefused.About(append([]audit.Attr{flow()}, about...)...))
}

// pageAgain shows the form again after a failure that the person can mend.
func (p *Page) pageAgain(t store.Authorization, client, code string, status int) func(echo.Context, outcome.Failure) error {
	return func(c echo.Context, f outcome.Failure) error {
		if f.Audit != pageWrong.Audit {
			return p.Journey.ErrorPage(c, f)
		}
		notice := "twoway.wrong"
		if status == statusNoCode {
			notice = "twoway.pending"
		}
		return p.Pages.TwoWay(c, http.StatusOK, p.form(t, client, code, notice))
	}
}

// backToPage sends the browser to a fresh form.
func (p *Page) backToPage(t store.Authorization) func(echo.Context, outcome.Failure) error {
	return func(c echo.Context, f outcome.Failure) error {
		if f.Audit != pageCSRF.Audit {
			return p.Journey.ErrorPage(c, f)
		}
		web.NoStore(c)
		return c.Redirect(http.StatusSeeOther, p.SignInURL(t.ID)+"&again=1")
	}
}
