package device

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// cached is how many private keys stay open in memory: the shared ones always fit, keys of single enrollments come
// and go.
const cached = 1024

// ServerKeys are the key pairs of the server for mobile authentication. The exported fields are required.
type ServerKeys struct {
	Store serverKeyStore
	Keys  *secret.Keys
	Now   func() time.Time

	mu   sync.Mutex
	open map[string]*ecdsa.PrivateKey // by kid
}

type serverKeyStore interface {
	// AddServerKey stores a key. Errors: store.ErrConflict when there is a current shared key for this purpose already.
	AddServerKey(ctx context.Context, key store.ServerKey) error
	// ServerKey returns a key, retired or not. Errors: store.ErrNotFound.
	ServerKey(ctx context.Context, kid string) (store.ServerKey, error)
	// SharedServerKeys returns the shared keys that are handed out, the one for encryption first.
	SharedServerKeys(ctx context.Context) ([]store.ServerKey, error)
}

// Shared returns the shared pair, the encryption key first, and makes it when there is none yet.
func (k *ServerKeys) Shared(ctx context.Context) ([]store.ServerKey, error) {
	keys, err := k.Store.SharedServerKeys(ctx)
	if err != nil || len(keys) == 2 {
		return keys, err
	}
	made, err := k.Make("")
	if err != nil {
		return nil, err
	}
	for _, key := range made {
		// Another process may have been faster, for one of them or for both: what is stored counts.
		if err := k.Store.AddServerKey(ctx, key); err != nil && !errors.Is(err, store.ErrConflict) {
			return nil, fmt.Errorf("add server key: %w", err)
		}
	}
	if keys, err = k.Store.SharedServerKeys(ctx); err == nil && len(keys) != 2 {
		err = fmt.Errorf("%d shared server keys, want one for encryption and one for signatures", len(keys))
	}
	return keys, err
}

// Make generates a pair, the encryption key first, without storing it. enrollmentID is "" for the shared pair.
func (k *ServerKeys) Make(enrollmentID string) ([]store.ServerKey, error) {
	pair := make([]store.ServerKey, 0, 2)
	for _, purpose := range []store.KeyPurpose{store.KeyForEncryption, store.KeyForSignature} {
		private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("generate server key: %w", err)
		}
		public := publicKeyOf(&private.PublicKey, purpose)
		clear, err := jose.JSONWebKey{Key: private, KeyID: public.KID, Use: string(purpose)}.MarshalJSON()
		if err != nil {
			return nil, fmt.Errorf("encode server key: %w", err)
		}
		key := store.ServerKey{KID: public.KID, Purpose: purpose, EnrollmentID: enrollmentID, CreatedAt: k.Now()}
		key.Private = k.Keys.Seal(clear, key.Place())
		pair = append(pair, key)
	}
	return pair, nil
}

// Pair returns stored keys by their kids, in the given order. Errors: store.ErrNotFound.
func (k *ServerKeys) Pair(ctx context.Context, kids ...string) ([]store.ServerKey, error) {
	keys := make([]store.ServerKey, len(kids))
	for i, kid := range kids {
		var err error
		if keys[i], err = k.Store.ServerKey(ctx, kid); err != nil {
			return nil, fmt.Errorf("server key: %w", err)
		}
	}
	return keys, nil
}

// Public returns the public halves, in the given order.
func (k *ServerKeys) Public(keys []store.ServerKey) ([]PublicKey, error) {
	public := make([]PublicKey, len(keys))
	for i, key := range keys {
		private, err := k.unseal(key)
		if err != nil {
			return nil, err
		}
		public[i] = publicKeyOf(&private.PublicKey, key.Purpose)
	}
	return public, nil
}

// Sign makes a compact JWS with a signature key of ours. Errors: store.ErrNotFound.
func (k *ServerKeys) Sign(ctx context.Context, kid string, typ Type, claims map[string]any) (string, error) {
	private, err := k.private(ctx, kid)
	if err != nil {
		return "", err
	}
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims(claims))
	token.Header["typ"], token.Header["kid"] = string(typ), kid
	text, err := token.SignedString(private)
	if err != nil {
		return "", fmt.Errorf("sign message: %w", err)
	}
	return text, nil
}

// Decrypt opens what a device encrypted to one of our keys. Errors: Undecryptable, also when the key is unknown.
func (k *ServerKeys) Decrypt(ctx context.Context, e Encrypted) (string, error) {
	private, err := k.private(ctx, e.KID)
	if errors.Is(err, store.ErrNotFound) {
		return "", fmt.Errorf("%w: unknown key", Undecryptable)
	}
	if err != nil {
		return "", err
	}
	return e.open(private)
}

func (k *ServerKeys) private(ctx context.Context, kid string) (*ecdsa.PrivateKey, error) {
	k.mu.Lock()
	private := k.open[kid]
	k.mu.Unlock()
	if private != nil {
		return private, nil
	}
	key, err := k.Store.ServerKey(ctx, kid)
	if err != nil {
		return nil, fmt.Errorf("server key: %w", err)
	}
	if private, err = k.unseal(key); err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open == nil || len(k.open) >= cached {
		k.open = map[string]*ecdsa.PrivateKey{}
	}
	k.open[kid] = private
	return private, nil
}

func (k *ServerKeys) unseal(key store.ServerKey) (*ecdsa.PrivateKey, error) {
	clear, err := k.Keys.Open(key.Private, key.Place())
	if err != nil {
		return nil, fmt.Errorf("open server key %s: %w", key.KID, err)
	}
	var jwk jose.JSONWebKey
	if err := jwk.UnmarshalJSON(clear); err != nil {
		return nil, fmt.Errorf("read server key %s: %w", key.KID, err)
	}
	private, ok := jwk.Key.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("server key %s is not a P-256 key", key.KID)
	}
	return private, nil
}
