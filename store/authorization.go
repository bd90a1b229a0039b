package store

import "time"

// AuthorizationState is where an authorization transaction stands.
type AuthorizationState string

// The states. A transaction that has been issued or has failed is removed.
const (
	AtProvider AuthorizationState = "AT_IDP"     // the browser is at the identity provider
	Identified AuthorizationState = "IDENTIFIED" // the user is known
	Consenting AuthorizationState = "CONSENT"    // the consent page has been shown
)

// authorizationMoves is the table of legal moves; a rendering of the consent page replaces the one before.
var authorizationMoves = map[AuthorizationState][]AuthorizationState{
	AtProvider: {Identified},
	Identified: {Consenting},
	Consenting: {Consenting},
}

// CanMoveTo tells whether a transaction may move from s to next.
func (s AuthorizationState) CanMoveTo(next AuthorizationState) bool {
	for _, to := range authorizationMoves[s] {
		if to == next {
			return true
		}
	}
	return false
}

// Authorization is one authorization request between its arrival and its answer. Redis hash "{azt:<ID>}:rec"; bound to
// one browser. Nothing of the request is ever read from the browser again.
type Authorization struct {
	ID      string // 128 random bits, base64url
	State   AuthorizationState
	Version int    // raised by every move; a move names the version it starts from
	Browser []byte // keyed hash of the value in the browser's cookie

	ClientID        string
	Application     string // of an installation; "" for a web client
	Platform        string
	AppVersion      string
	RedirectURI     string
	RedirectOmitted bool // the request had none: the token request need not repeat it
	ResponseMode    string
	Scopes          []string
	RequestState    string // the parameter "state", returned verbatim
	Nonce           string
	CodeChallenge   string // S256; "" = none
	AskConsent      bool   // prompt=consent
	Provider        string // id of the identity provider
	LoginHint       string
	Language        string // of our pages: en, nl, de, fr

	UserID   string // from here on: once identified
	AuthTime time.Time
	ACR      string
	AMR      []string

	Form          []byte // keyed hash of the consent form's token and of all that it is bound to
	FormExpiresAt time.Time

	CreatedAt time.Time
	ExpiresAt time.Time
}

// AuthorizationCode is what a code stands for. Redis, under the keyed hash of the code; afterwards a tombstone stays there.
type AuthorizationCode struct {
	Hash            []byte
	ClientID        string
	UserID          string
	RedirectURI     string
	RedirectOmitted bool
	Scopes          []string
	Nonce           string
	CodeChallenge   string
	AuthTime        time.Time
	ACR             string
	AMR             []string
	ExpiresAt       time.Time
}

// UsedCode is the durable mark of a redeemed code. Its row is inserted once; whoever inserts it has won.
type UsedCode struct {
	Hash     []byte
	ClientID string
	UserID   string
	FamilyID string // of the tokens that came from it; "" when none were issued
	UsedAt   time.Time
}

// BrowserSession is a signed-in user at one browser. Redis, under the keyed hash of the cookie's value.
type BrowserSession struct {
	Hash      []byte
	UserID    string
	Provider  string // id of the identity provider
	AuthTime  time.Time
	ACR       string
	AMR       []string
	CreatedAt time.Time
	ExpiresAt time.Time // by inactivity; moved by every use
	EndsAt    time.Time // never moved
}

// Consent is a user's lasting agreement that a client gets one scope.
type Consent struct {
	UserID   string
	ClientID string
	Scope    string
	GivenAt  time.Time
}
