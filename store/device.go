package store

import "time"

// DeviceState is where a device login stands.
type DeviceState string

// The states of a device login. One that was refused or redeemed stays known until its end, because "denied", "used" and
// "unknown" are different answers.
const (
	DevicePending  DeviceState = "PENDING"  // nobody has decided
	DeviceApproved DeviceState = "APPROVED" // the device may fetch its tokens, once
	DeviceDenied   DeviceState = "DENIED"   // the user said no
	DeviceUsed     DeviceState = "USED"     // the tokens have been fetched
)

// deviceMoves is the table of legal moves.
var deviceMoves = map[DeviceState][]DeviceState{
	DevicePending:  {DeviceApproved, DeviceDenied},
	DeviceApproved: {DeviceUsed},
}

// CanMoveTo tells whether a device login may move from s to next.
func (s DeviceState) CanMoveTo(next DeviceState) bool {
	for _, to := range deviceMoves[s] {
		if to == next {
			return true
		}
	}
	return false
}

// DeviceAuthorization is one device login (RFC 8628) between its start and its tokens. Redis hash "{dev:<ID>}:rec".
type DeviceAuthorization struct {
	ID       string      `json:"id,omitempty"` // hex of the keyed hash of the device code
	State    DeviceState `json:"-"`            // a field of its own
	ClientID string      `json:"client_id,omitempty"`
	Scopes   []string    `json:"scopes,omitempty"`
	Provider string      `json:"provider,omitempty"` // id of the identity provider that signs the user in

	UserID   string    `json:"user_id,omitempty"` // from here on: once approved
	AuthTime time.Time `json:"auth_time,omitzero"`
	ACR      string    `json:"acr,omitempty"`
	AMR      []string  `json:"amr,omitempty"`

	CreatedAt time.Time     `json:"created_at,omitzero"`
	ExpiresAt time.Time     `json:"expires_at,omitzero"`
	Interval  time.Duration `json:"interval,omitempty"` // between two polls, at first
}
