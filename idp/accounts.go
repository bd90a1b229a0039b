package idp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// Accounts signs users in against the built-in accounts. Every field is required.
type Accounts struct {
	Audit     *audit.Recorder
	Now       func() time.Time
	Keys      *secret.Keys
	Issuer    string // public base URL and /oauth
	Store     transactor
	People    people
	Attempts  attempts
	Browsers  browsers
	Journey   journey
	Passwords passwordVerifier
	Pages     *pages.Pages
}

// transactor runs f in one SQL transaction together with the events of the request; see sqlstore.Store.InTx.
type transactor interface {
	InTx(ctx context.Context, f func(context.Context) error) error
}

// passwordVerifier compares passwords; see Passwords.
type passwordVerifier interface {
	// Verify costs the same for an empty hash, of an unknown user, as for any other, and never matches it.
	Verify(ctx context.Context, hash, password string) (bool, error)
}

// people knows the accounts.
type people interface {
	Account(ctx context.Context, id string) (store.Account, error)
	AccountByUsername(ctx context.Context, username string) (store.Account, error)
}

// How signing in fails. It succeeds with ACCOUNT_SIGN_IN_SUCCESS and 303 to where the journey goes on. Wrong password,
// unknown user and disabled account look the same to the person, and take the same time.
var (
	signInGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestInvalid, Text: "the sign-in has ended or belongs to another browser",
	}.With("page", "error.transaction")
	signInFormGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AccountSignInCSRFInvalid, Text: "the sign-in has ended or belongs to another browser",
	}.With("page", "error.transaction")
	signInCSRF = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AccountSignInCSRFInvalid, Text: "the form does not belong to this page",
	}
	signInFailed = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.AccountSignInFailed, Text: "user name or password is not correct",
	}
	signInThrottled = outcome.Failure{
		Code: outcome.TooManyRequests, Audit: audit.AccountSignInThrottled, Text: "too many attempts",
	}
)

const (
	signInPath  = "/sign-in"
	maxUsername = 256 // bytes
	maxPassword = 1024
)

// Routes adds the sign-in page. g is the group /oauth.
func (a *Accounts) Routes(g *echo.Group) {
	failing := web.RenderFailuresWith(a.Journey.ErrorPage)
	g.GET(signInPath, a.page, failing)
	g.POST(signInPath, a.signIn, failing)
}

// SignInURL returns the address of the sign-in page for a transaction.
func (a *Accounts) SignInURL(transactionID string) string {
	return a.Pages.Path(signInPath) + "?t=" + transactionID
}

// page answers GET: the empty form.
func (a *Accounts) page(c echo.Context) error {
	t, client, err := a.Journey.Waiting(c, c.QueryParam("t"))
	if errors.Is(err, store.ErrConflict) {
		return c.Redirect(http.StatusFound, a.Journey.GoOnURL(c.QueryParam("t")))
	}
	if err != nil {
		return ended(err, signInGone)
	}
	form := a.form(t, client)
	if c.QueryParam("again") != "" {
		form.Notice = "signin.again"
	}
	return a.Pages.SignIn(c, http.StatusOK, form)
}

func (a *Accounts) form(t store.Authorization, client string) pages.SignIn {
	return pages.SignIn{
		Language: t.Language, ClientName: client, Action: a.Pages.Path(signInPath), TransactionID: t.ID,
		FormToken: a.formToken(t), Username: t.LoginHint, RedirectURI: t.RedirectURI,
	}
}

// formToken belongs to one transaction at one browser, and ends with it.
func (a *Accounts) formToken(t store.Authorization) string {
	return hex.EncodeToString(a.Keys.MAC(secret.ForFormToken, "sign-in", t.ID, string(t.Browser)))
}

// ended turns the lack of a transaction into failure; other errors stay what they are.
func ended(err error, failure outcome.Failure) error {
	if reason := store.GoneReason(err); reason != "" {
		return failure.Because(err).About(audit.Reason(reason))
	}
	return err
}

// signIn answers POST: user name and password.
func (a *Accounts) signIn(c echo.Context) error {
	form, err := web.BindForm(c)
	if err != nil {
		return signInFormGone.Because(err).About(audit.Reason("not a form"))
	}
	t, client, err := a.Journey.Waiting(c, form["t"])
	if errors.Is(err, store.ErrConflict) { // pressed twice
		return c.Redirect(http.StatusSeeOther, a.Journey.GoOnURL(form["t"]))
	}
	if err != nil {
		return ended(err, signInFormGone)
	}
	if token, err := hex.DecodeString(form["csrf_token"]); err != nil ||
		!a.Keys.Equal(secret.ForFormToken, token, "sign-in", t.ID, string(t.Browser)) {
		web.AnswerFailuresBy(c, a.backToPage(t))
		return signInCSRF.About(audit.Reason(presence(form["csrf_token"])))
	}
	username, password := form["username"], form["password"]
	if len(username) > maxUsername || len(password) > maxPassword {
		username, password = "", "" // nobody's
	}
	web.AnswerFailuresBy(c, a.pageAgain(t, client, username))
	began := a.Now() // a password that is changed while this one is compared comes later
	person, visit, err := a.prove(c, username, password)
	if err != nil {
		return err
	}
	if err := a.welcome(c.Request().Context(), person, visit); err != nil {
		return err
	}
	web.AnswerFailuresBy(c, a.Journey.ErrorPage)
	visit.remember(c)
	err = a.Journey.Identified(c, t, store.Identity{UserID: person.ID, AMR: []string{"pwd"}, AuthTime: began})
	var refused outcome.Failure
	switch {
	case errors.As(err, &refused):
		return a.Journey.Fail(c, t, refused)
	case err != nil && !errors.Is(err, store.ErrConflict):
		return fmt.Errorf("hand over the user: %w", err)
	}
	web.NoStore(c)
	return c.Redirect(http.StatusSeeOther, a.Journey.GoOnURL(t.ID))
}

func presence(token string) string {
	if token == "" {
		return "missing"
	}
	return "mismatch"
}

// prove compares the password. The attempt is counted before, so that parallel guesses cannot outrun the count.
func (a *Accounts) prove(c echo.Context, username, password string) (store.Account, visit, error) {
	ctx := c.Request().Context()
	person, err := a.People.AccountByUsername(ctx, username)
	unknown := errors.Is(err, store.ErrNotFound)
	if err != nil && !unknown {
		return store.Account{}, visit{}, fmt.Errorf("find account: %w", err)
	}
	if !unknown {
		audit.Know(ctx, audit.User(person.ID))
	}
	v, err := a.visit(c, username, person.ID)
	if err != nil {
		return store.Account{}, visit{}, err
	}
	if err := a.count(ctx, &v); err != nil {
		return store.Account{}, visit{}, err
	}
	right, err := a.Passwords.Verify(ctx, person.PasswordHash, password)
	if err != nil {
		return store.Account{}, visit{}, fmt.Errorf("verify password: %w", err)
	}
	known := audit.Flag("known_browser", v.known)
	switch {
	case unknown:
		return store.Account{}, visit{}, signInFailed.About(audit.Reason("unknown user"), known)
	case !right:
		return store.Account{}, visit{}, signInFailed.About(audit.Reason("wrong password"), known)
	case person.Disabled:
		return store.Account{}, visit{}, signInFailed.About(audit.Reason("account disabled"), known)
	}
	return person, v, nil
}

// pageAgain shows the form again after a failure that the person can mend.
func (a *Accounts) pageAgain(t store.Authorization, client, username string) func(echo.Context, outcome.Failure) error {
	return func(c echo.Context, f outcome.Failure) error {
		form := a.form(t, client)
		form.Username = username
		if f.Audit == signInFailed.Audit {
			form.Notice = "signin.failed"
			return a.Pages.SignIn(c, http.StatusOK, form)
		}
		if f.Audit == signInThrottled.Audit {
			wait := waitOf(f)
			form.Notice, form.Minutes = "signin.throttled", int((wait+time.Minute-1)/time.Minute)
			c.Response().Header().Set(echo.HeaderRetryAfter, strconv.Itoa(int((wait+time.Second-1)/time.Second)))
			return a.Pages.SignIn(c, f.Code.Status(), form)
		}
		return a.Journey.ErrorPage(c, f)
	}
}

// backToPage sends the browser to a fresh form.
func (a *Accounts) backToPage(t store.Authorization) func(echo.Context, outcome.Failure) error {
	return func(c echo.Context, f outcome.Failure) error {
		if f.Audit != signInCSRF.Audit {
			return a.Journey.ErrorPage(c, f)
		}
		web.NoStore(c)
		return c.Redirect(http.StatusSeeOther, a.SignInURL(t.ID)+"&again=1")
	}
}
