package phone

import (
	"context"
	"fmt"
	"net/url"
)

// EnableFingerprint proves the PIN and swaps the refresh token for a pair. The second token is kept where biometrics release
// it; the first goes back under the PIN. Errors: *Error with Remaining for a wrong PIN.
func (p *Phone) EnableFingerprint(ctx context.Context, profileID, pin string) error {
	token, was, err := p.unmask(profileID, pin)
	if err != nil {
		return fmt.Errorf("enable fingerprint: %w", err)
	}
	answer, err := p.Token(ctx, url.Values{
		"grant_type": {grantFingerPrint}, "refresh_token": {token}, "profile_id": {profileID},
	})
	if err != nil {
		p.forgetIfGone(profileID, err)
		return fmt.Errorf("enable fingerprint: %w", err)
	}
	if _, err := p.keep(profileID, pin, answer, was); err != nil {
		return fmt.Errorf("enable fingerprint: %w", err)
	}
	p.SetFingerprintToken(profileID, answer.FingerPrintRefresh)
	return nil
}

// RefreshWithFingerprint refreshes with the token that biometrics released. There is one try: when it is refused, the server
// removes the fingerprint tokens of the installation, and so does the phone. The PIN stays usable.
func (p *Phone) RefreshWithFingerprint(ctx context.Context, profileID string) (*Tokens, error) {
	token, err := p.FingerprintToken(profileID)
	if err != nil {
		return nil, fmt.Errorf("refresh with fingerprint: %w", err)
	}
	answer, err := p.Token(ctx, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token_type": {"FINGER_PRINT"},
		"refresh_token": {token}, "profile_id": {profileID},
	})
	if err != nil {
		if e := Refused(err); e != nil && e.Code == "invalid_grant" {
			p.forgetFingerprints()
		}
		return nil, fmt.Errorf("refresh with fingerprint: %w", err)
	}
	tokens := p.kept(answer)
	p.change(func(s *state) {
		user := s.user(profileID)
		user.Tokens = tokens
		if answer.RefreshToken != "" && user.FingerPrint == token {
			user.FingerPrint = answer.RefreshToken
		}
	})
	return tokens, nil
}

// FingerprintToken is what the sensor releases. Error: *Error 9010, fingerprint is not enabled for the profile.
func (p *Phone) FingerprintToken(profileID string) (string, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	user := p.state.Profiles[profileID]
	if user == nil || user.FingerPrint == "" {
		return "", local("fingerprint_not_registered", NumberNotAuthenticated, "fingerprint is not enabled for the profile")
	}
	return user.FingerPrint, nil
}

// SetFingerprintToken replaces the fingerprint token; empty switches fingerprint off on this side. Tests break it on purpose.
func (p *Phone) SetFingerprintToken(profileID, token string) {
	p.change(func(s *state) { s.user(profileID).FingerPrint = token })
}

// forgetFingerprints drops the fingerprint tokens of all profiles.
func (p *Phone) forgetFingerprints() {
	p.change(func(s *state) {
		for _, user := range s.Profiles {
			user.FingerPrint = ""
		}
	})
}
