package store

import "time"

// TokenKind is the type of a token as introspection's amr and the device API name it.
type TokenKind string

// The kinds of tokens. ClientToken is a token without a user.
const (
	DefaultToken             TokenKind = "DEFAULT"
	FingerprintToken         TokenKind = "FINGER_PRINT"
	CustomAuthenticatorToken TokenKind = "CUSTOM_AUTHENTICATOR"
	ImplicitToken            TokenKind = "IMPLICIT_AUTHENTICATION"
	StatelessToken           TokenKind = "STATELESS_AUTHENTICATION"
	ClientToken              TokenKind = "CLIENT"
)

// StaticProfile stands for the profile of web clients, which have none.
const StaticProfile = "static"

// AccessToken is what an access token stands for. It lives in Redis under ID; afterwards a tombstone stays there.
type AccessToken struct {
	ID          string // hex HMAC of an opaque token, or the jti of a JWT
	ClientID    string
	Kind        TokenKind
	UserID      string // empty for a client's own token
	ProfileID   string // of an installation
	FamilyID    string // of the refresh token family or code it came from; "" for a client's own token
	SessionID   string // of the browser session it came from; "" = none
	Application string // of an installation
	Platform    string
	Version     string
	Scopes      []string
	Audience    []string
	UsageLimit  int // 0 = unlimited
	AuthTime    time.Time
	ACR         string
	AMR         []string // methods of the sign-in
	IssuedAt    time.Time
	ExpiresAt   time.Time
	Outlived    Outlived
	UserDetails []byte // what was known about the user when it was issued: a JSON object; nil = nothing
}

// Outlived tells which revocations a token came after although its time alone would not show it: the newest of each
// subject that was known when the token was issued. Zero = the time shows it.
type Outlived struct {
	Client  time.Time
	Profile time.Time
	User    time.Time
}

// TokenFamily is all refresh tokens that descend from one grant. SQL row; rotated by one conditional UPDATE on
// (ID, Generation).
type TokenFamily struct {
	ID           string // UUID
	ClientID     string
	ProfileID    string // StaticProfile for web clients
	UserID       string
	Kind         TokenKind
	Scopes       []string
	Generation   int    // 0 for the first token
	Nonce        []byte // the successor is derived from ID, Generation and Nonce
	CurrentHash  []byte
	PreviousHash []byte // nil in generation 0
	Used         bool   // the current token has been used once: its predecessor is dead
	AccessToken  string // ID of the access token that was issued last
	RotatedAt    time.Time
	CreatedAt    time.Time
	ExpiresAt    time.Time // of the current token; zero = unlimited
	EndsAt       time.Time // of the family; zero = unlimited
	AuthTime     time.Time
	ACR          string
	AMR          []string
	CodeHash     []byte              // the grant that it came from; a replay of the code ends it
	SessionID    string              // of the browser session it came from; "" = none
	HookParams   map[string][]string // of the authorization request, for the hooks
	UserGone     bool                // read only: there is no account of that id, or it is disabled
	UserDetails  []byte              // read only: the attributes of the account, JSON; nil when the user is gone
	Namespace    string              // read only: of the account
	Username     string              // read only: of the account
}

// Revocation ends every token whose subject matches and that was issued before a moment.
type Revocation struct {
	Subject string // "client:<id>", "profile:<client>/<profile>", "family:<id>", "session:<sid>", "user:<id>"
	Before  time.Time
}

// FamilyFilter says which families are meant: all members that are set must match; at least one is.
type FamilyFilter struct {
	ID        string
	ClientID  string
	ProfileID string
	UserID    string
	Kind      TokenKind
	SessionID string
}
