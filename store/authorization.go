package store

import (
	"errors"
	"time"
)

// AuthorizationState is where an authorization transaction stands.
type AuthorizationState string

// The states. A transaction that has been issued or has failed is removed.
const (
	AtProvider AuthorizationState = "AT_IDP"      // the browser is at the identity provider
	Identified AuthorizationState = "IDENTIFIED"  // the user is known
	SteppingUp AuthorizationState = "SMS_STEP_UP" // a code is on its way to the user's phone
	Consenting AuthorizationState = "CONSENT"     // the consent page has been shown
)

// authorizationMoves is the table of legal moves; a rendering of a page replaces the one before. A user whose level is
// too low may be sent back to the identity provider.
var authorizationMoves = map[AuthorizationState][]AuthorizationState{
	AtProvider: {AtProvider, Identified},
	Identified: {Identified, AtProvider, SteppingUp, Consenting},
	SteppingUp: {SteppingUp, Identified},
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

// GoneReason says, in the words of audit events, why there is no transaction to go on with; "" when err means something
// else.
func GoneReason(err error) string {
	switch {
	case errors.Is(err, ErrNotFound):
		return "no transaction"
	case errors.Is(err, ErrExpired):
		return "transaction expired"
	case errors.Is(err, ErrRevoked):
		return "another browser"
	}
	return ""
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
	ResponseType    string   `json:"response_type,omitempty"`    // "" = code; else "token", "id_token" or "id_token token"
	ResponseMode    string   `json:"response_mode,omitempty"`
	Scopes          []string `json:"scopes,omitempty"`
	RequestState    string   `json:"request_state,omitempty"` // the parameter "state", returned verbatim
	Nonce           string   `json:"nonce,omitempty"`
	CodeChallenge   string   `json:"code_challenge,omitempty"`   // "" = none
	ChallengeMethod string   `json:"challenge_method,omitempty"` // "" = S256; else "plain"
	AskConsent      bool     `json:"ask_consent,omitempty"`      // prompt=consent
	Provider        string   `json:"provider,omitempty"`         // id of the identity provider
	Silent          bool     `json:"silent,omitempty"`           // prompt=none: no page may be shown
	ForceLogin      bool     `json:"force_login,omitempty"`      // prompt=login
	SelectAccount   bool     `json:"select_account,omitempty"`   // prompt=select_account
	MaxAge          int      `json:"max_age"`                    // seconds; -1 = not given
	ACRValues       string   `json:"acr_values,omitempty"`
	EssentialACR    []string `json:"essential_acr,omitempty"` // of the claims parameter
	LoginHint       string   `json:"login_hint,omitempty"`
	UILocales       string   `json:"ui_locales,omitempty"` // as it came, for the identity provider
	ExternalIDP     string   `json:"external_idp,omitempty"`
	AppView         string   `json:"app_view,omitempty"`
	DeviceID        string   `json:"device_id,omitempty"`   // of the device flow: there is no redirect address
	HintedUser      string   `json:"hinted_user,omitempty"` // the subject of id_token_hint: nobody else will do
	Language        string   `json:"language,omitempty"`    // of our pages: en, nl, de, fr

	ProviderParams map[string][]string `json:"provider_params,omitempty"` // external_idp_custom_param.<key>
	HookParams     map[string][]string `json:"hook_params,omitempty"`     // hook_context_custom_param.<key>
	ProviderQuery  map[string]string   `json:"provider_query,omitempty"`  // further parameters that the identity provider takes as attributes

	UserID    string    `json:"user_id,omitempty"` // from here on: once identified
	SessionID string    `json:"sid,omitempty"`     // of the browser session
	AuthTime  time.Time `json:"auth_time,omitzero"`
	Level     string    `json:"level,omitempty"` // authentication level as the provider said it; "" = none
	ACR       string    `json:"acr,omitempty"`
	AMR       []string  `json:"amr,omitempty"`
	SteppedUp bool      `json:"stepped_up,omitempty"` // the user has typed the code of a text message
	Raised    bool      `json:"raised,omitempty"`     // the provider was asked for a higher level already
	Verified  bool      `json:"verified,omitempty"`   // the scope verification service has agreed

	SMSCode      []byte    `json:"sms_code,omitempty"` // keyed hash of the code that was sent last
	SMSSent      int       `json:"sms_sent,omitempty"` // how many codes were sent
	SMSSentAt    time.Time `json:"sms_sent_at,omitzero"`
	SMSExpiresAt time.Time `json:"sms_expires_at,omitzero"` // of the code

	Form          []byte    `json:"form,omitempty"` // keyed hash of the shown form's token and of all that it is bound to
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
	ChallengeMethod string    `json:"challenge_method,omitempty"` // "" = S256; else "plain"
	SessionID       string    `json:"sid,omitempty"`              // of the browser session; "" = none
	AuthTime        time.Time `json:"auth_time,omitzero"`
	ACR             string    `json:"acr,omitempty"`
	AMR             []string  `json:"amr,omitempty"`
	ExpiresAt       time.Time `json:"expires_at,omitzero"`

	HookParams   map[string][]string `json:"hook_params,omitempty"`
	AccessClaims map[string]any      `json:"access_claims,omitempty"` // what a hook adds to a JWT access token
}

// UsedCode is the durable mark of a redeemed code. Its row is inserted once; whoever inserts it has won.
type UsedCode struct {
	Hash     []byte
	ClientID string
	UserID   string
	FamilyID string // of the tokens that came from it; "" when none were issued
	UsedAt   time.Time
}

// Consent is a user's lasting agreement that a client gets one scope.
type Consent struct {
	UserID   string
	ClientID string
	Scope    string
	GivenAt  time.Time
}
