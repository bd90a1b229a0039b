package oidc

import (
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Ask is what one authorization request wants of a provider.
type Ask struct {
	RedirectURI string
	State       string
	Verifier    string // of PKCE, 43 characters; only its hash is sent
	Nonce       string // OpenID alone
	Prompt      []string
	MaxAge      int // seconds; -1 = any
	ACRValues   string
	LoginHint   string
	Language    string // BCP 47
}

// AuthorizationURL returns where the browser goes: code flow with PKCE S256 (RFC 7636), and a nonce at OpenID providers.
func AuthorizationURL(p Provider, m Metadata, ask Ask) string {
	challenge := sha256.Sum256([]byte(ask.Verifier))
	values := url.Values{
		"response_type": {"code"}, "client_id": {p.ClientID}, "redirect_uri": {ask.RedirectURI}, "state": {ask.State},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	scopes := p.Scopes
	if p.OpenID() {
		values.Set("nonce", ask.Nonce)
		if !slices.Contains(scopes, "openid") {
			scopes = append([]string{"openid"}, scopes...)
		}
	}
	maxAge := ""
	if ask.MaxAge >= 0 {
		maxAge = strconv.Itoa(ask.MaxAge)
	}
	for name, value := range map[string]string{
		"scope": strings.Join(scopes, " "), "prompt": strings.Join(ask.Prompt, " "), "max_age": maxAge,
		"acr_values": ask.ACRValues, "login_hint": ask.LoginHint, "ui_locales": ask.Language,
	} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return withQuery(m.Authorization, values)
}

// LogoutURL returns where the browser goes to end its session at the provider (RP-Initiated Logout 1.0 §2); "" when the
// provider has no such endpoint.
func LogoutURL(p Provider, m Metadata, idToken, returnTo, state string) string {
	if m.EndSession == "" {
		return ""
	}
	values := url.Values{"client_id": {p.ClientID}}
	for name, value := range map[string]string{"id_token_hint": idToken, "post_logout_redirect_uri": returnTo, "state": state} {
		if value != "" {
			values.Set(name, value)
		}
	}
	return withQuery(m.EndSession, values)
}

// withQuery adds parameters to an address that may have some already (RFC 6749 §3.1).
func withQuery(address string, values url.Values) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
	}
	return address + separator + values.Encode()
}
