package phone

import (
	"context"
	"fmt"
	"net/url"
)

// Logout ends the running session of a profile: its access token goes, the refresh token stays, and the PIN signs in again.
func (p *Phone) Logout(ctx context.Context, profileID string) error {
	token, err := p.AccessToken(profileID)
	if err != nil {
		return fmt.Errorf("logout: %w", err)
	}
	p.change(func(s *state) { s.user(profileID).Tokens = nil })
	return p.revoke(ctx, "logout", "/v1/revoke", url.Values{"token": {token}, "token_type_hint": {"access_token"}})
}

// DropRefreshToken revokes the refresh token of a profile and the access tokens made from it. The PIN is needed to uncover it.
func (p *Phone) DropRefreshToken(ctx context.Context, profileID, pin string) error {
	token, _, err := p.unmask(profileID, pin)
	if err != nil {
		return fmt.Errorf("drop refresh token: %w", err)
	}
	err = p.revoke(ctx, "drop refresh token", "/v1/revoke", url.Values{
		"token": {token}, "token_type_hint": {"refresh_token"}, "profile_id": {profileID},
	})
	if err == nil {
		p.change(func(s *state) { s.user(profileID).Tokens, s.user(profileID).Masked = nil, nil })
	}
	return err
}

// RemoveProfile deregisters a user, who need not be signed in: tokens, authenticators, enrollment and the profile itself.
// The local data goes even when the call fails.
func (p *Phone) RemoveProfile(ctx context.Context, profileID string) error {
	p.change(func(s *state) { delete(s.Profiles, profileID) })
	return p.revoke(ctx, "remove profile", "/v1/revoke/profile", url.Values{"profile_id": {profileID}})
}

// EndSessions revokes all tokens of a profile; the profile stays known and enrolled.
func (p *Phone) EndSessions(ctx context.Context, profileID string) error {
	p.change(func(s *state) {
		if user := s.Profiles[profileID]; user != nil {
			user.Tokens, user.Masked, user.FingerPrint = nil, nil, ""
		}
	})
	return p.revoke(ctx, "end sessions", "/v1/revoke/profile/tokens", url.Values{"profile_id": {profileID}})
}

// DisableFingerprint revokes the fingerprint token of one profile.
func (p *Phone) DisableFingerprint(ctx context.Context, profileID string) error {
	p.change(func(s *state) {
		if user := s.Profiles[profileID]; user != nil {
			user.FingerPrint = ""
		}
	})
	return p.revoke(ctx, "disable fingerprint", "/v1/revoke/profile/tokens",
		url.Values{"profile_id": {profileID}, "token_type": {"FINGER_PRINT"}})
}

// DisableAllFingerprints revokes the fingerprint tokens of all profiles.
func (p *Phone) DisableAllFingerprints(ctx context.Context) error {
	p.forgetFingerprints()
	return p.revoke(ctx, "disable all fingerprints", "/v1/revoke/client", url.Values{"token_type": {"FINGER_PRINT"}})
}

// Disconnect revokes every token and grant of the installation. The registration stays; the local users go, even when the call
// fails.
func (p *Phone) Disconnect(ctx context.Context) error {
	err := p.revoke(ctx, "disconnect", "/v1/revoke/client", url.Values{})
	p.change(func(s *state) { s.Profiles, s.ClientToken = make(map[string]*profile), nil })
	return err
}

// Forget wipes registration and users on the phone without telling the server, as removing the app does.
func (p *Phone) Forget() { p.change((*state).wipe) }

// revoke sends one of the revocations; all answer 200 with an empty body and may be repeated.
func (p *Phone) revoke(ctx context.Context, action, path string, form url.Values) error {
	if _, err := p.issuer(ctx); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	if err := p.call(ctx, familyToken, Request{Path: path, Form: form, ClientAuth: true}, nil); err != nil {
		return fmt.Errorf("%s: %w", action, err)
	}
	return nil
}
