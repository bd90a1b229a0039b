package token_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/internal/token"
	"tokenserver/store"
)

// A change of the key-encryption key costs nobody a PIN attempt: what was issued before goes on, and heals.
func TestRefreshAfterChangeOfKey(t *testing.T) {
	dsn, redis := sqlite(t), newRedis(t)
	before := newProcess(t, dsn, redis)
	client, first := before.phone(t)
	browser := before.issue(t, token.Grant{ClientID: "web", ProfileID: token.StaticProfile, UserID: "ann", Refresh: true})
	second := before.refresh(t, client, first.RefreshToken, token.PINRight, false)
	browser2 := before.refreshWeb(t, browser.RefreshToken, token.PINRight, false)

	after := newProcessWith(t, dsn, redis, frozen, keyB, keyA)
	if again := after.refresh(t, client, first.RefreshToken, token.PINRight, true); again.RefreshToken != second.RefreshToken {
		t.Error("a repeat after the change gives another successor")
	}
	if again := after.refreshWeb(t, browser.RefreshToken, token.PINRight, true); again.RefreshToken != browser2.RefreshToken {
		t.Error("a repeat of a web client after the change gives another successor")
	}
	after.refresh(t, client, "wrong", token.PINWrong, false)
	third := after.refresh(t, client, second.RefreshToken, token.PINRight, false)
	fourth := after.refresh(t, client, third.RefreshToken, token.PINRight, false)
	after.refreshWeb(t, browser2.RefreshToken, token.PINRight, false)
	if profile, err := after.sql.Profile(t.Context(), client, "AB12cd"); err != nil || profile.PINFailures != 0 {
		t.Errorf("%d failures, %v", profile.PINFailures, err)
	}
	// A token of the old key that was rotated out is known for what it is.
	after.refresh(t, client, first.RefreshToken, token.PINReused, false)
	after.refresh(t, client, fourth.RefreshToken, token.PINNoToken, false)
	after.refreshWeb(t, browser.RefreshToken, token.PINReused, false)

	client, first = before.phone(t)
	after.tx(t, func(ctx context.Context) error {
		check, err := after.CheckPIN(ctx, client, "AB12cd", first.RefreshToken, 3)
		if check.Result != token.PINRight {
			t.Errorf("push answer: %s", check.Result)
		}
		return err
	})
	browser = before.issue(t, token.Grant{ClientID: "web", ProfileID: token.StaticProfile, UserID: "bob", Refresh: true})
	if f, err := after.FamilyOf(t.Context(), browser.RefreshToken); err != nil || f.ID != browser.FamilyID {
		t.Errorf("%q, %v", f.ID, err)
	}
}

// Without the key that a successor came from there is none to give: a fault of ours, no wrong PIN.
func TestRepeatWithoutTheKey(t *testing.T) {
	dsn, redis := sqlite(t), newRedis(t)
	before := newProcess(t, dsn, redis)
	client, first := before.phone(t)
	before.refresh(t, client, first.RefreshToken, token.PINRight, false)
	after := newProcessWith(t, dsn, redis, frozen, keyB, keyA)
	after.Keys = newProcessWith(t, sqlite(t), redis, frozen, keyB).Keys
	err := after.sql.InTx(t.Context(), func(ctx context.Context) error {
		check, err := before.CheckRefresh(ctx, client, "AB12cd", first.RefreshToken, 3)
		if err == nil {
			_, err = after.Rotate(ctx, check, token.Grant{AccessLife: time.Minute}, true)
		}
		return err
	})
	if err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("error %v", err)
	}
}

// refresh is what the token endpoint does with a DEFAULT refresh token of the phone; it commits whatever comes of it.
func (p *process) refresh(t testing.TB, client, presented string, want token.PINResult, repeat bool) token.Issued {
	t.Helper()
	return p.rotate(t, want, repeat, func(ctx context.Context) (token.PINCheck, error) {
		return p.CheckRefresh(ctx, client, "AB12cd", presented, 3)
	})
}

func (p *process) refreshWeb(t testing.TB, presented string, want token.PINResult, repeat bool) token.Issued {
	t.Helper()
	return p.rotate(t, want, repeat, func(ctx context.Context) (token.PINCheck, error) { return p.CheckWeb(ctx, "web", presented) })
}

func (p *process) rotate(t testing.TB, want token.PINResult, repeat bool,
	check func(context.Context) (token.PINCheck, error),
) (issued token.Issued) {
	t.Helper()
	p.tx(t, func(ctx context.Context) error {
		c, err := check(ctx)
		if err != nil {
			return err
		}
		if c.Result != want || c.Repeat != repeat {
			t.Errorf("%s, repeat %v; want %s, %v", c.Result, c.Repeat, want, repeat)
		}
		if c.Result == token.PINRight {
			issued, err = p.Rotate(ctx, c, token.Grant{AccessLife: time.Minute}, true)
		}
		return err
	})
	return issued
}
