package pushauth

import (
	"encoding/json"
	"fmt"

	"tokenserver/store"
)

// Result is what stays known of a decided transaction beside the columns of its outcome row: all that the portal may
// fetch. It is the JSON in transaction_outcomes.result.
type Result struct {
	APIClient   string `json:"api_client"` // who may read it
	CallbackURI string `json:"callback_uri"`
	UserID      string `json:"user_id,omitempty"`
	ClientID    string `json:"client_id,omitempty"`  // the device, for the audit log
	ProfileID   string `json:"profile_id,omitempty"` // of the user on it, for the audit log
	CreatedAt   int64  `json:"created_at"`           // milliseconds since the epoch
	PINAttempts int    `json:"pin_attempts,omitempty"`
	*Signed
}

// Signed is what a transaction with transaction signing yields.
type Signed struct {
	Signature     string `json:"signature"`       // base64 of ASN.1 DER, over SignedData
	SignedData    string `json:"signed_data"`     // base64
	UserPublicKey string `json:"user_public_key"` // PEM
	Verified      bool   `json:"signature_verified"`
}

// reasonTexts describes the reasons to portals.
var reasonTexts = map[store.Reason]string{
	store.FailedToSend:   "Push message failed to be sent",
	store.InvalidRequest: "Invalid push authentication request",
	store.NotAccepted:    "User rejected push",
	store.InvalidAnswer:  "Invalid push answer",
}

// encode returns the JSON of a result.
func (r Result) encode() ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode result: %w", err)
	}
	return text, nil
}

// decodeResult undoes encode.
func decodeResult(text []byte) (Result, error) {
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return Result{}, fmt.Errorf("decode result: %w", err)
	}
	return r, nil
}
