package store

import "time"

// ChallengePurpose tells what a registration challenge is for.
type ChallengePurpose string

// The purposes.
const (
	ForRegistration ChallengePurpose = "registration"
	ForUpgrade      ChallengePurpose = "upgrade"
)

// RegistrationChallenge is a registration or an upgrade in flight: Redis "dcr:{<Identifier>}", 300 s, taken once.
type RegistrationChallenge struct {
	Identifier  string           `json:"identifier"` // 32 lower-case hex digits
	Challenge   string           `json:"challenge"`  // 64 lower-case hex digits
	Purpose     ChallengePurpose `json:"purpose"`
	ClientID    string           `json:"client_id"` // of an upgrade: the installation that it is for
	Application string           `json:"application"`
	Platform    string           `json:"platform"`
	Version     string           `json:"version"`     // that the installation will have
	APIVersion  int              `json:"api_version"` // of the endpoint that handed it out
	ExpiresAt   time.Time        `json:"expires_at"`
}
