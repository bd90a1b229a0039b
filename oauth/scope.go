package oauth

import (
	"errors"
	"slices"
	"strings"

	"tokenserver/internal/clientauth"
)

// The scopes that mean something to the server itself (OpenID Connect Core §5.4, §11).
const (
	scopeOpenID  = "openid"
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopePhone   = "phone"
	scopeAddress = "address"
	scopeOffline = "offline_access"
)

const maxScope = 2 << 10 // bytes of the parameter

// The ways in which a scope parameter cannot be resolved.
var (
	errScopeMalformed = errors.New("malformed scope")
	errScopeForbidden = errors.New("scope not allowed for the client")
	errScopeNone      = errors.New("no scope asked and none by default")
)

// resolveScopes turns the parameter "scope" into the scopes of a grant: none asked means the client's defaults, one that
// the client may not have fails the whole request. Every application may have openid, and has it by default.
func resolveScopes(c clientauth.Client, parameter string) ([]string, error) {
	defaults, allowed := clientScopes(c)
	asked, err := splitScopes(parameter)
	if err != nil {
		return nil, err
	}
	if len(asked) == 0 {
		asked = defaults
	}
	if len(asked) == 0 {
		return nil, errScopeNone
	}
	for _, scope := range asked {
		if !slices.Contains(allowed, scope) {
			return nil, errScopeForbidden
		}
	}
	return asked, nil
}

// splitScopes splits on single blanks, drops repetitions and offline_access: whether a refresh token is issued is the
// client's setting.
func splitScopes(parameter string) ([]string, error) {
	if parameter == "" {
		return nil, nil
	}
	if len(parameter) > maxScope {
		return nil, errScopeMalformed
	}
	var scopes []string
	for _, scope := range strings.Split(parameter, " ") {
		if !scopeToken(scope) {
			return nil, errScopeMalformed
		}
		if scope != scopeOffline && !slices.Contains(scopes, scope) {
			scopes = append(scopes, scope)
		}
	}
	return scopes, nil
}

// scopeToken: RFC 6749 §3.3.
func scopeToken(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return s != ""
}

// clientScopes returns what a client gets by default, and all that it may get.
func clientScopes(c clientauth.Client) (defaults, allowed []string) {
	switch {
	case c.Web != nil:
		return c.Web.DefaultScopes, slices.Concat(c.Web.DefaultScopes, c.Web.AdditionalScopes)
	case c.Application != nil:
		defaults = c.Application.DefaultScopes
		if !slices.Contains(defaults, scopeOpenID) {
			defaults = slices.Concat([]string{scopeOpenID}, defaults)
		}
		return defaults, slices.Concat(defaults, c.Application.AdditionalScopes)
	}
	return nil, nil
}
