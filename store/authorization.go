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
	ID      string             `json:"id,omitempty"` // 128 random bits, base64url
	State   AuthorizationState `json:"state,omitempty"`
	Version int                `json:"version,omitempty"` // raised by every move; a move names the version it starts from
	Browser []byte             `json:"browser,omitempty"` // keyed hash of the value in the browser's cookie

	ClientID        string   `json:"client_id,omitempty"`
	Application     string   `json:"application,omitempty"` // of an installation; "" for a web client
	Platform        string   `json:"platform,omitempty"`
	AppVersion      string   `json:"app_version,omitempty"`
	RedirectURI     string   `json:"redirect_uri,omitempty"`
	RedirectOmitted bool     `json:"redirect_omitted,omitempty"` // the request had none: the token request need not repeat it
	ResponseMode    string   `json:"response_mode,omitempty"`
	Scopes          []string `json:"scopes,omitempty"`
	RequestState    string   `json:"request_state,omitempty"` // the parameter "state", returned verbatim
	Nonce           string   `json:"nonce,omitempty"`
	CodeChallenge   string   `json:"code_challenge,omitempty"` // S256; "" = none
	AskConsent      bool     `json:"ask_consent,omitempty"`    // prompt=consent
	Provider        string   `json:"provider,omitempty"`       // id of the identity provider
	LoginHint       string   `json:"login_hint,omitempty"`
	HintedUser      string   `json:"hinted_user,omitempty"` // the subject of id_token_hint: nobody else will do
	Language        string   `json:"language,omitempty"`    // of our pages: en, nl, de, fr

	UserID   string    `json:"user_id,omitempty"` // from here on: once identified
	AuthTime time.Time `json:"auth_time,omitzero"`
	ACR      string    `json:"acr,omitempty"`
	AMR      []string  `json:"amr,omitempty"`

	Form          []byte    `json:"form,omitempty"` // keyed hash of the consent form's token and of all that it is bound to
	FormExpiresAt time.Time `json:"form_expires_at,omitzero"`

	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
}

// AuthorizationCode is what a code stands for. Redis, under the keyed hash of the code; afterwards a tombstone stays there.
type AuthorizationCode struct {
	Hash            []byte    `json:"hash,omitempty"`
	ClientID        string    `json:"client_id,omitempty"`
	UserID          string    `json:"user_id,omitempty"`
	RedirectURI     string    `json:"redirect_uri,omitempty"`
	RedirectOmitted bool      `json:"redirect_omitted,omitempty"`
	Scopes          []string  `json:"scopes,omitempty"`
	Nonce           string    `json:"nonce,omitempty"`
	CodeChallenge   string    `json:"code_challenge,omitempty"`
	AuthTime        time.Time `json:"auth_time,omitzero"`
	ACR             string    `json:"acr,omitempty"`
	AMR             []string  `json:"amr,omitempty"`
	ExpiresAt       time.Time `json:"expires_at,omitzero"`
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
	Hash      []byte    `json:"hash,omitempty"`
	UserID    string    `json:"user_id,omitempty"`
	Provider  string    `json:"provider,omitempty"` // id of the identity provider
	AuthTime  time.Time `json:"auth_time,omitzero"`
	ACR       string    `json:"acr,omitempty"`
	AMR       []string  `json:"amr,omitempty"`
	CreatedAt time.Time `json:"created_at,omitzero"`
	ExpiresAt time.Time `json:"expires_at,omitzero"` // by inactivity; moved by every use
	EndsAt    time.Time `json:"ends_at,omitzero"`    // never moved
}

// Consent is a user's lasting agreement that a client gets one scope.
type Consent struct {
	UserID   string
	ClientID string
	Scope    string
	GivenAt  time.Time
}
