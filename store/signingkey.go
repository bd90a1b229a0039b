package store

import "time"

// KeySlot is the place of a signing key in the ring.
type KeySlot string

// The slots: one key each.
const (
	PreviousKey KeySlot = "previous" // verifies what it signed before the last rotation
	CurrentKey  KeySlot = "current"  // signs
	NextKey     KeySlot = "next"     // published, so that everybody knows it before it signs
)

// SigningKey is a key for ID tokens and JWT access tokens.
type SigningKey struct {
	ID        string // kid, a random UUID
	Slot      KeySlot
	Algorithm string // ES256 or RS256
	Sealed    []byte // PKCS #8, sealed under the place "signing-key/<kid>"
	CreatedAt time.Time
}
