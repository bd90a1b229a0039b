package idp

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// attempts counts sign-ins by subject; see sqlstore.Store.
type attempts interface {
	CountSignIn(ctx context.Context, subject string, now time.Time, forget time.Duration, block func(attempts int) time.Duration) (until time.Time, err error)
	ForgetSignIns(ctx context.Context, subject string) error
	TakeBackSignIn(ctx context.Context, subject string, until time.Time) error
}

// browsers remembers at which browsers a user has signed in; see sqlstore.Store.
type browsers interface {
	KnowBrowser(ctx context.Context, browser []byte, userID string, now time.Time) error
	KnowsBrowser(ctx context.Context, browser []byte, userID string, since time.Time) (bool, error)
}

// forSignIn separates the keyed hashes of user names and browsers.
const forSignIn secret.Purpose = "sign-in"

const (
	browserCookie = "ts-browser"
	browserLife   = 400 * 24 * time.Hour // as long as browsers keep a cookie
	browserValue  = 43                   // characters of secret.NewChallenge
)

// budget says how many attempts are free, and how long the pauses after them are: doubled each time.
type budget struct {
	free    int
	first   time.Duration
	longest time.Duration
	forget  time.Duration // a pause after which the count starts anew
}

// The budgets. An attacker at unknown browsers uses up the user's common budget, and the one of each address; the owner at
// a known browser has a budget that nobody else can touch.
var (
	atUnknownBrowsers = budget{free: 5, first: 30 * time.Second, longest: 15 * time.Minute, forget: 24 * time.Hour}
	atKnownBrowser    = budget{free: 10, first: 30 * time.Second, longest: 15 * time.Minute, forget: 24 * time.Hour}
	fromAddress       = budget{free: 50, first: 30 * time.Second, longest: 15 * time.Minute, forget: time.Hour}
)

// pause returns how long further attempts are refused after so many.
func (b budget) pause(attempts int) time.Duration {
	if attempts < b.free {
		return 0
	}
	pause := b.first
	for i := b.free; i < attempts && pause < b.longest; i++ {
		pause *= 2
	}
	return min(pause, b.longest)
}

// visit is one attempt to sign in: who is counted, and what was counted.
type visit struct {
	cookies web.Cookies
	browser string // value of the browser's cookie, made now when it had none
	hash    []byte
	known   bool   // the user has signed in at this browser before
	owner   string // subject that a success starts anew
	address string // subject that a success gives back one attempt; "" at a known browser
	until   time.Time
}

// visit looks at the browser. The look-ups are the same for users that do not exist.
func (a *Accounts) visit(c echo.Context, username, userID string) (visit, error) {
	v := visit{cookies: web.CookiesFor(a.Issuer)}
	v.browser = v.cookies.Get(c, browserCookie)
	if len(v.browser) != browserValue {
		v.browser = secret.NewChallenge()
	}
	v.hash = a.Keys.MAC(forSignIn, "browser", v.browser)
	var err error
	v.known, err = a.Browsers.KnowsBrowser(c.Request().Context(), v.hash, userID, a.Now().Add(-browserLife))
	if err != nil {
		return visit{}, fmt.Errorf("look at the browser: %w", err)
	}
	name := hex.EncodeToString(a.Keys.MAC(forSignIn, "user", store.UsernameKey(username)))
	if v.known {
		v.owner = "browser:" + hex.EncodeToString(v.hash) + ":" + name
		return v, nil
	}
	v.owner = "user:" + name
	v.address = "address:" + ratelimit.Network(audit.ClientIP(c.Request().Context()))
	return v, nil
}

// remember keeps the browser's cookie alive.
func (v visit) remember(c echo.Context) {
	v.cookies.Set(c, browserCookie, v.browser, browserLife)
}

// count counts the attempt against the address and the user, or against the known browser alone; when one of them is
// paused, nothing is counted and the password is not looked at.
func (a *Accounts) count(ctx context.Context, v *visit) error {
	now := a.Now()
	err := a.Store.InTx(ctx, func(ctx context.Context) error {
		if v.address != "" {
			until, err := a.Attempts.CountSignIn(ctx, v.address, now, fromAddress.forget, fromAddress.pause)
			if err != nil {
				return throttled(err, "address", until.Sub(now))
			}
			v.until = until
		}
		of := atUnknownBrowsers
		if v.known {
			of = atKnownBrowser
		}
		until, err := a.Attempts.CountSignIn(ctx, v.owner, now, of.forget, of.pause)
		if err != nil {
			return throttled(err, "user", until.Sub(now))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("count attempt: %w", err)
	}
	return nil
}

// throttled turns a refusal by the count into the failure.
func throttled(err error, of string, wait time.Duration) error {
	if !errors.Is(err, store.ErrConflict) {
		return err
	}
	return signInThrottled.About(audit.Reason(of), audit.Count("seconds", int(wait/time.Second))).With(waitMember, wait)
}

const waitMember = "wait"

// waitOf returns how long a throttled person has to wait.
func waitOf(f outcome.Failure) time.Duration {
	for _, m := range f.Members() {
		if wait, ok := m.Value.(time.Duration); ok && m.Name == waitMember {
			return wait
		}
	}
	return 0
}

// welcome commits the success: its event, the count, the browser that is known from now on.
func (a *Accounts) welcome(ctx context.Context, person store.Account, v visit) error {
	err := a.Store.InTx(ctx, func(ctx context.Context) error {
		a.Audit.Record(ctx, audit.AccountSignInSuccess, audit.Flag("known_browser", v.known))
		if err := a.Attempts.ForgetSignIns(ctx, v.owner); err != nil {
			return err
		}
		if v.address != "" {
			if err := a.Attempts.TakeBackSignIn(ctx, v.address, v.until); err != nil {
				return err
			}
		}
		return a.Browsers.KnowBrowser(ctx, v.hash, person.ID, a.Now())
	})
	if err != nil {
		return fmt.Errorf("welcome: %w", err)
	}
	return nil
}
