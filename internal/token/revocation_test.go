package token_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/internal/token"
	"tokenserver/store"
)

// endings are the revocations of subjects that go on, for the user ann on the profile AB12cd of a client.
func (p *process) endings(client string) map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"profile": func(ctx context.Context) error { _, err := p.RevokeProfile(ctx, client, "AB12cd"); return err },
		"client":  func(ctx context.Context) error { _, err := p.RevokeClient(ctx, client); return err },
		"user":    func(ctx context.Context) error { _, err := p.RevokeUser(ctx, "ann"); return err },
	}
}

// brief is a grant without a refresh token: only its time tells whether it was revoked.
func brief(client string) token.Grant {
	return token.Grant{ClientID: client, ProfileID: "AB12cd", UserID: "ann", Kind: store.DefaultToken, AccessLife: time.Minute}
}

// The clocks of two processes are apart, in either direction: what was issued before a revocation ends, wherever, and
// what is issued after it is good at once, again and again.
func TestRevocationWithClocksApart(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"ahead": 1900 * time.Millisecond, "behind": -1900 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			dsn, redis, other := sqlite(t), newRedis(t), &clock{}
			other.advance(ahead)
			a := newProcess(t, dsn, redis)
			b := newProcessWith(t, dsn, redis, other.now, keyA)
			client, _ := a.phone(t)
			both := func(bearer string, want error) {
				t.Helper()
				a.poll(t)
				b.poll(t)
				a.verify(t, bearer, want)
				b.verify(t, bearer, want)
			}
			for _, revoker := range []*process{a, b} {
				for _, subject := range []string{"profile", "client", "user"} {
					ofA, ofB := a.issue(t, brief(client)), b.issue(t, brief(client))
					both(ofA.AccessToken, nil)
					both(ofB.AccessToken, nil)
					revoker.tx(t, revoker.endings(client)[subject])
					both(ofA.AccessToken, store.ErrRevoked)
					both(ofB.AccessToken, store.ErrRevoked)
				}
			}
		})
	}
}

// A token that outlived the revocation of one subject does not outlive that of another, at the same moment.
func TestRevocationOfOneSubjectAfterAnother(t *testing.T) {
	p := newProcess(t, sqlite(t), newRedis(t))
	client, _ := p.phone(t)
	for _, first := range []string{"profile", "client", "user"} {
		for _, second := range []string{"profile", "client", "user"} {
			p.tx(t, p.endings(client)[first])
			issued := p.issue(t, brief(client))
			p.verify(t, issued.AccessToken, nil)
			p.tx(t, p.endings(client)[second])
			p.verify(t, issued.AccessToken, store.ErrRevoked)
		}
	}
}

// What a transaction revokes is outlived by what it issues itself, not by what others issue before it commits.
func TestRevocationIsOutlivedInItsTransactionAlone(t *testing.T) {
	for _, subject := range []string{"profile", "client", "user"} {
		t.Run(subject, func(t *testing.T) {
			p := newProcess(t, sqlite(t), newRedis(t))
			client, _ := p.phone(t)
			outside := t.Context()
			var inside, other token.Issued
			revoke := func(ctx context.Context) (err error) {
				if err = p.endings(client)[subject](ctx); err != nil {
					return err
				}
				if inside, err = p.Issue(ctx, brief(client)); err != nil {
					return err
				}
				other, err = p.Issue(outside, brief(client))
				return err
			}
			p.tx(t, revoke)
			p.verify(t, inside.AccessToken, nil)
			p.verify(t, other.AccessToken, store.ErrRevoked)

			// One that rolled back leaves nothing behind.
			refusal := errors.New("no")
			if err := p.sql.InTx(t.Context(), func(ctx context.Context) error { return errors.Join(revoke(ctx), refusal) }); !errors.Is(err, refusal) {
				t.Fatal(err)
			}
			p.verify(t, other.AccessToken, nil)
			p.tx(t, p.endings(client)[subject])
			p.verify(t, other.AccessToken, store.ErrRevoked)
		})
	}
}
