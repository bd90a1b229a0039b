package store

import "time"

// SecretForm tells what an installation of API version 1 sends as its secret.
type SecretForm string

// The forms of an installation's secret.
const (
	SecretPlain SecretForm = "plain" // the secret as it was handed out
	SecretBound SecretForm = "bound" // HMAC of the secret under the application signature
)

// Installation is one registered copy of an app on one phone: an OAuth client of its own.
type Installation struct {
	ClientID       string // 64 upper-case hex digits; the end-user API calls it device id
	RegistrationID string // of the init step, unique: a second completion fails on it
	Application    string
	Platform       string // android or ios
	Version        string
	APIVersion     int // 1 = secret protocol, 2 = key protocol
	OSVersion      string
	Model          string
	SDKVersion     string
	DeviceName     string

	// API version 1.
	SecretForm        SecretForm
	SecretDigest      []byte // keyed hash of the value sent on the wire
	PriorSecretDigest []byte // after an upgrade, until the new secret is first used
	UpgradeKey        []byte // sealed
	PriorUpgradeKey   []byte // sealed; see PriorSecretDigest
	UpgradedAt        time.Time
	SignatureIndex    int

	// API version 2.
	KeyID     string // RFC 7638 thumbprint of PublicJWK, unique
	PublicJWK []byte // JSON

	CreatedAt time.Time
	LastSeen  time.Time
}

// PriorSecretLife is how long the secret from before an upgrade is good at most: the answer with the new one may have
// been lost.
const PriorSecretLife = 24 * time.Hour

// PriorSecretOpen tells whether the secret from before the last upgrade is still good. The first use of the new secret
// ends it earlier, by forgetting it.
func (i Installation) PriorSecretOpen(now time.Time) bool {
	return len(i.PriorSecretDigest) > 0 && now.Before(i.UpgradedAt.Add(PriorSecretLife))
}

// Profile is one user inside one installation.
type Profile struct {
	ClientID    string
	ProfileID   string // [A-Za-z0-9]{6}
	UserID      string
	PINFailures int
	CreatedAt   time.Time
	LastLogin   time.Time
}
