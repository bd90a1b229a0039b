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
	Identifier  string // 32 lower-case hex digits
	Challenge   string // 64 lower-case hex digits
	Purpose     ChallengePurpose
	ClientID    string // of an upgrade: the installation that it is for
	Application string
	Platform    string
	Version     string // that the installation will have
	APIVersion  int    // of the endpoint that handed it out
	ExpiresAt   time.Time
}
