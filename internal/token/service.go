package token

import (
	"context"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// Service issues, verifies, rotates and revokes tokens. Every field is required. Safe for concurrent use.
type Service struct {
	Access        accessTokens
	Families      families
	Search        familySearch
	Profiles      pinCounter
	Installations installations
	Revocations   *Revocations
	Keys          *secret.Keys
	Ring          signer
	Encrypter     *Encrypter
	Issuer        string
	Now           func() time.Time
	NewID         func() string // UUID
}

// accessTokens keeps access tokens: Redis.
type accessTokens interface {
	// PutAccessToken keeps t.
	PutAccessToken(ctx context.Context, t store.AccessToken) error
	// ShortenAccessToken ends a token at a moment, unless it ends before.
	ShortenAccessToken(ctx context.Context, id string, ends time.Time) error
	// AccessToken returns the record, also with ErrExpired and ErrRevoked. Errors: store.ErrNotFound and those.
	AccessToken(ctx context.Context, id string) (store.AccessToken, error)
	// BuryAccessToken leaves a tombstone.
	BuryAccessToken(ctx context.Context, t store.AccessToken) error
	// CountAccessTokenUse counts one use and returns how many there were before.
	CountAccessTokenUse(ctx context.Context, t store.AccessToken) (int, error)
}

// families keeps refresh tokens: SQL.
type families interface {
	// AddFamily inserts a new family.
	AddFamily(ctx context.Context, f store.TokenFamily) error
	// RotateFamily replaces the token of the family if it is still at generation from. Errors: store.ErrConflict.
	RotateFamily(ctx context.Context, from int, f store.TokenFamily) error
	// RotateFamilyByPIN is RotateFamily after a right PIN: the profile's failures go to 0 too. Errors: store.ErrConflict.
	RotateFamilyByPIN(ctx context.Context, from int, f store.TokenFamily) error
	// TouchFamily stores the newest access token, and whether the current refresh token has been used, if the family is
	// still at that generation.
	TouchFamily(ctx context.Context, id string, generation int, used bool, accessToken string) error
	// DeleteFamilies removes the families that match and returns their ids.
	DeleteFamilies(ctx context.Context, which store.FamilyFilter) ([]string, error)
}

// familySearch finds families. Inside a transaction the row is locked.
type familySearch interface {
	// FamilyOfProfile returns the family of an installation's profile and kind. Errors: store.ErrNotFound.
	FamilyOfProfile(ctx context.Context, clientID, profileID string, kind store.TokenKind) (store.TokenFamily, error)
	// Family returns the family with that id. Errors: store.ErrNotFound.
	Family(ctx context.Context, id string) (store.TokenFamily, error)
	// Families returns the families that match, oldest first; they are not locked.
	Families(ctx context.Context, which store.FamilyFilter) ([]store.TokenFamily, error)
	// HasFamily tells whether one that matches has not ended by now.
	HasFamily(ctx context.Context, which store.FamilyFilter, now time.Time) (bool, error)
}

// pinCounter counts wrong PINs on profiles.
type pinCounter interface {
	// RaisePINFailures counts before anything is compared. Errors: store.ErrConflict (limit reached before),
	// store.ErrNotFound (no such profile).
	RaisePINFailures(ctx context.Context, clientID, profileID string, limit int) (int, error)
	// RaiseForFamily is RaisePINFailures and the DEFAULT family of the profile, locked, in one round trip.
	// Errors: store.ErrNotFound when nothing was counted, for whatever reason.
	RaiseForFamily(ctx context.Context, clientID, profileID string, limit int) (int, store.TokenFamily, error)
	LowerPINFailures(ctx context.Context, clientID, profileID string) error
	ResetPINFailures(ctx context.Context, clientID, profileID string) error
}

// installations tells how an installation proves itself.
type installations interface {
	Installation(ctx context.Context, clientID string) (store.Installation, error)
}

// signer is the ring of signing keys.
type signer interface {
	Sign(ctx context.Context, typ string, claims any) (string, error)
	// SignWith is Sign for claims that depend on the algorithm.
	SignWith(ctx context.Context, typ string, claims func(algorithm string) any) (string, error)
	Verify(ctx context.Context, typ, compact string, claims jwt.Claims) error
}
