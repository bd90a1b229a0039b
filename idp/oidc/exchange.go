package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// Tokens are what a provider gave for a code.
type Tokens struct {
	Access string
	ID     string // "" = none
}

// longestToken is how long a token of a provider may be, in bytes.
const longestToken = 16 << 10

// Exchange redeems a code (RFC 6749 §4.1.3). Errors: *Refusal; others are faults of ours.
func (c *Client) Exchange(ctx context.Context, p Provider, m Metadata, code, verifier, redirectURI string) (Tokens, error) {
	form := url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {verifier},
	}
	if err := c.prove(p, m, form); err != nil {
		return Tokens{}, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Token, strings.NewReader(form.Encode()))
	if err != nil {
		return Tokens{}, refuseBecause("token address is no URL", err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.Authentication == SecretBasic {
		request.SetBasicAuth(url.QueryEscape(p.ClientID), url.QueryEscape(p.Secret)) // RFC 6749 §2.3.1
	}
	members, status, err := c.call(request)
	if err != nil {
		return Tokens{}, fmt.Errorf("redeem code: %w", err)
	}
	return tokensOf(members, status, p.OpenID())
}

// prove adds the client authentication that travels in the form.
func (c *Client) prove(p Provider, m Metadata, form url.Values) error {
	switch p.Authentication {
	case SecretBasic:
	case SecretPost:
		form.Set("client_id", p.ClientID)
		form.Set("client_secret", p.Secret)
	case PrivateKeyJWT:
		assertion, err := c.assertion(p, m)
		if err != nil {
			return err
		}
		form.Set("client_id", p.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	default:
		return refuse("client authentication not configured")
	}
	return nil
}

// tokensOf reads the answer of a token endpoint (RFC 6749 §5). Some servers answer 200 and an error.
func tokensOf(members map[string]any, status int, openID bool) (Tokens, error) {
	code := Code(text(members, "error"))
	if status != http.StatusOK || code != "" {
		return Tokens{}, &Refusal{Reason: "code refused", Status: status, Code: code}
	}
	t := Tokens{Access: text(members, "access_token"), ID: text(members, "id_token")}
	kind, given := members["token_type"]
	word, _ := kind.(string)
	switch {
	case t.Access == "":
		return Tokens{}, &Refusal{Reason: "no access token", Status: status}
	case !bearer(t.Access):
		return Tokens{}, &Refusal{Reason: "access token malformed", Status: status}
	case given && !strings.EqualFold(word, "Bearer"):
		return Tokens{}, &Refusal{Reason: "access token is no bearer token", Status: status}
	case openID && t.ID == "":
		return Tokens{}, &Refusal{Reason: "no ID token", Status: status}
	case len(t.ID) > longestToken:
		return Tokens{}, &Refusal{Reason: "ID token too long", Status: status}
	}
	return t, nil
}

// bearer tells whether a token can travel in a header: VSCHAR without blanks (RFC 6750 §2.1 is narrower than servers are).
func bearer(token string) bool {
	return len(token) <= longestToken && !strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' })
}
