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
	ID            string    `json:"id"` // UUID; also the kid of every JWS of this app instance
	ClientID      string    `json:"client_id"`
	UserID        string    `json:"user_id"`
	ProfileID     string    `json:"profile_id"`
	Application   string    `json:"application"`
	Platform      string    `json:"platform"`
	SigningKey    []byte    `json:"signing_key"`    // public JWK, P-256
	EncryptionKey []byte    `json:"encryption_key"` // public JWK, P-256; nil = answers are protected by TLS only
	ServerEncKID  string    `json:"server_enc_kid"`
	ServerSigKID  string    `json:"server_sig_kid"`
	PushToken     []byte    `json:"push_token"`      // sealed for PushTokenPlace; nil = keys only
	PushTokenHash []byte    `json:"push_token_hash"` // keyed hash of the push token, for comparisons
	PushState     PushState `json:"push_state"`
	DeviceName    string    `json:"device_name"`
	CreatedAt     time.Time `json:"created_at"`
	UpdatedAt     time.Time `json:"updated_at"`
}

// PushTokenPlace names where the sealed push token is kept: sealing binds it to this enrollment.
func (e Enrollment) PushTokenPlace() string { return "enrollment/" + e.ID + "/push_token" }

// EnrolledDevice is an enrollment with what it belongs to: the user of an installation.
type EnrolledDevice struct {
	Enrollment
	Profile      Profile
	Installation Installation
}

// Answering is who answers for an enrollment, and with which version of the app.
type Answering struct {
	ClientID    string
	ProfileID   string
	UserID      string
	Application string
	Platform    string
	Version     string
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
	Step      EnrollmentStep `json:"step"`
	Challenge string         `json:"challenge"` // base64url, 32 bytes: what the next step must repeat
	// FirstChallenge is the one of the init step: the key step may be repeated with it when its answer was lost.
	FirstChallenge string `json:"first_challenge"`
	// ServerKeys are the keys made for this enrollment alone; they become rows when it is acknowledged. Empty = the shared ones.
	ServerKeys []ServerKey `json:"server_keys"`
	ExpiresAt  time.Time   `json:"expires_at"`
}
