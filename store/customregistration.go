package store

import "time"

// CustomRegistration is a registration through an identity provider that the app reaches by API, between its two steps; also
// one by two codes on a page of ours. SQL row: single use and attempts are decided there.
type CustomRegistration struct {
	Hash         []byte    // keyed hash of the transaction id
	ClientID     string    // who began it
	Provider     string    // id of the identity provider
	APIVersion   int       // 1 = secrets, 2 = assertions; 0 = in a browser
	Attempts     int       // completions that were tried
	CodeIndex    int       // which of the client codes that the transaction id leads to; two-way OTP
	ClientCode   []byte    // keyed hash of the client code; nil unless two-way OTP. No two live ones are equal
	ResponseCode []byte    // keyed hash of the response code; nil = the portal has not asked for one yet
	UserID       string    // whom the portal named
	CreatedAt    time.Time //
	ExpiresAt    time.Time // moved when the portal asks for the response code
	Ended        bool      // used, or given up: nothing can be done with it any more
}
