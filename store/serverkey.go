package store

import "time"

// KeyPurpose is what a key pair of the server is for, as a JWK spells it in "use".
type KeyPurpose string

// The purposes of server keys in mobile authentication.
const (
	KeyForEncryption KeyPurpose = "enc" // devices encrypt to it
	KeyForSignature  KeyPurpose = "sig" // the server signs messages to devices with it
)

// ServerKey is one P-256 key pair of the server for mobile authentication: shared by all enrollments, or of one alone.
type ServerKey struct {
	KID          string     `json:"kid"` // RFC 7638 thumbprint of the public key
	Purpose      KeyPurpose `json:"purpose"`
	Private      []byte     `json:"private"`       // private JWK, sealed for Place
	EnrollmentID string     `json:"enrollment_id"` // "" = shared
	CreatedAt    time.Time  `json:"created_at"`
	RetiredAt    time.Time  `json:"retired_at"` // zero = handed out to new enrollments
}

// Place names where the sealed private key is kept.
func (k ServerKey) Place() string { return "server_keys/" + k.KID }
