package hooks

import (
	"context"
	"errors"
	"maps"
	"strings"

	"tokenserver/internal/settings"
	"tokenserver/internal/strictjson"
)

const userPath = "/v1/customize-user-details"

// UserQuestion is what a hook is told about a person of whom an ID token or userinfo is about to speak.
type UserQuestion struct {
	UserID string
	Scopes []string
	Claims map[string]any
	Params map[string][]string // hook_context_custom_param.*; may be nil
}

type userBody struct {
	User   subject             `json:"user"`
	Scopes []string            `json:"scopes"`
	Claims map[string]any      `json:"claims"`
	Params map[string][]string `json:"contextCustomParams,omitempty"`
}

// CustomizeUser asks the hook of a client about the claims of a person and returns those that hold: what the hook says
// replaces them, but for those that the protocol or the product gives a meaning, which stay as they were. hook nil, or a
// failure that is passed over, changes nothing. Errors: Failure.
func (s *Service) CustomizeUser(ctx context.Context, hook *settings.WebHook, q UserQuestion) (map[string]any, error) {
	if hook == nil {
		return q.Claims, nil
	}
	claims := q.Claims
	if claims == nil {
		claims = map[string]any{}
	}
	body := userBody{User: subject{q.UserID}, Scopes: notNil(q.Scopes), Claims: claims, Params: q.Params}
	var said map[string]any
	answered, err := s.ask(ctx, hook, userPath, body, func(text []byte) error {
		members, err := strictjson.Object(text)
		if err != nil {
			return err
		}
		if said, err = claimsIn(members, "claims"); err == nil && said == nil {
			err = errors.New("claims: missing") // an empty answer must not pass for "nothing is known"
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if !answered {
		return q.Claims, nil
	}
	maps.DeleteFunc(said, func(name string, _ any) bool { return userClaim(name) })
	for name, value := range q.Claims {
		if userClaim(name) {
			said[name] = value
		}
	}
	return said, nil
}

// userClaim tells whether a claim about a person is none that a hook may change (OpenID Connect Core §2).
func userClaim(name string) bool {
	switch name {
	case "iss", "aud", "sub", "exp", "iat", "nbf", "jti", "nonce", "auth_time", "acr", "amr", "azp", "sid", "at_hash", "c_hash",
		"verified_claims", "group_permissions":
		return true
	}
	return strings.HasPrefix(name, productClaims)
}
