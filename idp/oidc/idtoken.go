package oidc

import (
	"context"
	"crypto"
	_ "crypto/sha256" // the hashes behind at_hash
	_ "crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// keySets has the keys that providers publish; see remotejwks.Sets.
type keySets interface {
	// Candidates returns the keys that may have made a signature: those of that key id, or several when it is "".
	Candidates(ctx context.Context, uri, kid, alg string) ([]jose.JSONWebKey, error)
}

// skew is how far the clock of a provider may differ from ours.
const skew = time.Minute

const longestSubject = 255 // characters (OpenID Connect Core §2)

// Expected is what an ID token must say.
type Expected struct {
	Nonce       string
	AccessToken string    // that came with it
	MaxAge      int       // seconds; -1 = any
	NotBefore   time.Time // the user must have proved herself since; zero = whenever
}

// Claims are what a verified ID token says.
type Claims struct {
	Subject  string
	ACR      string
	AMR      []string
	AuthTime time.Time // zero = not said
	Session  string    // sid, "" = not said
	All      map[string]any
}

// methods are the signature algorithms that are believed: never none, never HMAC, where a public key could be the secret.
func methods() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"}
}

// IDToken verifies an ID token (OpenID Connect Core §3.1.3.7). Errors: *Refusal.
func (c *Client) IDToken(ctx context.Context, p Provider, m Metadata, compact string, want Expected) (Claims, error) {
	if len(compact) > longestToken || strings.ContainsAny(compact, "\r\n") { // the decoder would skip line ends
		return Claims{}, refuse("ID token malformed")
	}
	parser := jwt.NewParser(jwt.WithValidMethods(methods()), jwt.WithoutClaimsValidation(), jwt.WithStrictDecoding(), jwt.WithJSONNumber())
	members := jwt.MapClaims{}
	token, err := parser.ParseWithClaims(compact, members, func(t *jwt.Token) (any, error) {
		if _, critical := t.Header["crit"]; critical {
			return nil, errors.New("critical header member")
		}
		id, _ := t.Header["kid"].(string)
		return c.verificationKeys(ctx, m.KeySet, id, t.Method.Alg())
	})
	if err != nil {
		return Claims{}, badToken(err)
	}
	if reason := c.judge(p, m, members, want); reason != "" {
		return Claims{}, refuse(reason)
	}
	if !rightHash(members, "at_hash", token.Method.Alg(), want.AccessToken) {
		return Claims{}, refuse("ID token of another access token")
	}
	return claimsOf(members), nil
}

// verificationKeys are the published keys that may have made the signature. Keys inside the token are never used.
func (c *Client) verificationKeys(ctx context.Context, uri, id, algorithm string) (any, error) {
	candidates, err := c.Keys.Candidates(ctx, uri, id, algorithm)
	if err != nil {
		return nil, refuseBecause("no keys", err)
	}
	if len(candidates) == 0 {
		return nil, refuse("unknown key")
	}
	set := jwt.VerificationKeySet{}
	for _, key := range candidates {
		set.Keys = append(set.Keys, key.Key)
	}
	return set, nil
}

// badToken names what is wrong with form, algorithm, key or signature.
func badToken(err error) error {
	var refusal *Refusal
	switch {
	case errors.As(err, &refusal):
		return refusal
	case errors.Is(err, jwt.ErrTokenMalformed):
		return refuseBecause("ID token malformed", err)
	case errors.Is(err, jwt.ErrTokenUnverifiable):
		return refuseBecause("ID token unverifiable", err)
	}
	return refuseBecause("ID token signature", err)
}

// judge checks the claims; it returns what is wrong, "" = nothing.
func (c *Client) judge(p Provider, m Metadata, members map[string]any, want Expected) string {
	now := c.Now()
	audience, authorized := list(members["aud"]), text(members, "azp")
	_, namesParty := members["azp"]
	expires, hasEnd := moment(members["exp"])
	issued, hasBegin := moment(members["iat"])
	notBefore, hasNotBefore := moment(members["nbf"])
	subject := text(members, "sub")
	switch {
	case text(members, "iss") != m.Issuer:
		return "ID token of another issuer"
	case !slices.Contains(audience, p.ClientID):
		return "ID token for another audience"
	case len(audience) > 1 && authorized != p.ClientID, namesParty && authorized != p.ClientID:
		return "ID token for another party"
	case !hasEnd || !now.Before(expires.Add(skew)):
		return "ID token expired"
	case !hasBegin || issued.After(now.Add(skew)), hasNotBefore && notBefore.After(now.Add(skew)):
		return "ID token of the future"
	case subtle.ConstantTimeCompare([]byte(text(members, "nonce")), []byte(want.Nonce)) != 1:
		return "ID token with another nonce"
	case subject == "" || len(subject) > longestSubject:
		return "ID token without subject"
	}
	return recent(members, want, now)
}

// recent checks that the user proved itself recently enough, when that was asked for.
func recent(members map[string]any, want Expected, now time.Time) string {
	at, said := moment(members["auth_time"])
	switch {
	case want.MaxAge < 0 && want.NotBefore.IsZero():
		return ""
	case !said:
		return "ID token without auth_time"
	case at.After(now.Add(skew)), at.Add(skew).Before(want.NotBefore),
		want.MaxAge >= 0 && now.After(at.Add(time.Duration(want.MaxAge)*time.Second+skew)):
		return "authentication too old"
	}
	return ""
}

// rightHash compares a hash claim with the left half of the hash of what it stands for; an absent claim is right.
func rightHash(members map[string]any, name, algorithm, of string) bool {
	claim, given := members[name]
	if !given {
		return true
	}
	hash := map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}[algorithm[2:]]
	h := hash.New()
	_, _ = h.Write([]byte(of)) // a hash never fails
	sum := h.Sum(nil)
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	got, _ := claim.(string)
	return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

func claimsOf(members map[string]any) Claims {
	at, _ := moment(members["auth_time"])
	return Claims{
		Subject: text(members, "sub"), ACR: text(members, "acr"), AMR: list(members["amr"]), AuthTime: at,
		Session: text(members, "sid"), All: members,
	}
}

// list reads a claim that is a string or a list of strings; anything else among them counts as nothing at all.
func list(claim any) []string {
	switch claim := claim.(type) {
	case string:
		return []string{claim}
	case []any:
		texts := make([]string, 0, len(claim))
		for _, one := range claim {
			s, ok := one.(string)
			if !ok {
				return nil
			}
			texts = append(texts, s)
		}
		return texts
	}
	return nil
}

// moment reads a NumericDate (RFC 7519 §2).
func moment(claim any) (at time.Time, ok bool) {
	number, ok := claim.(json.Number)
	if !ok {
		return time.Time{}, false
	}
	seconds, err := number.Float64()
	if err != nil || math.IsNaN(seconds) || seconds <= 0 || seconds >= 1<<40 {
		return time.Time{}, false
	}
	return time.UnixMilli(int64(seconds * 1000)).UTC(), true
}
