package idp_test

import (
	"errors"
	"testing"

	"tokenserver/idp"
	"tokenserver/internal/audittest"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

func TestLogIn(t *testing.T) {
	env := audittest.New(t)
	for _, a := range []store.Account{
		{ID: "u1", Username: "Ann", PasswordHash: secret.HashPassword("right password")}, {ID: "u2", Username: "keyless"},
	} {
		if err := env.Store.PutAccount(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	accounts := &idp.Accounts{People: env.Store, Passwords: idp.NewPasswords(1)}
	for _, tc := range []struct{ username, password, want string }{
		{"ann", "right password", "u1"},
		{"Ann", "wrong password", ""},
		{"ann", "", ""},
		{"bob", "right password", ""},
		{"", "", ""},
		{"keyless", "", ""},
	} {
		id, err := accounts.LogIn(t.Context(), nil, tc.username, tc.password)
		if id.UserID != tc.want || (tc.want == "") != errors.Is(err, store.ErrNotFound) || tc.want != "" && (len(id.AMR) != 1 || id.AMR[0] != "pwd") {
			t.Errorf("%s %q: %+v, %v", tc.username, tc.password, id, err)
		}
	}
}
