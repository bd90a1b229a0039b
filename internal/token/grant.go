package token

import (
	"time"

	"tokenserver/store"
)

// StaticProfile is the profile id of web clients, which have no profiles.
const StaticProfile = store.StaticProfile

// Grant says which tokens to make, and for whom.
type Grant struct {
	ClientID    string
	ProfileID   string // of an installation; "static" for a web client's user tokens; "" for a client's own token
	UserID      string // "" = a client's own token
	Kind        store.TokenKind
	Scopes      []string
	Audience    []string // of the access token; none = the issuer. The ID token gets IDAudience
	IDAudience  []string // further audiences of the ID token; the client id always comes first
	Application string   // of an installation, with Platform and Version
	Platform    string
	Version     string
	UsageLimit  int // 0 = unlimited; a limited token comes without a refresh token
	AuthTime    time.Time
	ACR         string
	AMR         []string
	Nonce       string              // of the authorization request, for the ID token
	CodeHash    []byte              // of the code that is being redeemed: a replay revokes what came from it
	SessionID   string              // of the browser session, for the claim "sid"; "" = none
	HookParams  map[string][]string // of the authorization request, kept for the hooks of refreshes

	AccessLife   time.Duration
	RefreshLife  time.Duration // of each refresh token; 0 = unlimited
	FamilyLife   time.Duration // of all refresh tokens together; 0 = unlimited
	IDTokenLife  time.Duration
	Format       string         // settings.Opaque (also "") or settings.JWT
	Refresh      bool           // make a refresh token
	IDToken      bool           // make an ID token
	Claims       map[string]any // further claims of the ID token
	Encryption   *Encryption    // of the ID token; nil = none
	AccessClaims map[string]any // further claims of a JWT access token, from a hook; those of the protocol win
	UserDetails  []byte         // what introspection says about the user: a JSON object; nil = nothing
	FamilyID     string         // of a token that lives and dies with a refresh token family; "" = a family of its own
	Sessions     int            // of a web client: how many sign-ins of a user with the same scopes live at a time; 0 = one
}

// Issued is what a grant made.
type Issued struct {
	AccessToken  string
	RefreshToken string // "" = none
	IDToken      string // "" = none
	ExpiresIn    int    // seconds, of the access token
	Scopes       []string
	ProfileID    string
	FamilyID     string
	// FingerprintToken is the second refresh token of a fingerprint exchange; "" = none.
	FingerprintToken string
}
