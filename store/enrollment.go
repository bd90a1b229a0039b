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
	PushToken     []byte // sealed for PushTokenPlace; nil = keys only
	PushTokenHash []byte // keyed hash of the push token, for comparisons
	PushState     PushState
	DeviceName    string
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// PushTokenPlace names where the sealed push token is kept: sealing binds it to this enrollment.
func (e Enrollment) PushTokenPlace() string { return "enrollment/" + e.ID + "/push_token" }

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
	// FirstChallenge is the one of the init step: the key step may be repeated with it when its answer was lost.
	FirstChallenge string
	// ServerKeys are the keys made for this enrollment alone; they become rows when it is acknowledged. Empty = the shared ones.
	ServerKeys []ServerKey
	ExpiresAt  time.Time
}
