package token

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// ErrIDToken is returned, wrapped, when the ID token cannot be made; nothing was issued then.
var ErrIDToken = errors.New("the ID token cannot be made")

// typeAccessToken is the typ of JWT access tokens (RFC 9068 §2.1).
const typeAccessToken = "at+jwt"

// typeIDToken is the typ of ID tokens.
const typeIDToken = "JWT"

// Issue makes the tokens of a grant. When a refresh token is made it must run in a transaction, which the family joins;
// the access token is in Redis when Issue returns. An installation's former family of the same profile and kind ends,
// and so do the earlier sign-ins of a web client with the same user and scopes.
// Errors: ErrIDToken, store.ErrUnavailable.
func (s *Service) Issue(ctx context.Context, g Grant) (Issued, error) {
	out := Issued{Scopes: g.Scopes, ProfileID: g.ProfileID, ExpiresIn: int(g.AccessLife / time.Second)}
	var family store.TokenFamily
	refresh := g.Refresh && g.UserID != "" && g.UsageLimit == 0
	if refresh && g.ProfileID != StaticProfile {
		which := store.FamilyFilter{ClientID: g.ClientID, ProfileID: g.ProfileID, Kind: g.Kind}
		if g.Kind == store.DefaultToken { // the others of the profile depend on it
			which.Kind = ""
		}
		if _, err := s.revokeFamilies(ctx, which); err != nil {
			return Issued{}, err
		}
	}
	now := s.Now()
	if refresh && g.ProfileID == StaticProfile {
		if err := s.endEarlier(ctx, g, now); err != nil {
			return Issued{}, err
		}
	}
	if out.FamilyID = g.FamilyID; out.FamilyID == "" && g.UserID != "" {
		out.FamilyID = s.NewID()
	}
	access := s.accessToken(ctx, g, out.FamilyID, now)
	bearer, err := s.newAccessToken(ctx, g, &access)
	if err != nil {
		return Issued{}, err
	}
	out.AccessToken = bearer
	if g.IDToken {
		if out.IDToken, err = s.idToken(ctx, g, bearer, now); err != nil {
			return Issued{}, err
		}
	}
	if refresh {
		family, out.RefreshToken = s.newFamily(g, out.FamilyID, access.ID, now)
		if err := s.Families.AddFamily(ctx, family); err != nil {
			return Issued{}, fmt.Errorf("issue refresh token: %w", err)
		}
	}
	if err := s.Access.PutAccessToken(ctx, access); err != nil {
		return Issued{}, fmt.Errorf("issue access token: %w", err)
	}
	return out, nil
}

func (s *Service) accessToken(ctx context.Context, g Grant, familyID string, now time.Time) store.AccessToken {
	t := store.AccessToken{
		ClientID: g.ClientID, Kind: g.Kind, UserID: g.UserID, ProfileID: g.ProfileID, FamilyID: familyID,
		Application: g.Application, Platform: g.Platform, Version: g.Version, Scopes: g.Scopes, Audience: g.Audience,
		SessionID: g.SessionID, UsageLimit: g.UsageLimit, AuthTime: g.AuthTime, ACR: g.ACR, AMR: g.AMR,
		IssuedAt: now.UTC().Truncate(time.Microsecond), ExpiresAt: now.Add(g.AccessLife), UserDetails: detailsOf(g.UserDetails),
	}
	t.Outlived = s.Revocations.outlived(ctx, &t)
	return t
}

// newAccessToken makes the text of an access token in the format of the grant and puts its ID into the record.
func (s *Service) newAccessToken(ctx context.Context, g Grant, t *store.AccessToken) (string, error) {
	if g.Format != settings.JWT {
		bearer := secret.NewToken()
		t.ID = s.accessID(bearer)
		return bearer, nil
	}
	t.ID = "AT." + s.NewID()
	bearer, err := s.Ring.Sign(ctx, typeAccessToken, furtherClaims{s.accessClaims(t), g.AccessClaims})
	if err != nil {
		return "", fmt.Errorf("sign access token: %w", err)
	}
	return bearer, nil
}

// accessID is the ID of an opaque access token: only its keyed hash is kept.
func (s *Service) accessID(bearer string) string {
	return hex.EncodeToString(s.Keys.MAC(secret.ForAccessToken, bearer))
}

// newFamily makes the family of a grant and its first refresh token.
func (s *Service) newFamily(g Grant, id, accessID string, now time.Time) (store.TokenFamily, string) {
	f := store.TokenFamily{
		ID: id, ClientID: g.ClientID, ProfileID: g.ProfileID, UserID: g.UserID, Kind: g.Kind, Scopes: g.Scopes,
		Nonce: secret.Bytes(32), AccessToken: accessID, RotatedAt: now, CreatedAt: now, EndsAt: end(now, g.FamilyLife),
		AuthTime: g.AuthTime, ACR: g.ACR, AMR: g.AMR, CodeHash: g.CodeHash, SessionID: g.SessionID, HookParams: g.HookParams,
	}
	f.ExpiresAt = end(now, g.RefreshLife)
	token := s.refreshTokens(f, 0)[0]
	f.CurrentHash = s.refreshHash(token)
	return f, token
}

// end is the moment after life, zero for an unlimited one.
func end(now time.Time, life time.Duration) time.Time {
	if life <= 0 {
		return time.Time{}
	}
	return now.Add(life)
}

// furtherClaims are the claims of an access token and those that a hook has added.
type furtherClaims struct {
	own   accessClaims
	added map[string]any
}

// MarshalJSON writes one object. A claim of the protocol cannot be written twice.
func (c furtherClaims) MarshalJSON() ([]byte, error) {
	own, err := json.Marshal(c.own)
	if err != nil || len(c.added) == 0 {
		return own, err
	}
	all := make(map[string]any, len(c.added)+16)
	maps.Copy(all, c.added)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(own, &members); err != nil {
		return nil, err
	}
	for name, value := range members {
		all[name] = value
	}
	return json.Marshal(all)
}

// accessClaims are the claims of a JWT access token (RFC 9068 §2.2), and those that older gateways read.
type accessClaims struct {
	Version    int      `json:"ver"`
	ID         string   `json:"jti"`
	Issuer     string   `json:"iss"`
	Audience   any      `json:"aud"` // one string, or a list
	IssuedAt   int64    `json:"iat"`
	NotBefore  int64    `json:"nbf"`
	ExpiresAt  int64    `json:"exp"`
	ClientCID  string   `json:"cid"`
	ClientID   string   `json:"client_id"`
	Scope      string   `json:"scope,omitempty"`
	Scopes     []string `json:"scp,omitempty"`
	Subject    string   `json:"sub"`
	UsageLimit int      `json:"usl"`
	AuthTime   int64    `json:"auth_time,omitempty"`
	ACR        string   `json:"acr,omitempty"`
	AMR        []string `json:"amr,omitempty"`
}

func (s *Service) accessClaims(t *store.AccessToken) accessClaims {
	c := accessClaims{
		Version: 1, ID: t.ID, Issuer: s.Issuer, Audience: s.audience(t.Audience), IssuedAt: t.IssuedAt.Unix(),
		NotBefore: t.IssuedAt.Unix(), ExpiresAt: t.ExpiresAt.Unix(), ClientCID: t.ClientID, ClientID: t.ClientID,
		Scope: strings.Join(t.Scopes, " "), Scopes: t.Scopes, Subject: t.UserID, UsageLimit: t.UsageLimit,
		ACR: t.ACR, AMR: t.AMR,
	}
	if c.Subject == "" {
		c.Subject = t.ClientID
	}
	if t.UserID != "" && !t.AuthTime.IsZero() {
		c.AuthTime = t.AuthTime.Unix()
	}
	return c
}

// detailsOf is the attributes of an account, nil when there are none.
func detailsOf(attributes []byte) []byte {
	if text := string(attributes); text == "{}" || text == "null" {
		return nil
	}
	return attributes
}

// audience is a string when there is one, the issuer when there is none.
func (s *Service) audience(list []string) any {
	switch len(list) {
	case 0:
		return s.Issuer
	case 1:
		return list[0]
	}
	return list
}
