package keys

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// The algorithms that are named in code; see Algorithms for all.
const (
	ES256 = "ES256"
	RS256 = "RS256"
)

// Algorithms returns the algorithms that signing keys can have (RFC 7518 §3.1).
func Algorithms() []string {
	return []string{ES256, "ES384", "ES512", RS256, "RS384", "RS512", "PS256", "PS384", "PS512"}
}

const (
	// fresh is how long the keys are used before they are read again.
	fresh = time.Minute
	// again is how soon they are read again because of a key that is not known.
	again = time.Second
)

// The errors of the ring.
var (
	ErrNoKey     = errors.New("no signing key")                                // there is no current key to sign with
	ErrAlgorithm = errors.New("the algorithm of signing keys is unknown")      // none of Algorithms
	ErrTooSoon   = errors.New("the current signing key has not signed enough") // tokens of the previous one may still live
	ErrUnchanged = errors.New("the signing keys have that algorithm already")
)

// signingKeys is what the ring needs of the store.
type signingKeys interface {
	// SigningKeys returns the keys of all slots.
	SigningKeys(ctx context.Context) ([]store.SigningKey, error)
	// AddSigningKeys inserts keys into empty slots; a slot that has one keeps it.
	AddSigningKeys(ctx context.Context, keys ...store.SigningKey) error
	// RotateSigningKeys drops previous, moves current to previous and next to current, and inserts next, which takes the
	// place of the next key. Errors: store.ErrConflict when current is not the id of the current key any more.
	RotateSigningKeys(ctx context.Context, current string, next store.SigningKey) error
	// ReplaceSigningKeys moves current to previous and inserts new keys in the other slots. Errors: store.ErrConflict.
	ReplaceSigningKeys(ctx context.Context, current string, keys ...store.SigningKey) error
}

// Ring signs and verifies. All fields but RSABits are required. Safe for concurrent use; call Load before the first use.
type Ring struct {
	Store     signingKeys
	Keys      *secret.Keys
	Algorithm string // of the very first keys; later ones have that of the keys before, see ChangeAlgorithm
	RSABits   int    // of new RSA keys; 0 = RSABits
	Now       func() time.Time
	NewID     func() string // UUID

	loading sync.Mutex
	state   atomic.Pointer[state]
}

// state is the keys as they were read last.
type state struct {
	read    time.Time
	since   time.Time // the current key signs since then
	current *key
	byID    map[string]*key
	retired bool // there is a previous key
	jwks    []byte
}

// Load reads the keys, and makes the first ones when there are none.
func (r *Ring) Load(ctx context.Context) error {
	r.loading.Lock()
	defer r.loading.Unlock()
	return r.load(ctx)
}

func (r *Ring) load(ctx context.Context) error {
	stored, err := r.Store.SigningKeys(ctx)
	if err != nil {
		return fmt.Errorf("read signing keys: %w", err)
	}
	if !complete(stored) {
		current, err := r.generate(store.CurrentKey, r.Algorithm)
		if err != nil {
			return err
		}
		next, err := r.generate(store.NextKey, r.Algorithm)
		if err != nil {
			return err
		}
		if err := r.Store.AddSigningKeys(ctx, current, next); err != nil {
			return fmt.Errorf("add signing keys: %w", err)
		}
		if stored, err = r.Store.SigningKeys(ctx); err != nil {
			return fmt.Errorf("read signing keys: %w", err)
		}
	}
	next := &state{read: r.Now(), byID: make(map[string]*key, len(stored))}
	published := make([]*key, 0, len(stored))
	for _, slot := range []store.KeySlot{store.CurrentKey, store.NextKey, store.PreviousKey} {
		for _, s := range stored {
			if s.Slot != slot {
				continue
			}
			k, err := r.open(s)
			if err != nil {
				return err
			}
			switch slot {
			case store.CurrentKey:
				next.current = k
			case store.NextKey:
				next.since = s.CreatedAt // the next key is made when the current one takes over
			case store.PreviousKey:
				next.retired = true
			}
			next.byID[k.id] = k
			published = append(published, k)
		}
	}
	if next.jwks, err = keySet(published); err != nil {
		return err
	}
	r.state.Store(next)
	return nil
}

func complete(stored []store.SigningKey) bool {
	found := 0
	for _, s := range stored {
		if s.Slot == store.CurrentKey || s.Slot == store.NextKey {
			found++
		}
	}
	return found == 2
}

// Refresh reads the keys again when they are older than a minute. While the store is away the ring goes on with what it
// has.
func (r *Ring) Refresh(ctx context.Context) error { return r.refresh(ctx, fresh) }

func (r *Ring) refresh(ctx context.Context, after time.Duration) error {
	now := r.state.Load()
	if now != nil && r.Now().Sub(now.read) < after {
		return nil
	}
	if now == nil {
		return r.Load(ctx)
	}
	if !r.loading.TryLock() {
		return nil
	}
	defer r.loading.Unlock()
	if err := r.load(ctx); err != nil && !errors.Is(err, store.ErrUnavailable) {
		return err
	}
	return nil
}

// JWKS returns the public keys as a JWK set (RFC 7517 §5): current, next, previous.
func (r *Ring) JWKS() []byte {
	if s := r.state.Load(); s != nil {
		return s.jwks
	}
	return []byte(`{"keys":[]}`)
}

// CurrentAlgorithm returns the algorithm of the key that signs, "" when there is none.
func (r *Ring) CurrentAlgorithm() string {
	if s := r.state.Load(); s != nil && s.current != nil {
		return s.current.algorithm
	}
	return ""
}

// Since returns when the current key began to sign; the zero time before Load. An operator's schedule goes by it.
func (r *Ring) Since() time.Time {
	if s := r.state.Load(); s != nil {
		return s.since
	}
	return time.Time{}
}

// Sign returns claims, which must encode to a JSON object, as a compact JWS with the header members typ, alg and kid.
// Errors: ErrNoKey, store.ErrUnavailable.
func (r *Ring) Sign(ctx context.Context, typ string, claims any) (string, error) {
	return r.SignWith(ctx, typ, func(string) any { return claims })
}

// SignWith is Sign for claims that depend on the algorithm, such as at_hash.
func (r *Ring) SignWith(ctx context.Context, typ string, claims func(algorithm string) any) (string, error) {
	if err := r.Refresh(ctx); err != nil {
		return "", err
	}
	s := r.state.Load()
	if s == nil || s.current == nil {
		return "", ErrNoKey
	}
	k := s.current
	body, err := json.Marshal(claims(k.algorithm))
	if err != nil {
		return "", fmt.Errorf("encode claims: %w", err)
	}
	header := `{"alg":"` + k.algorithm + `","typ":"` + typ + `","kid":"` + k.id + `"}`
	input := make([]byte, 0, 4*(len(header)+len(body))/3+100)
	input = base64.RawURLEncoding.AppendEncode(input, []byte(header))
	input = append(input, '.')
	input = base64.RawURLEncoding.AppendEncode(input, body)
	signature, err := k.method.Sign(string(input), k.private)
	if err != nil {
		return "", fmt.Errorf("sign: %w", err)
	}
	input = append(input, '.')
	return string(base64.RawURLEncoding.AppendEncode(input, signature)), nil
}

// Verify checks a compact JWS of this ring with that typ and decodes its claims into claims, which must check time by
// themselves. Errors: jwt.ErrTokenMalformed, jwt.ErrTokenSignatureInvalid and others of package jwt, wrapped.
func (r *Ring) Verify(ctx context.Context, typ, compact string, claims jwt.Claims) error {
	if err := r.Refresh(ctx); err != nil {
		return err
	}
	parser := jwt.NewParser(jwt.WithValidMethods(Algorithms()), jwt.WithoutClaimsValidation())
	_, err := parser.ParseWithClaims(compact, claims, func(t *jwt.Token) (any, error) {
		if t.Header["typ"] != typ {
			return nil, fmt.Errorf("typ is not %s: %w", typ, jwt.ErrTokenUnverifiable)
		}
		id, _ := t.Header["kid"].(string)
		k := r.key(id)
		if k == nil { // another process may have made it a moment ago
			if err := r.refresh(ctx, again); err != nil {
				return nil, err
			}
			k = r.key(id)
		}
		if k == nil || k.algorithm != t.Method.Alg() {
			return nil, jwt.ErrTokenUnverifiable
		}
		return k.private.Public(), nil
	})
	if err != nil {
		return fmt.Errorf("verify JWT: %w", err)
	}
	return nil
}

// key returns the published key with that id, nil when there is none.
func (r *Ring) key(id string) *key {
	if s := r.state.Load(); s != nil {
		return s.byID[id]
	}
	return nil
}
