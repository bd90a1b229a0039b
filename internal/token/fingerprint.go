package token

import (
	"context"
	"errors"
	"fmt"

	"tokenserver/store"
)

// CheckExchange is CheckRefresh for a token that is to be exchanged, in the transaction of ctx. A right token of another
// kind of the same profile is known, so it is no guess: Result is PINNoToken then, Other names the kind, and the raise
// is taken back.
func (s *Service) CheckExchange(ctx context.Context, clientID, profileID, presented string, limit int) (PINCheck, error) {
	check, err := s.checkPIN(ctx, clientID, profileID, presented, limit)
	guessed := check.Result == PINWrong || check.Result == PINLimit && check.presented != ""
	if err != nil || !guessed {
		return check, err
	}
	other, err := s.fingerprintFamily(ctx, clientID, profileID, presented)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return check, nil
	case err == nil:
		err = s.Profiles.LowerPINFailures(ctx, clientID, profileID)
	}
	if err != nil {
		return PINCheck{}, fmt.Errorf("check exchanged token: %w", err)
	}
	check.Result, check.Other, check.Used = PINNoToken, other.Kind, check.before
	if limit > 0 {
		check.Remaining = limit - check.Used
	}
	return check, nil
}

// ExchangeFingerprint rotates a DEFAULT refresh token of an installation, as Rotate does, and makes a FINGER_PRINT one
// beside it, in the transaction of a check that found the first one right. A profile has one at most: a former one ends,
// unless this is a repeat and nobody has used what the first answer brought. It inherits scopes, sign-in and the end of
// the registration. Errors: as Rotate.
func (s *Service) ExchangeFingerprint(ctx context.Context, check PINCheck, g Grant) (Issued, error) {
	out, err := s.Rotate(ctx, check, g, true)
	if err != nil {
		return Issued{}, err
	}
	if check.Repeat {
		if out.FingerprintToken, err = s.unusedFingerprint(ctx, check.Family); err != nil {
			return Issued{}, err
		}
		if out.FingerprintToken != "" {
			return out, nil
		}
	}
	f := check.Family
	which := store.FamilyFilter{ClientID: f.ClientID, ProfileID: f.ProfileID, Kind: store.FingerprintToken}
	if _, err := s.revokeFamilies(ctx, which); err != nil {
		return Issued{}, err
	}
	now := s.Now()
	finger, text := s.newFamily(Grant{
		ClientID: f.ClientID, ProfileID: f.ProfileID, UserID: f.UserID, Kind: store.FingerprintToken, Scopes: f.Scopes,
		AuthTime: f.AuthTime, ACR: f.ACR, AMR: f.AMR, SessionID: f.SessionID, HookParams: f.HookParams, RefreshLife: g.RefreshLife,
	}, s.NewID(), "", now)
	finger.EndsAt, finger.CodeHash = f.EndsAt, f.CodeHash
	if err := s.Families.AddFamily(ctx, finger); err != nil {
		return Issued{}, fmt.Errorf("issue fingerprint token: %w", err)
	}
	out.FingerprintToken = text
	return out, nil
}

// unusedFingerprint returns the fingerprint token of an exchange whose answer was lost: made by the rotation that is
// being repeated, and not used since. "" = there is none.
func (s *Service) unusedFingerprint(ctx context.Context, rotated store.TokenFamily) (string, error) {
	f, err := s.Search.FamilyOfProfile(ctx, rotated.ClientID, rotated.ProfileID, store.FingerprintToken)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("find fingerprint token: %w", err)
	case f.Generation != 0 || f.Used || f.CreatedAt.Before(rotated.RotatedAt) || over(f, s.Now()):
		return "", nil
	}
	return s.currentToken(f)
}

// endDependents ends what must not outlive a DEFAULT refresh token of an installation: its fingerprint token.
func (s *Service) endDependents(ctx context.Context, f store.TokenFamily) error {
	if f.Kind != store.DefaultToken || f.ProfileID == StaticProfile {
		return nil
	}
	_, err := s.revokeFamilies(ctx, store.FamilyFilter{ClientID: f.ClientID, ProfileID: f.ProfileID, Kind: store.FingerprintToken})
	return err
}
