package phone

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Tokens is what a phone keeps of a token answer in the clear. The refresh token is not part of it: it goes under the PIN mask.
type Tokens struct {
	AccessToken string    `json:"access_token"`
	TokenType   string    `json:"token_type"`
	ExpiresAt   time.Time `json:"expires_at"` // by the clock of the phone
	IDToken     string    `json:"id_token,omitempty"`
	Scope       string    `json:"scope,omitempty"` // separated by blanks
	ProfileID   string    `json:"profile_id,omitempty"`
}

// TokenAnswer is the success body of the token endpoint (RFC 6749 §5.1 and additions).
type TokenAnswer struct {
	AccessToken        string `json:"access_token"`
	TokenType          string `json:"token_type"`
	ExpiresIn          int64  `json:"expires_in"` // seconds
	RefreshToken       string `json:"refresh_token"`
	IDToken            string `json:"id_token"`
	Scope              string `json:"scope"`
	ProfileID          string `json:"profile_id"`
	FingerPrintRefresh string `json:"finger_print_refresh_token"`
}

// grantFingerPrint swaps a DEFAULT refresh token for a pair, one of them for the fingerprint.
const grantFingerPrint = "urn:onewelcome:oauth2:grant_type:finger_print"

// Token sends any form to the token endpoint with the authentication of the installation. It keeps nothing; it is for tests
// and for grants without a method of their own.
func (p *Phone) Token(ctx context.Context, form url.Values) (*TokenAnswer, error) {
	if _, err := p.issuer(ctx); err != nil {
		return nil, err
	}
	var answer TokenAnswer
	if err := p.call(ctx, familyToken, Request{Path: "/v1/token", Form: form, ClientAuth: true}, &answer); err != nil {
		return nil, err
	}
	return &answer, nil
}

// kept turns an answer into what the phone keeps.
func (p *Phone) kept(a *TokenAnswer) *Tokens {
	return &Tokens{
		AccessToken: a.AccessToken, TokenType: a.TokenType, IDToken: a.IDToken, Scope: a.Scope, ProfileID: a.ProfileID,
		ExpiresAt: p.options.Now().Add(time.Duration(a.ExpiresIn) * time.Second),
	}
}

// Unmask returns the refresh token that the PIN uncovers: the right one for the right PIN, another of the same shape for any
// other. Error: *Error 9010, the profile has none. It is exported for tests; an SDK keeps it to itself.
func (p *Phone) Unmask(profileID, pin string) (string, error) {
	token, _, err := p.unmask(profileID, pin)
	return token, err
}

// unmask also returns what it read, so that the successor replaces exactly that.
func (p *Phone) unmask(profileID, pin string) (string, *Masked, error) {
	p.mu.Lock()
	user, hardware := p.state.Profiles[profileID], p.state.hardware()
	var masked *Masked
	if user != nil {
		masked = user.Masked
	}
	p.mu.Unlock()
	if masked == nil {
		return "", nil, local("not_authenticated", NumberNotAuthenticated, "the profile has no refresh token")
	}
	token, err := masked.Unmask(pin, hardware)
	return token, masked, err
}

// keep stores the tokens of an answer: the refresh token under the PIN, with a new salt. was is the masked token that was
// spent; when another request of this phone has replaced it meanwhile, its successor is newer and stays.
func (p *Phone) keep(profileID, pin string, answer *TokenAnswer, was *Masked) (*Tokens, error) {
	tokens := p.kept(answer)
	var masked *Masked
	if answer.RefreshToken != "" {
		var err error
		if masked, err = MaskToken(answer.RefreshToken, pin, p.snapshot().hardware()); err != nil {
			return nil, err
		}
	}
	p.change(func(s *state) {
		user := s.user(profileID)
		user.Tokens = tokens
		if masked != nil && (was == nil || user.Masked == was) {
			user.Masked = masked
		}
	})
	return tokens, nil
}

// Refresh uncovers the refresh token with the PIN, exchanges it and masks the successor under the same PIN. A wrong PIN is an
// *Error with Remaining; at zero the server has removed the user, and so does the phone (9003). A call whose answer was lost may
// be repeated: until a successor is used, the server gives the same one again.
func (p *Phone) Refresh(ctx context.Context, profileID, pin string) (*Tokens, error) {
	return p.refreshInto(ctx, profileID, pin, pin)
}

// ChangePIN proves the old PIN with a refresh and masks the successor under the new one. The new PIN must satisfy the policy.
func (p *Phone) ChangePIN(ctx context.Context, profileID, oldPIN, newPIN string) error {
	if err := CheckPIN(p.Configuration().PINPolicy, newPIN); err != nil {
		return fmt.Errorf("change pin: %w", err)
	}
	if _, err := p.refreshInto(ctx, profileID, oldPIN, newPIN); err != nil {
		return fmt.Errorf("change pin: %w", err)
	}
	return nil
}

// refreshInto refreshes with one PIN and stores under another.
func (p *Phone) refreshInto(ctx context.Context, profileID, pin, nextPIN string) (*Tokens, error) {
	token, was, err := p.unmask(profileID, pin)
	if err != nil {
		return nil, fmt.Errorf("refresh: %w", err)
	}
	answer, err := p.Token(ctx, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {token}, "profile_id": {profileID},
	})
	if err != nil {
		p.forgetIfGone(profileID, err)
		return nil, fmt.Errorf("refresh: %w", err)
	}
	tokens, err := p.keep(profileID, nextPIN, answer, was)
	if err != nil {
		return nil, fmt.Errorf("refresh: %w", err)
	}
	return tokens, nil
}

// forgetIfGone removes the local profile when the refusal says that the server has removed it.
func (p *Phone) forgetIfGone(profileID string, err error) {
	if e := Refused(err); e != nil && e.gone() {
		p.change(func(s *state) { delete(s.Profiles, profileID) })
	}
}

// ClientToken gets an access token of the installation itself (client credentials), for calls without a user.
func (p *Phone) ClientToken(ctx context.Context, scopes ...string) (*Tokens, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	answer, err := p.Token(ctx, form)
	if err != nil {
		return nil, fmt.Errorf("client token: %w", err)
	}
	return p.kept(answer), nil
}

// asClient sends a request with a client token, got on demand and kept while it lasts. A token that the server does not know
// any more is replaced once.
func (p *Phone) asClient(ctx context.Context, family string, r Request, out any) error {
	token := p.snapshot().ClientToken
	fresh := false
	for {
		if token == nil || !p.options.Now().Before(token.ExpiresAt) {
			next, err := p.ClientToken(ctx)
			if err != nil {
				return err
			}
			token, fresh = next, true
			p.change(func(s *state) { s.ClientToken = next })
		}
		r.Bearer = token.AccessToken
		err := p.call(ctx, family, r, out)
		if e := Refused(err); e == nil || e.Status != http.StatusUnauthorized || fresh {
			return err
		}
		token = nil
	}
}
