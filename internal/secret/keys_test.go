package secret_test

import (
	"bytes"
	"errors"
	"testing"

	"tokenserver/internal/secret"
)

func newKeys(t *testing.T, masters ...[]byte) *secret.Keys {
	t.Helper()
	k, err := secret.NewKeys(masters...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestAChangedKeyOpensAndMatchesWhatTheFormerOneMade(t *testing.T) {
	first, second := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	before, after, without := newKeys(t, first), newKeys(t, second, first), newKeys(t, second)
	sealed := before.Seal([]byte("vendor key"), "push/apns")
	mac := before.MAC(secret.ForClientSecret, "client secret")

	if clear, err := after.Open(sealed, "push/apns"); err != nil || string(clear) != "vendor key" {
		t.Errorf("sealed before the change: %q, %v", clear, err)
	}
	if after.Current(sealed) || !before.Current(sealed) {
		t.Error("it is not told which key sealed")
	}
	if !after.Equal(secret.ForClientSecret, mac, "client secret") || after.Equal(secret.ForClientSecret, mac, "another") {
		t.Error("a hash from before the change does not decide rightly")
	}
	if _, err := without.Open(sealed, "push/apns"); !errors.Is(err, secret.ErrUnsealed) {
		t.Errorf("opened without its key: %v", err)
	}
	if without.Equal(secret.ForClientSecret, mac, "client secret") {
		t.Error("a hash matches under a key that did not make it")
	}
}

func TestSealedValuesStayInTheirPlace(t *testing.T) {
	k := newKeys(t, bytes.Repeat([]byte{3}, 32))
	sealed := k.Seal([]byte("x"), "push/apns")
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, tc := range map[string]struct {
		sealed []byte
		place  string
	}{
		"another place": {sealed, "push/fcm"}, "changed": {changed, "push/apns"}, "cut": {sealed[:12], "push/apns"}, "empty": {nil, "push/apns"},
	} {
		if _, err := k.Open(tc.sealed, tc.place); !errors.Is(err, secret.ErrUnsealed) {
			t.Errorf("%s: %v, want ErrUnsealed", name, err)
		}
	}
}

func TestMACsUnderEveryKey(t *testing.T) {
	old, fresh := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	got := newKeys(t, fresh, old).MACs(secret.ForCode, "a", "b")
	want := [][]byte{newKeys(t, fresh).MAC(secret.ForCode, "a", "b"), newKeys(t, old).MAC(secret.ForCode, "a", "b")}
	if len(got) != 2 || !bytes.Equal(got[0], want[0]) || !bytes.Equal(got[1], want[1]) {
		t.Errorf("%x, want %x", got, want)
	}
}

func TestPurposesAndPartsAreSeparate(t *testing.T) {
	k := newKeys(t, bytes.Repeat([]byte{4}, 32))
	if bytes.Equal(k.MAC(secret.ForCode, "a", "b"), k.MAC(secret.ForCode, "ab")) {
		t.Error("parts run into each other")
	}
	if bytes.Equal(k.MAC(secret.ForCode, "a"), k.MAC(secret.ForCookie, "a")) {
		t.Error("two purposes share a key")
	}
}

func TestPasswords(t *testing.T) {
	hash := secret.HashPassword("correct horse")
	for _, tc := range []struct {
		hash, password string
		want           bool
		err            error
	}{
		{hash, "correct horse", true, nil},
		{hash, "wrong", false, nil},
		{"", "correct horse", false, nil},
		{"$argon2id$v=19$m=1,t=1$x", "x", false, secret.ErrBadHash},
		{"$bcrypt$x", "x", false, secret.ErrBadHash},
	} {
		got, err := secret.VerifyPassword(tc.hash, tc.password)
		if got != tc.want || !errors.Is(err, tc.err) {
			t.Errorf("%.12s: %v, %v", tc.hash, got, err)
		}
	}
}

func TestTokensHaveNoStructure(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		token := secret.NewToken()
		if len(token) != 64 || seen[token] {
			t.Fatalf("token %q", token)
		}
		seen[token] = true
	}
}
