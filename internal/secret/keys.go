package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"
)

// Purpose separates the keys that are derived from the key-encryption key.
type Purpose string

// The purposes of keyed hashes.
const (
	ForAccessToken  Purpose = "access-token"
	ForRefreshToken Purpose = "refresh-token"
	ForSuccessor    Purpose = "refresh-token-successor"
	ForCode         Purpose = "authorization-code"
	ForShortCode    Purpose = "short-code" // codes that people type: six digits
	ForClientSecret Purpose = "client-secret"
	ForCookie       Purpose = "cookie"
	ForFormToken    Purpose = "form-token"
	ForPushToken    Purpose = "push-token"
	ForAnswer       Purpose = "answer"
	ForCheckpoint   Purpose = "audit-checkpoint"
	ForSMSCode      Purpose = "sms-code"
	ForSAMLRequest  Purpose = "saml-request"
)

const keySize = 32

// ErrUnsealed is returned when a sealed value cannot be opened: another key, or changed bytes.
var ErrUnsealed = errors.New("sealed value does not open")

// Keys derives all keys of the server from the key-encryption key, and seals with it. Former keys still open what they
// sealed; hashes are always made with the first. Safe for concurrent use.
type Keys struct {
	ids     []string // of each key-encryption key, 8 hex digits; the first is the current one
	masters [][]byte
	macs    sync.Map // macKey → *sync.Pool of hash.Hash
}

// NewKeys takes key-encryption keys of 32 bytes each, the current one first.
func NewKeys(masters ...[]byte) (*Keys, error) {
	if len(masters) == 0 {
		return nil, errors.New("no key-encryption key")
	}
	k := &Keys{}
	for _, master := range masters {
		if len(master) != keySize {
			return nil, fmt.Errorf("a key-encryption key has %d bytes, want %d", len(master), keySize)
		}
		id := sha256.Sum256(append([]byte("tokenserver key id\x00"), master...))
		k.ids = append(k.ids, hex.EncodeToString(id[:4]))
		k.masters = append(k.masters, slices.Clone(master))
	}
	return k, nil
}

// MAC returns HMAC-SHA-256 over the parts, each preceded by its length, under the current key of the purpose.
func (k *Keys) MAC(purpose Purpose, parts ...string) []byte { return k.mac(0, purpose, parts) }

// MACs is MAC under every configured key-encryption key, the current one first: to find and to derive again what was made
// before a change of the key.
func (k *Keys) MACs(purpose Purpose, parts ...string) [][]byte {
	all := make([][]byte, len(k.masters))
	for master := range k.masters {
		all[master] = k.mac(master, purpose, parts)
	}
	return all
}

// macKey names one derived key: of the master at an index, for a purpose.
type macKey struct {
	master  int
	purpose Purpose
}

func (k *Keys) mac(master int, purpose Purpose, parts []string) []byte {
	name := macKey{master, purpose}
	pool, ok := k.macs.Load(name)
	if !ok {
		key := k.derive(k.masters[master], "mac:"+string(purpose))
		pool, _ = k.macs.LoadOrStore(name, &sync.Pool{New: func() any { return hmac.New(sha256.New, key) }})
	}
	h := pool.(*sync.Pool).Get().(hash.Hash)
	defer pool.(*sync.Pool).Put(h)
	h.Reset()
	for _, part := range parts {
		n := len(part)
		_, _ = h.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}) // a hash never fails
		_, _ = h.Write([]byte(part))
	}
	return h.Sum(nil)
}

// Equal compares a secret with its keyed hash in constant time. A hash from before a change of the key-encryption key
// still matches, as long as the former key is configured.
func (k *Keys) Equal(purpose Purpose, mac []byte, parts ...string) bool {
	equal := 0
	for master := range k.masters {
		equal |= subtle.ConstantTimeCompare(mac, k.mac(master, purpose, parts))
	}
	return equal == 1
}

// Seal encrypts clear with AES-256-GCM, bound to the place where it is kept. Form: key id (8 hex) "." nonce ‖ ciphertext.
func (k *Keys) Seal(clear []byte, place string) []byte {
	aead := k.aead(k.masters[0])
	out := append([]byte(k.ids[0]), '.')
	nonce := make([]byte, aead.NonceSize())
	rand.Read(nonce)
	out = append(out, nonce...)
	return aead.Seal(out, nonce, clear, []byte(place))
}

// Open undoes Seal. Errors: ErrUnsealed.
func (k *Keys) Open(sealed []byte, place string) ([]byte, error) {
	id, rest, found := strings.Cut(string(sealed), ".")
	i := slices.Index(k.ids, id)
	if !found || i < 0 {
		return nil, ErrUnsealed
	}
	aead := k.aead(k.masters[i])
	if len(rest) < aead.NonceSize() {
		return nil, ErrUnsealed
	}
	clear, err := aead.Open(nil, []byte(rest[:aead.NonceSize()]), []byte(rest[aead.NonceSize():]), []byte(place))
	if err != nil {
		return nil, ErrUnsealed
	}
	return clear, nil
}

// Current tells whether sealed was made with the current key-encryption key; if not, it wants sealing anew.
func (k *Keys) Current(sealed []byte) bool {
	return strings.HasPrefix(string(sealed), k.ids[0]+".")
}

func (k *Keys) aead(master []byte) cipher.AEAD {
	block, err := aes.NewCipher(k.derive(master, "seal"))
	if err != nil {
		panic(err) // cannot happen: the key has 32 bytes
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // cannot happen: AES has the right block size
	}
	return aead
}

func (k *Keys) derive(master []byte, info string) []byte {
	key, err := hkdf.Key(sha256.New, master, nil, "tokenserver:"+info, keySize)
	if err != nil {
		panic(err) // cannot happen: the length is far below the limit
	}
	return key
}
