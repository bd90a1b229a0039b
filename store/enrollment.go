package store

import "time"

// PushState tells whether a push token can be used.
type PushState string

// The states of a push token.
const (
	PushNone   PushState = "none" // keys only
	PushActive PushState = "active"
	PushStale  PushState = "stale" // the provider said that the token is dead
)

// Enrollment is one (installation, user) pair that may take part in mobile authentication. The catalogue calls it
// app instance.
type Enrollment struct {
	ID            string // UUID; also the kid of every JWS of this app instance
	ClientID      string
	UserID        string
	ProfileID     string
	Application   string
	Platform      string
	SigningKey    []byte // public JWK, P-256
	EncryptionKey []byte // public JWK, P-256; nil = answers are protected by TLS only
	ServerEncKID  string
	ServerSigKID  string
	PushToken     string // "" = keys only
	PushState     PushState
	DeviceName    string
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// EnrollmentStep is how far an enrollment in flight has come.
type EnrollmentStep string

// The steps of an enrollment in flight.
const (
	EnrollmentStarted EnrollmentStep = "init"
	EnrollmentKeyed   EnrollmentStep = "keyed"
)

// PendingEnrollment is an enrollment between its init and its acknowledge step. Redis, 600 s.
type PendingEnrollment struct {
	Enrollment
	Step      EnrollmentStep
	Challenge string // base64url, 32 bytes: what the next step must repeat
	ExpiresAt time.Time
}
