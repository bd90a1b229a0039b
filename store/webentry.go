package store

import "time"

// WebEntry is what the one-time token stands for with which the user of an app signs in at the browser of the same
// device. Redis, under the keyed hash of the token.
type WebEntry struct {
	Hash        []byte    `json:"hash,omitempty"`
	ClientID    string    `json:"client_id,omitempty"` // the installation
	Application string    `json:"application,omitempty"`
	Platform    string    `json:"platform,omitempty"`
	AppVersion  string    `json:"app_version,omitempty"`
	ProfileID   string    `json:"profile_id,omitempty"`
	UserID      string    `json:"user_id,omitempty"`
	Provider    string    `json:"provider,omitempty"` // id of the identity provider that knows the user
	Target      string    `json:"target,omitempty"`   // where the browser goes, a registered address
	Network     string    `json:"network,omitempty"`  // from which the app has asked
	AuthTime    time.Time `json:"auth_time,omitzero"`
	ACR         string    `json:"acr,omitempty"`
	AMR         []string  `json:"amr,omitempty"`
	ExpiresAt   time.Time `json:"expires_at,omitzero"`
}
