package phone

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Authorization is one authorization request on its way through the browser.
type Authorization struct {
	URL          string // to be opened
	RedirectURI  string
	State        string
	Nonce        string // only with scope openid
	CodeVerifier string // RFC 7636
}

// SignIn lets the user sign in and consent in the browser, exchanges the code, sets the PIN and stores the refresh token under
// it. The profile id names the user on this installation: 6 letters or digits, chosen by the app (NewProfileID).
// Errors: *Error 9011 to 9014 for the PIN, 9006 when the user refused, the word of the redirect or of the token endpoint otherwise.
func (p *Phone) SignIn(ctx context.Context, profileID, pin string, scopes []string, browser Browser) (*Tokens, error) {
	if err := CheckPIN(p.Configuration().PINPolicy, pin); err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	authorization, err := p.Authorize(ctx, scopes, nil)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	redirect, err := browser.Open(ctx, authorization.URL, authorization.RedirectURI)
	if err != nil {
		return nil, fmt.Errorf("sign in: browser: %w", err)
	}
	code, err := p.CodeFrom(ctx, authorization, redirect)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	answer, err := p.Token(ctx, authorization.exchange(code, profileID))
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	if authorization.Nonce != "" {
		if err := p.checkIDToken(ctx, answer.IDToken, authorization.Nonce); err != nil {
			return nil, fmt.Errorf("sign in: %w", err)
		}
	}
	tokens, err := p.keep(profileID, pin, answer, nil)
	if err != nil {
		return nil, fmt.Errorf("sign in: %w", err)
	}
	return tokens, nil
}

// Authorize makes an authorization request with PKCE S256 and a fresh state. extra parameters are added last (prompt, idp).
func (p *Phone) Authorize(ctx context.Context, scopes []string, extra url.Values) (*Authorization, error) {
	if _, err := p.issuer(ctx); err != nil {
		return nil, err
	}
	s := p.snapshot()
	if err := s.registered(); err != nil {
		return nil, err
	}
	a := &Authorization{RedirectURI: s.App.RedirectURL, State: randomText(24), CodeVerifier: randomText(32)}
	sum := sha256.Sum256([]byte(a.CodeVerifier))
	query := url.Values{
		"response_type": {"code"}, "client_id": {s.ClientID}, "redirect_uri": {a.RedirectURI}, "state": {a.State},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
	if len(scopes) > 0 {
		query.Set("scope", strings.Join(scopes, " "))
	}
	if slices.Contains(scopes, "openid") {
		a.Nonce = randomText(24)
		query.Set("nonce", a.Nonce)
	}
	for name, values := range extra {
		query[name] = values
	}
	a.URL = s.App.BaseURL + "/v1/authorize?" + query.Encode()
	return a, nil
}

// CodeFrom reads the redirect back into the app. It checks state and issuer (RFC 9207) before anything else, because another
// app or page may have sent it.
func (p *Phone) CodeFrom(ctx context.Context, a *Authorization, redirect string) (string, error) {
	issuer, err := p.issuer(ctx)
	if err != nil {
		return "", err
	}
	back, err := url.Parse(redirect)
	if err != nil || !strings.HasPrefix(redirect, a.RedirectURI) {
		return "", local("invalid_redirect", 0, "the browser came back to another address")
	}
	query := back.Query()
	if subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(a.State)) != 1 {
		return "", local("invalid_redirect", 0, "the redirect carries another state")
	}
	if iss := query.Get("iss"); iss != issuer && (iss != "" || p.snapshot().IssInRedirect) {
		return "", local("invalid_redirect", 0, "the redirect comes from another issuer")
	}
	if code := query.Get("error"); code != "" {
		e := &Error{Code: code, Description: query.Get("error_description")}
		e.SDKNumber = sdkNumber(familyToken, e)
		return "", e
	}
	if query.Get("code") == "" {
		return "", local("invalid_redirect", 0, "the redirect carries no code")
	}
	return query.Get("code"), nil
}

// Exchange redeems a code for a profile and returns the raw answer, refresh token included; nothing is kept. For tests.
func (p *Phone) Exchange(ctx context.Context, a *Authorization, code, profileID string) (*TokenAnswer, error) {
	return p.Token(ctx, a.exchange(code, profileID))
}

// exchange is the form that redeems the code.
func (a *Authorization) exchange(code, profileID string) url.Values {
	return url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {a.RedirectURI},
		"code_verifier": {a.CodeVerifier}, "profile_id": {profileID},
	}
}
