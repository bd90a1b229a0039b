package store

import "time"

// BrowserSession is a signed-in user at one browser. Redis hash "{sess:<hash>}:rec", under the keyed hash of the cookie's
// value; the user's sessions are listed in "sessu:{<user>}".
type BrowserSession struct {
	Hash      []byte    `json:"hash,omitempty"`
	ID        string    `json:"id,omitempty"` // the claim "sid", a UUID; it stays when the user signs in again
	UserID    string    `json:"user_id,omitempty"`
	Provider  string    `json:"provider,omitempty"` // id of the identity provider
	AuthTime  time.Time `json:"auth_time,omitzero"`
	Level     string    `json:"level,omitempty"`
	ACR       string    `json:"acr,omitempty"`
	AMR       []string  `json:"amr,omitempty"`
	SteppedUp bool      `json:"stepped_up,omitempty"`

	ProviderSession string `json:"provider_session,omitempty"` // what the provider calls its session
	ProviderToken   string `json:"provider_token,omitempty"`   // its ID token, for its logout
	BrowserState    string `json:"browser_state,omitempty"`    // OpenID Connect Session Management §3.2
	UserAgent       string `json:"user_agent,omitempty"`       // at the last sign-in, as ClientIP
	ClientIP        string `json:"client_ip,omitempty"`

	CreatedAt time.Time `json:"created_at,omitzero"`
	EndsAt    time.Time `json:"ends_at,omitzero"` // never moved by a use

	Clients   []string  `json:"-"` // who got an answer in this session, sorted
	AnswerAt  time.Time `json:"-"` // of the last answer; zero = none
	ExpiresAt time.Time `json:"-"` // by inactivity; moved by every use
}

// Logout is a request to end a browser session that waits: for the user's word, for the browser, or for the identity
// provider's own logout. Redis "logout:<ID>"; bound to one browser.
type Logout struct {
	ID          string    `json:"id,omitempty"` // 128 random bits, base64url
	Browser     []byte    `json:"browser,omitempty"`
	Form        []byte    `json:"form,omitempty"` // keyed hash of the confirm form's token
	FormEndsAt  time.Time `json:"form_ends_at,omitzero"`
	Done        bool      `json:"done,omitempty"`      // the session has ended; what remains is to tell
	ClientID    string    `json:"client_id,omitempty"` // who asked; "" = unknown
	RedirectURI string    `json:"redirect_uri,omitempty"`
	State       string    `json:"state,omitempty"` // returned verbatim
	Language    string    `json:"language,omitempty"`
	Asked       bool      `json:"asked,omitempty"` // the user has been asked, with a form of ours
	BadHint     bool      `json:"bad_hint,omitempty"`
	HintedUser  string    `json:"hinted_user,omitempty"` // of id_token_hint, with HintedSession
	Frames      []string  `json:"frames,omitempty"`      // front-channel logout addresses
	ExpiresAt   time.Time `json:"expires_at,omitzero"`

	HintedSession string `json:"hinted_session,omitempty"`
}
