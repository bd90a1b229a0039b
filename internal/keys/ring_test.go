package keys_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
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
	for _, algorithm := range keys.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
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
			if err := a.Rotate(t.Context(), 0); err != nil {
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
			if err := a.Rotate(t.Context(), 0); err != nil {
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

// TestPublishedKeysVerify reads the key set as a relying party does and checks a signature of each algorithm with it.
func TestPublishedKeysVerify(t *testing.T) {
	for _, algorithm := range keys.Algorithms() {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			env := audittest.New(t)
			r := newRing(t, env, algorithm)
			var set jose.JSONWebKeySet
			if err := json.Unmarshal(r.JWKS(), &set); err != nil {
				t.Fatal(err)
			}
			signed, err := jose.ParseSignedCompact(sign(t, r), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
			if err != nil {
				t.Fatal(err)
			}
			body, err := signed.Verify(set)
			if err != nil || string(body) != `{"sub":"ann"}` {
				t.Errorf("%s, %v", body, err)
			}
			if err := r.ChangeAlgorithm(t.Context(), "none", 0); !errors.Is(err, keys.ErrAlgorithm) {
				t.Errorf("none: %v", err)
			}
		})
	}
}

func TestChangeOfAlgorithm(t *testing.T) {
	env := audittest.New(t)
	a, b := newRing(t, env, keys.ES256), newRing(t, env, keys.ES256)
	old := sign(t, a)
	env.Clock.Advance(time.Hour)
	if err := a.ChangeAlgorithm(t.Context(), keys.RS256, keys.Settled); err != nil { // there is no previous key yet
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
	if err := a.ChangeAlgorithm(t.Context(), keys.RS256, 0); !errors.Is(err, keys.ErrUnchanged) {
		t.Errorf("the same again: %v", err)
	}
	if err := a.ChangeAlgorithm(t.Context(), "PS256", keys.Settled); !errors.Is(err, keys.ErrTooSoon) {
		t.Errorf("while the previous key is needed: %v", err)
	}
	// A rotation keeps the algorithm, whatever the configuration of the process says about the first keys.
	env.Clock.Advance(keys.Settled)
	if err := b.Rotate(t.Context(), keys.Settled); err != nil || b.Algorithm != keys.ES256 {
		t.Fatal(err)
	}
	sign(t, b)
	if b.CurrentAlgorithm() != keys.RS256 {
		t.Errorf("rotated to %s", b.CurrentAlgorithm())
	}
}

// TestRotateWaits: the next key has been published, and the tokens of the previous key have ended, before it takes over.
func TestRotateWaits(t *testing.T) {
	env := audittest.New(t)
	r := newRing(t, env, keys.ES256)
	before := ids(t, r)
	env.Clock.Advance(keys.Settled - time.Microsecond)
	if err := r.Rotate(t.Context(), keys.Settled); !errors.Is(err, keys.ErrTooSoon) {
		t.Fatalf("%v, want %v", err, keys.ErrTooSoon)
	}
	if got := ids(t, r); !slices.Equal(got, before) {
		t.Errorf("keys %v, want %v", got, before)
	}
	env.Clock.Advance(time.Microsecond)
	if err := r.Rotate(t.Context(), keys.Settled); err != nil {
		t.Fatal(err)
	}
	if err := r.Rotate(t.Context(), keys.Settled); !errors.Is(err, keys.ErrTooSoon) {
		t.Errorf("once more: %v", err)
	}
}

// TestOneOfManyRotates: many processes come to the end of the interval at the same time.
func TestOneOfManyRotates(t *testing.T) {
	const processes = 20
	env := audittest.New(t)
	rings := make([]*keys.Ring, processes)
	for i := range rings {
		rings[i] = newRing(t, env, keys.ES256)
	}
	before := ids(t, rings[0])
	env.Clock.Advance(keys.Settled)
	var running sync.WaitGroup
	var rotated atomic.Int32
	for _, r := range rings {
		running.Go(func() {
			switch err := r.Rotate(t.Context(), keys.Settled); {
			case err == nil:
				rotated.Add(1)
			case !errors.Is(err, keys.ErrTooSoon) && !errors.Is(err, store.ErrConflict):
				t.Error(err)
			}
		})
	}
	running.Wait()
	env.Clock.Advance(time.Minute)
	for _, r := range rings {
		if got := kid(t, sign(t, r)); got != before[1] {
			t.Errorf("signs with %s, want %s", got, before[1])
		}
	}
	if n := rotated.Load(); n != 1 {
		t.Errorf("%d rotated, want 1", n)
	}
}

func TestRotationInATransactionThatRollsBack(t *testing.T) {
	env := audittest.New(t)
	r := newRing(t, env, keys.ES256)
	before := ids(t, r)
	refusal := errors.New("no")
	err := env.Store.InTx(t.Context(), func(ctx context.Context) error {
		if err := r.Rotate(ctx, 0); err != nil {
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
	if err := r.Rotate(t.Context(), 0); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}
