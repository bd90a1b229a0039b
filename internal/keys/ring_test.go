package keys_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/audittest"
	"tokenserver/internal/keys"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

func newRing(t *testing.T, env *audittest.Env, algorithm string) *keys.Ring {
	t.Helper()
	r := &keys.Ring{Store: env.Store, Keys: env.Keys, Algorithm: algorithm, Now: env.Now, NewID: env.NewID}
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func sign(t *testing.T, r *keys.Ring) string {
	t.Helper()
	text, err := r.Sign(t.Context(), "JWT", map[string]any{"sub": "ann"})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func ids(t *testing.T, r *keys.Ring) []string {
	t.Helper()
	var set struct {
		Keys []struct {
			ID        string `json:"kid"`
			Algorithm string `json:"alg"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(r.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	list := make([]string, 0, len(set.Keys))
	for _, k := range set.Keys {
		list = append(list, k.ID)
	}
	return list
}

func kid(t *testing.T, compact string) string {
	t.Helper()
	token, _, err := jwt.NewParser().ParseUnverified(compact, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return token.Header["kid"].(string)
}

func TestRotation(t *testing.T) {
	for _, algorithm := range []string{keys.ES256, keys.RS256} {
		t.Run(algorithm, func(t *testing.T) {
			env := audittest.New(t)
			a, b := newRing(t, env, algorithm), newRing(t, env, algorithm)
			before := ids(t, a)
			if len(before) != 2 || before[0] == before[1] {
				t.Fatalf("published %v, want current and next", before)
			}
			old := sign(t, a)
			if kid(t, old) != before[0] || a.CurrentAlgorithm() != algorithm {
				t.Errorf("signed with %s (%s)", kid(t, old), a.CurrentAlgorithm())
			}
			if err := a.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			fresh := sign(t, a)
			after := ids(t, a)
			if kid(t, fresh) != before[1] || len(after) != 3 || after[0] != before[1] || after[2] != before[0] {
				t.Errorf("before %v, after %v, signed with %s", before, after, kid(t, fresh))
			}
			// The other process has not read the keys again: it knows the new one as its next one, and signs with the old one.
			for _, r := range []*keys.Ring{a, b} {
				for _, text := range []string{old, fresh} {
					if err := r.Verify(t.Context(), "JWT", text, jwt.MapClaims{}); err != nil {
						t.Error(err)
					}
				}
			}
			if kid(t, sign(t, b)) != before[0] {
				t.Error("the keys were read again too early for this test")
			}
			env.Clock.Advance(time.Minute)
			if kid(t, sign(t, b)) != before[1] {
				t.Error("a minute later the other process signs with the old key")
			}
			if err := a.Rotate(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := a.Verify(t.Context(), "JWT", sign(t, a), jwt.MapClaims{}); err != nil {
				t.Error(err)
			}
			if err := a.Verify(t.Context(), "JWT", old, jwt.MapClaims{}); err == nil {
				t.Error("a key that was dropped two rotations ago still verifies")
			}
		})
	}
}

func TestChangeOfAlgorithm(t *testing.T) {
	env := audittest.New(t)
	a, b := newRing(t, env, keys.ES256), newRing(t, env, keys.ES256)
	old := sign(t, a)
	env.Clock.Advance(time.Hour)
	a.Algorithm = keys.RS256
	if err := a.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	fresh := sign(t, a)
	if a.CurrentAlgorithm() != keys.RS256 || len(ids(t, a)) != 3 || !a.Since().Equal(env.Now()) {
		t.Errorf("%s since %v, keys %v", a.CurrentAlgorithm(), a.Since(), ids(t, a))
	}
	// Nobody could know the new key before; the other process looks when it meets it.
	for _, r := range []*keys.Ring{a, b} {
		for _, text := range []string{old, fresh} {
			if err := r.Verify(t.Context(), "JWT", text, jwt.MapClaims{}); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestRotationInATransactionThatRollsBack(t *testing.T) {
	env := audittest.New(t)
	r := newRing(t, env, keys.ES256)
	before := ids(t, r)
	refusal := errors.New("no")
	err := env.Store.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.Rotate(ctx); err != nil {
			return err
		}
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Fatal(err)
	}
	env.Clock.Advance(time.Minute)
	if kid(t, sign(t, r)) != before[0] {
		t.Error("a rotation that did not happen changed the key")
	}
}

func TestVerifyRefuses(t *testing.T) {
	env := audittest.New(t)
	r := newRing(t, env, keys.ES256)
	good := sign(t, r)
	parts := strings.Split(good, ".")
	for name, text := range map[string]string{
		"other typ":    func() string { s, _ := r.Sign(t.Context(), "at+jwt", map[string]any{}); return s }(),
		"no signature": parts[0] + "." + parts[1] + ".",
		"none":         "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0." + parts[1] + ".",
		"nothing":      "",
		"dots":         "....",
		"other ring": func() string {
			other := audittest.New(t)
			return sign(t, newRing(t, other, keys.ES256))
		}(),
		"HMAC with the public key": func() string {
			token := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{})
			token.Header["kid"], token.Header["typ"] = kid(t, good), "JWT"
			s, err := token.SignedString(r.JWKS())
			if err != nil {
				t.Fatal(err)
			}
			return s
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			if err := r.Verify(t.Context(), "JWT", text, jwt.MapClaims{}); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestKeysAreSealed(t *testing.T) {
	env := audittest.New(t)
	newRing(t, env, keys.ES256)
	other, err := secret.NewKeys([]byte("another key-encryption key, 32 B"))
	if err != nil {
		t.Fatal(err)
	}
	r := &keys.Ring{Store: env.Store, Keys: other, Algorithm: keys.ES256, Now: env.Now, NewID: env.NewID}
	if err := r.Load(t.Context()); !errors.Is(err, secret.ErrUnsealed) {
		t.Errorf("%v, want %v", err, secret.ErrUnsealed)
	}
	if _, err := r.Sign(t.Context(), "JWT", nil); !errors.Is(err, secret.ErrUnsealed) {
		t.Errorf("%v", err)
	}
	if string(r.JWKS()) != `{"keys":[]}` || r.CurrentAlgorithm() != "" {
		t.Error("keys without keys")
	}
}

// awayStore is a store that cannot be reached.
type awayStore struct{ *audittest.Env }

func (awayStore) SigningKeys(context.Context) ([]store.SigningKey, error) {
	return nil, store.ErrUnavailable
}

func (awayStore) AddSigningKeys(context.Context, ...store.SigningKey) error {
	return store.ErrUnavailable
}

func (awayStore) RotateSigningKeys(context.Context, string, store.SigningKey) error {
	return store.ErrUnavailable
}

func (awayStore) ReplaceSigningKeys(context.Context, string, ...store.SigningKey) error {
	return store.ErrUnavailable
}

func TestGoesOnWhileTheStoreIsAway(t *testing.T) {
	env := audittest.New(t)
	r := newRing(t, env, keys.ES256)
	r.Store = awayStore{}
	env.Clock.Advance(time.Hour)
	if sign(t, r) == "" {
		t.Error("no signature")
	}
	if err := r.Rotate(t.Context()); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
