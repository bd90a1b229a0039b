package settings_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

// TestWhoHasToSignInAgain: a user who is disabled, or gets another password, loses every token with the change itself.
func TestWhoHasToSignInAgain(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(d *settings.Document)
		again  bool
	}{
		{"disabled", func(d *settings.Document) { d.Users[0].Disabled = true }, true},
		{"another password", func(d *settings.Document) { d.Users[0].Password = settings.NewSecret("quite another") }, true},
		{"another name", func(d *settings.Document) { d.Users[0].Username = "anne" }, false},
		{"another user disabled", func(d *settings.Document) {
			d.Users = append(d.Users, settings.User{ID: "u-3", Username: "eve", Password: settings.NewSecret("a third password"), Disabled: true})
		}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, w *world) {
				s := w.service()
				base := full(t)
				apply(t, s, base)
				addFamily(t, w, "u-1")
				before := account(t, w, "u-1").SignInsSince
				next := full(t)
				keepKeys(&next, base)
				tc.change(&next)
				if _, err := s.Plan(t.Context(), next); err != nil {
					t.Fatal(err)
				}
				if !hasFamily(t, w, "u-1") {
					t.Error("a plan ended the tokens")
				}
				apply(t, s, next)
				if hasFamily(t, w, "u-1") == tc.again || revoked(t, w, "user:u-1") != tc.again {
					t.Errorf("refresh token left %v, revoked %v", hasFamily(t, w, "u-1"), revoked(t, w, "user:u-1"))
				}
				after := account(t, w, "u-1").SignInsSince
				if tc.again != after.After(before) {
					t.Errorf("sign-ins since %s, before %s", after, before)
				}
			})
		})
	}
}

// TestNoChangeWithoutTheEnd: when the tokens cannot be ended, the account stays as it is.
func TestNoChangeWithoutTheEnd(t *testing.T) {
	w := newWorld(t, "")
	s := w.service()
	base := full(t)
	apply(t, s, base)
	s.Tokens = stuck{}
	next := full(t)
	keepKeys(&next, base)
	next.Users[0].Disabled = true
	if _, err := s.Apply(t.Context(), next, "admin"); !errors.Is(err, errStuck) {
		t.Errorf("err %v", err)
	}
	if account(t, w, "u-1").Disabled {
		t.Error("disabled all the same")
	}
}

var errStuck = errors.New("stuck")

// stuck cannot revoke.
type stuck struct{}

func (stuck) RevokeUser(context.Context, string) (int, error) { return 0, errStuck }

func account(t *testing.T, w *world, id string) store.Account {
	t.Helper()
	a, err := w.sql.Account(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func addFamily(t *testing.T, w *world, userID string) {
	t.Helper()
	err := w.sql.AddFamily(t.Context(), store.TokenFamily{
		ID: "f-" + userID, ClientID: "c", ProfileID: "p", UserID: userID, Kind: store.DefaultToken, CurrentHash: []byte("hash"),
		Nonce: []byte("nonce"), CreatedAt: w.now(),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func hasFamily(t *testing.T, w *world, userID string) bool {
	t.Helper()
	has, err := w.sql.HasFamily(t.Context(), store.FamilyFilter{UserID: userID}, w.now())
	if err != nil {
		t.Fatal(err)
	}
	return has
}

func revoked(t *testing.T, w *world, subject string) bool {
	t.Helper()
	rows, _, err := w.sql.RevocationsAfter(t.Context(), 0, w.now())
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		if r.Subject == subject && time.Since(r.Before) < time.Hour {
			return true
		}
	}
	return false
}
