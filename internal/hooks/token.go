package hooks

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"tokenserver/internal/settings"
	"tokenserver/internal/strictjson"
)

const tokenPath = "/v1/customize-access-token"

// TokenQuestion is what a hook is told about a token that is about to be made.
type TokenQuestion struct {
	UserID   string // "" = a client's own token
	ClientID string
	Scopes   []string
	Claims   map[string]any      // what is known about the user; may be nil
	Params   map[string][]string // hook_context_custom_param.*; may be nil
}

// TokenAnswer is what is left of the scopes, in their order, and what the hook adds to a JWT access token. No scope left
// means that there must be no token.
type TokenAnswer struct {
	Scopes  []string
	Removed []string
	Claims  map[string]any // none that the protocol gives a meaning
}

type subject struct {
	ID string `json:"id"`
}

type tokenBody struct {
	User   *subject            `json:"user,omitempty"`
	Client subject             `json:"client"`
	Scopes []string            `json:"scopes"`
	Claims map[string]any      `json:"userClaims,omitempty"`
	Params map[string][]string `json:"contextCustomParams,omitempty"`
}

// CustomizeToken asks the hook of a client about a token. hook nil, or a failure that is passed over, changes nothing.
// Errors: Failure.
func (s *Service) CustomizeToken(ctx context.Context, hook *settings.WebHook, q TokenQuestion) (TokenAnswer, error) {
	unchanged := TokenAnswer{Scopes: q.Scopes}
	if hook == nil {
		return unchanged, nil
	}
	body := tokenBody{Client: subject{q.ClientID}, Scopes: notNil(q.Scopes), Claims: q.Claims, Params: q.Params}
	if q.UserID != "" {
		body.User = &subject{q.UserID}
	}
	var answer TokenAnswer
	answered, err := s.ask(ctx, hook, tokenPath, body, func(text []byte) (err error) {
		answer, err = readTokenAnswer(text, q.Scopes)
		return err
	})
	if err != nil {
		return TokenAnswer{}, err
	}
	if !answered {
		return unchanged, nil
	}
	return answer, nil
}

// readTokenAnswer reads removeScopes and additionalClaims; both may be missing or null.
func readTokenAnswer(text []byte, scopes []string) (TokenAnswer, error) {
	members, err := strictjson.Object(text)
	if err != nil {
		return TokenAnswer{}, err
	}
	var remove []string
	if raw, given := members["removeScopes"]; given {
		if err := json.Unmarshal(raw, &remove); err != nil {
			return TokenAnswer{}, fmt.Errorf("removeScopes: %w", err)
		}
	}
	claims, err := claimsIn(members, "additionalClaims")
	if err != nil {
		return TokenAnswer{}, err
	}
	a := TokenAnswer{Claims: claims}
	for _, scope := range scopes {
		if slices.Contains(remove, scope) {
			a.Removed = append(a.Removed, scope)
		} else {
			a.Scopes = append(a.Scopes, scope)
		}
	}
	for name := range a.Claims {
		if tokenClaim(name) {
			delete(a.Claims, name)
		}
	}
	return a, nil
}

// claimsIn reads a member that is an object of claims. Claims that are null are left out.
func claimsIn(members map[string]json.RawMessage, name string) (map[string]any, error) {
	raw, given := members[name]
	if !given || string(raw) == "null" {
		return nil, nil
	}
	values, err := strictjson.Object(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	claims := make(map[string]any, len(values))
	for claim, raw := range values {
		if claim == "" {
			return nil, errors.New(name + ": a claim without a name")
		}
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber() // as it was written
		var value any
		if err := d.Decode(&value); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if value != nil {
			claims[claim] = value
		}
	}
	return claims, nil
}

// productClaims is the prefix of claims that the product gives a meaning.
const productClaims = "urn:onegini.com:oidc:"

// tokenClaim tells whether the protocol, or the product, gives a claim of an access token its meaning: a hook cannot set
// it (RFC 7519 §4.1, RFC 8693 §4, RFC 8705 §3.1, RFC 9068 §2.2).
func tokenClaim(name string) bool {
	switch name {
	case "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "ver", "cid", "client_id", "scope", "scp", "usl", "auth_time", "acr", "amr",
		"azp", "nonce", "sid", "cnf", "act", "may_act", "at_hash", "c_hash", "token_type", "active", "typ", "verified_claims",
		"group_permissions", "profile_id", "username":
		return true
	}
	return strings.HasPrefix(name, productClaims)
}

func notNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}
