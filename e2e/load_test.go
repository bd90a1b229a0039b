package e2e_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

// attempt is one request of the load and how it went.
type attempt struct {
	transaction string
	answered    bool   // by the product, not by the proxy in front of a dead process, and not with 503: try again
	ends        string // "accepted", or status and word
}

// deed is something that may happen once: the first attempt, and its repeats while no answer came.
type deed struct {
	kind     string
	codes    string   // of the attempt that does it
	before   string   // what an attempt may leave that got no further than 503: the caller was let in
	each     bool     // every accepted attempt writes the codes; else one, and repeats nothing
	refused  []string // how attempts after a lost answer may end instead, each with its codes
	attempts []attempt
}

// load does what phones and portals do, over and over, until it is stopped.
type load struct {
	t      *testing.T
	d      *deployment
	cancel context.CancelFunc
	wait   sync.WaitGroup

	mu    sync.Mutex
	deeds []*deed
	made  int // attempts
}

// startLoad prepares phones and lets them run.
func startLoad(t *testing.T, d *deployment, phones int) *load {
	t.Helper()
	l := &load{t: t, d: d}
	ctx, cancel := context.WithCancel(t.Context())
	l.cancel = cancel
	for i := range phones {
		a := newActor(t, d)
		user := usernames[i%len(usernames)]
		p, profile := a.enrolled(android(), user, d.world.androidDevice())
		u := &customer{load: l, a: a, p: p, profile: profile, user: user, refreshToken: a.refreshToken(p, profile), person: a.person(user)}
		l.wait.Go(func() { u.run(ctx) })
	}
	return l
}

// stop ends the load and returns everything that was tried.
func (l *load) stop() []*deed {
	l.cancel()
	l.wait.Wait()
	return l.deeds
}

// attempts counts what was tried so far.
func (l *load) attempts() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.made
}

// more waits until n further attempts were made.
func (l *load) more(n int) {
	l.t.Helper()
	until, deadline := l.attempts()+n, time.Now().Add(time.Minute)
	for l.attempts() < until {
		if time.Now().After(deadline) {
			l.t.Fatal("the load has come to a halt")
		}
		time.Sleep(pollEvery)
	}
}

// customer is one phone of the load, with a user of its own and a portal that asks it.
type customer struct {
	load         *load
	a            *actor
	p            *phone.Phone
	profile      string
	user         string
	refreshToken string
	person       *phone.Person
}

func (u *customer) run(ctx context.Context) {
	for ctx.Err() == nil {
		u.push(ctx)
		u.refresh(ctx)
		for !u.code(ctx) && ctx.Err() == nil {
			continue // a code whose answer was lost took the profile's tokens along
		}
	}
}

// do tries a deed until somebody answers or the load is stopped, and reports whether it was accepted.
func (u *customer) do(ctx context.Context, d *deed, try func() error) bool {
	u.load.mu.Lock()
	u.load.deeds = append(u.load.deeds, d)
	u.load.mu.Unlock()
	for {
		transaction := u.a.begin()
		err := try()
		made := attempt{transaction: transaction, answered: answeredByProduct(err), ends: endsOf(err)}
		u.load.mu.Lock()
		d.attempts = append(d.attempts, made)
		u.load.made++
		u.load.mu.Unlock()
		if made.answered {
			return err == nil
		}
		if ctx.Err() != nil {
			return false
		}
		time.Sleep(pollEvery)
	}
}

// answeredByProduct tells an answer of the product from a broken connection, from the proxy's 502 and from 503, which promises
// nothing.
func answeredByProduct(err error) bool {
	var portal *standin.PortalError
	switch refused := phone.Refused(err); {
	case err == nil:
		return true
	case refused != nil:
		return refused.Status != http.StatusBadGateway && refused.Status != http.StatusServiceUnavailable
	case errors.As(err, &portal):
		return portal.Status != http.StatusBadGateway && portal.Status != http.StatusServiceUnavailable
	}
	return false
}

// endsOf is ends for portals, too.
func endsOf(err error) string {
	var portal *standin.PortalError
	if errors.As(err, &portal) {
		return portal.Error()
	}
	return ends(err)
}

// push is one push transaction, accepted.
func (u *customer) push(ctx context.Context) {
	var started *standin.Initiated
	if !u.do(ctx, &deed{kind: "init", codes: "API_ACCESS_GRANTED PUSH_AUTH_INITIALIZED", before: "API_ACCESS_GRANTED", each: true}, func() (err error) {
		started, err = u.a.portal().Init(ctx, u.a.initiation(u.p, u.user, typePush))
		return err
	}) {
		return
	}
	proof, err := u.p.NewProof(ctx, u.profile, phone.TypeFetch, phone.Claims{"transaction_id": started.TransactionID, "user": u.profile})
	if err != nil {
		return
	}
	var message *phone.Message
	if !u.do(ctx, &deed{kind: "fetch", codes: "PUSH_AUTH_FETCH_SECURED_MESSAGE_FETCHED"}, func() (err error) {
		message, err = u.p.FetchWith(ctx, started.TransactionID, u.profile, proof)
		return err
	}) {
		return
	}
	answer, err := u.p.NewAnswer(ctx, message, "accept", phone.MethodPush, nil)
	if err != nil {
		return
	}
	u.do(ctx, &deed{kind: "answer", codes: "PUSH_AUTH_AUTHENTICATED"}, func() error {
		_, err := u.p.SendAnswer(ctx, answer)
		return err
	})
}

// refresh rotates the refresh token; a lost answer is repeated with the same one.
func (u *customer) refresh(ctx context.Context) {
	var next *phone.TokenAnswer
	if u.do(ctx, &deed{kind: "refresh", codes: "TOKEN_REQUEST_ACCESS_TOKEN_REFRESHED", each: true}, func() (err error) {
		next, err = refresh(ctx, u.p, u.profile, u.refreshToken)
		return err
	}) {
		u.refreshToken = next.RefreshToken
	}
}

// code signs in anew and redeems the code; it reports whether the phone has new tokens.
func (u *customer) code(ctx context.Context) bool {
	authorization, code, err := u.authorize(ctx)
	if err != nil { // the browser shows an error page; the user begins anew
		u.load.mu.Lock()
		u.load.made++
		u.load.mu.Unlock()
		time.Sleep(pollEvery)
		return false
	}
	var next *phone.TokenAnswer
	accepted := u.do(ctx, &deed{kind: "code", codes: "TOKEN_REQUEST_ACCESS_TOKEN_CREATED", refused: []string{"TOKEN_REQUEST_INVALID_GRANT"}},
		func() (err error) {
			next, err = u.p.Exchange(ctx, authorization, code, u.profile)
			return err
		})
	if accepted {
		u.refreshToken = next.RefreshToken // the former ones of the profile are gone
	}
	return accepted
}

// authorize walks the user of the phone to a code.
func (u *customer) authorize(ctx context.Context) (authorization *phone.Authorization, code string, err error) {
	u.a.begin()
	if authorization, err = u.p.Authorize(ctx, []string{"read"}, url.Values{}); err != nil {
		return nil, "", err
	}
	redirect, err := u.person.Open(ctx, authorization.URL, authorization.RedirectURI)
	if err != nil {
		return nil, "", err
	}
	code, err = u.p.CodeFrom(ctx, authorization, redirect)
	return authorization, code, err
}

// check compares every attempt with the audit log. forgets says that the server may have forgotten what the deed is about; then it
// says so.
func (d *deed) check(t *testing.T, log *auditLog, forgets bool) {
	t.Helper()
	done, accepted := 0, 0
	for i, tried := range d.attempts {
		codes := codesOf(log.of(tried.transaction))
		repeat := i > 0 && !d.each && tried.ends == "accepted" // gets the stored result, without an event
		late := i > 0 && slices.Contains(d.refused, codes)     // the lost attempt had done it
		late = late || (forgets && codes != "" && codes != d.codes && tried.ends != "accepted")
		switch {
		case codes == d.codes:
			done++
		case tried.answered && codes == "" && !repeat:
			t.Errorf("%s, attempt %d: answered with %s, but the audit log has nothing", d.kind, i, tried.ends)
		case codes != "" && !late && (tried.answered || codes != d.before):
			t.Errorf("%s, attempt %d: %s, audit log %s", d.kind, i, tried.ends, codes)
		}
		switch {
		case tried.ends == "accepted":
			accepted++
		case tried.answered && !late:
			t.Errorf("%s, attempt %d: answered with %s", d.kind, i, tried.ends)
		}
	}
	if !d.each && done > 1 {
		t.Errorf("%s was done %d times", d.kind, done)
	}
	if accepted > 0 && done == 0 {
		t.Errorf("%s was accepted %d times, and no event says so", d.kind, accepted)
	}
}
