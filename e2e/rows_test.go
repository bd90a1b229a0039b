package e2e_test

import (
	"context"
	"errors"
	"net/url"
	"testing"

	"tokenserver/internal/standin"
	"tokenserver/phone"
)

// row is one outcome: how a request ends, and the whole list of codes that it writes.
type row struct {
	name string
	// do prepares quietly, begins a step and makes it; what it returns is compared.
	do     func(a *actor) ending
	status int
	word   string // of the error, or its number in the portal API; empty: none
	audit  string // codes, blanks between
}

// ending is how a request ended.
type ending struct {
	status int
	word   string
}

// run runs the rows in parallel, each under an address and with transaction ids of its own.
func runRows(t *testing.T, d *deployment, rows []row) {
	t.Helper()
	for _, r := range rows {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			a := newActor(t, d)
			if got, want := r.do(a), (ending{r.status, r.word}); got != want {
				t.Errorf("ended with %d %q, want %d %q", got.status, got.word, want.status, want.word)
			}
			a.mu.Lock()
			transaction := a.transaction
			a.mu.Unlock()
			d.log.want(t, r.name, transaction, r.audit)
		})
	}
}

// ended is how a request of a test ended: by its word, its number, or the error of a redirect.
func (r *answer) ended() ending {
	switch {
	case r.number() != "":
		return ending{r.status, r.number()}
	case r.header.Get("Location") != "":
		location, err := url.Parse(r.header.Get("Location"))
		if err == nil {
			return ending{r.status, location.Query().Get("error")}
		}
	}
	return ending{r.status, r.word()}
}

// ended is how a call of the phone or the portal ended.
func (a *actor) ended(err error) ending {
	a.t.Helper()
	var refused *standin.PortalError
	var page *phone.PageError
	switch {
	case err == nil:
		return ending{a.status(), ""}
	case phone.Refused(err) != nil:
		return ending{phone.Refused(err).Status, phone.Refused(err).Code}
	case errors.As(err, &refused):
		return ending{refused.Status, refused.ErrorCode}
	case errors.As(err, &page):
		return ending{page.Status, ""}
	}
	a.t.Fatal(err)
	return ending{}
}

// registered is a phone whose app is registered.
func (a *actor) registered(app phone.App) *phone.Phone {
	a.t.Helper()
	p := a.phone(app)
	a.quietly("register", func(ctx context.Context) error { return p.Register(ctx, "") })
	a.begin()
	return p
}

// signedIn is a phone whose user has signed in and set the PIN.
func (a *actor) signedIn(app phone.App, user string) (p *phone.Phone, profile string) {
	a.t.Helper()
	p, profile = a.registered(app), phone.NewProfileID()
	a.signIn(p, profile, user)
	return p, profile
}

func (a *actor) signIn(p *phone.Phone, profile, user string) {
	a.t.Helper()
	a.quietly("sign in", func(ctx context.Context) error {
		_, err := p.SignIn(ctx, profile, pin, []string{"openid", "read"}, a.person(user))
		return err
	})
	a.begin()
}

// enrolled is a phone whose user can be asked by push. An empty push token enrolls keys only.
func (a *actor) enrolled(app phone.App, user, pushToken string) (p *phone.Phone, profile string) {
	a.t.Helper()
	p, profile = a.signedIn(app, user)
	a.quietly("enroll", func(ctx context.Context) error { return p.Enroll(ctx, profile, pushToken) })
	a.begin()
	return p, profile
}

// asked is an enrolled Android phone and a started transaction of a type.
func (a *actor) asked(user, kind string) (p *phone.Phone, profile string, started *standin.Initiated) {
	a.t.Helper()
	p, profile = a.enrolled(android(), user, a.d.world.androidDevice())
	return p, profile, a.started(p, user, kind)
}

// started starts a transaction for a phone.
func (a *actor) started(p *phone.Phone, user, kind string) (started *standin.Initiated) {
	a.t.Helper()
	a.quietly("init", func(ctx context.Context) (err error) {
		started, err = a.portal().Init(ctx, a.initiation(p, user, kind))
		return err
	})
	a.begin()
	return started
}

// initiation is a right request of the portal.
func (a *actor) initiation(p *phone.Phone, user, kind string) standin.Initiation {
	in := standin.Initiation{
		Type: kind, UserID: "u-" + user, DeviceID: p.ClientID(), CallbackURI: a.d.world.portal.CallbackURL(), Message: "Is it you?",
	}
	if kind == typeSign {
		in.SigningData = "pay 125.00"
	}
	return in
}

// fetched is an enrolled phone with the message of a transaction.
func (a *actor) fetched(user, kind string) (p *phone.Phone, m *phone.Message) {
	a.t.Helper()
	p, profile, started := a.asked(user, kind)
	a.quietly("fetch", func(ctx context.Context) (err error) {
		m, err = p.Fetch(ctx, started.TransactionID, profile)
		return err
	})
	a.begin()
	return p, m
}
