package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// How long a token that was rotated out still yields its unused successor again. Installations with a key: no limit.
const (
	graceSecret = 24 * time.Hour
	graceWeb    = time.Minute
)

// PINResult is what became of a presented refresh token.
type PINResult string

// The results. Only PINWrong and PINLimit leave the counter raised.
const (
	PINRight   PINResult = "right"
	PINWrong   PINResult = "wrong"
	PINLimit   PINResult = "limit"    // wrong and the last try, or the limit had been reached before: the caller removes the profile
	PINNoToken PINResult = "no_token" // there is nothing to compare with
	PINExpired PINResult = "expired"  // known, but its time is over; the family is gone
	PINReused  PINResult = "reuse"    // rotated out; everything that descends from it is revoked
	// PINNoAccount comes from CheckPIN alone: right, but there is no account any more, or it is disabled.
	PINNoAccount PINResult = "account"
)

// PINCheck is the outcome of a check.
type PINCheck struct {
	Result    PINResult
	Used      int // failures counted now; 0 after a success
	Remaining int // tries left; -1 when there is no limit
	Family    store.TokenFamily
	Repeat    bool // with PINRight: the predecessor of an unused successor was presented
	// Other is set by CheckExchange, with PINNoToken: the right token of another kind was presented.
	Other store.TokenKind

	presented string
	raised    bool // with PINRight: the count is still to be set to 0; Rotate does that in its own statement
	before    int  // failures before this check
}

// CheckPIN compares a presented refresh token with the one of the profile, in the transaction of ctx. The failure is
// counted before anything is compared; limit 0 = unlimited. A right token counts as used, so that its predecessor is
// dead, but is not rotated: the token endpoint does that. When the transaction rolls back nothing was counted: commit
// the failures with store.Keep.
func (s *Service) CheckPIN(ctx context.Context, clientID, profileID, presented string, limit int) (PINCheck, error) {
	check, err := s.checkPIN(ctx, clientID, profileID, presented, limit)
	if err != nil || check.Result != PINRight {
		return check, err
	}
	check.raised = false
	if check.Family.UserGone {
		return s.refuseAccount(ctx, check, limit)
	}
	if err := s.Profiles.ResetPINFailures(ctx, clientID, profileID); err != nil {
		return check, fmt.Errorf("check PIN: %w", err)
	}
	if check.Repeat || check.Family.Used {
		return check, nil
	}
	f := &check.Family
	f.Used = true
	if err := s.Families.TouchFamily(ctx, f.ID, f.Generation, true, f.AccessToken); err != nil {
		return check, fmt.Errorf("check PIN: %w", err)
	}
	return check, nil
}

// refuseAccount ends a right check of somebody who may not sign in: the counter and the token stay as they were.
func (s *Service) refuseAccount(ctx context.Context, check PINCheck, limit int) (PINCheck, error) {
	check.Result = PINNoAccount
	check.Used = check.before
	if limit > 0 {
		check.Remaining = limit - check.Used
	}
	if err := s.Profiles.LowerPINFailures(ctx, check.Family.ClientID, check.Family.ProfileID); err != nil {
		return check, fmt.Errorf("check PIN: %w", err)
	}
	return check, nil
}

// checkPIN is CheckPIN without the mark and, for a right token, without the reset.
func (s *Service) checkPIN(ctx context.Context, clientID, profileID, presented string, limit int) (PINCheck, error) {
	failures, family, err := s.raise(ctx, clientID, profileID, limit)
	switch {
	case errors.Is(err, store.ErrConflict):
		return PINCheck{Result: PINLimit, Used: limit}, nil
	case errors.Is(err, store.ErrNotFound):
		return PINCheck{Result: PINNoToken}, nil
	case err != nil:
		return PINCheck{}, fmt.Errorf("check PIN: %w", err)
	}
	check := PINCheck{Result: PINNoToken, Used: failures, Remaining: -1, presented: presented, before: failures - 1}
	if family.ID != "" {
		check.Family = family
		if check.Result, check.Repeat, err = s.compare(ctx, family, presented); err != nil {
			return PINCheck{}, fmt.Errorf("check PIN: %w", err)
		}
	}
	switch check.Result {
	case PINWrong:
		if limit > 0 {
			if check.Remaining = limit - failures; check.Remaining <= 0 {
				check.Remaining, check.Result = 0, PINLimit
			}
		}
		return check, nil
	case PINRight:
		check.Used, check.raised = 0, true
	case PINReused:
		check.Used--
		if err = s.Profiles.LowerPINFailures(ctx, clientID, profileID); err == nil {
			_, err = s.RevokeProfile(ctx, clientID, profileID)
		}
	case PINExpired:
		check.Used--
		if err = s.Profiles.LowerPINFailures(ctx, clientID, profileID); err == nil {
			if _, err = s.revokeFamilies(ctx, store.FamilyFilter{ID: family.ID}); err == nil {
				err = s.endDependents(ctx, family)
			}
		}
	case PINNoToken, PINLimit, PINNoAccount:
		check.Used--
		err = s.Profiles.LowerPINFailures(ctx, clientID, profileID)
	}
	if limit > 0 {
		check.Remaining = limit - check.Used
	}
	if err != nil {
		return PINCheck{}, fmt.Errorf("check PIN: %w", err)
	}
	return check, nil
}

// raise counts a failure before anything is compared, and returns the family to compare with; its ID is "" when the
// profile has none. Errors: store.ErrConflict (limit reached before), store.ErrNotFound (no such profile).
func (s *Service) raise(ctx context.Context, clientID, profileID string, limit int) (int, store.TokenFamily, error) {
	failures, family, err := s.Profiles.RaiseForFamily(ctx, clientID, profileID, limit)
	if !errors.Is(err, store.ErrNotFound) {
		return failures, family, err
	}
	if failures, err = s.Profiles.RaisePINFailures(ctx, clientID, profileID, limit); err != nil {
		return 0, store.TokenFamily{}, err
	}
	family, err = s.Search.FamilyOfProfile(ctx, clientID, profileID, store.DefaultToken)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	return failures, family, err
}

// compare finds out what a presented token is to a family: its current token, the predecessor within its grace, a
// former one, or none of it. Every comparison is in constant time, and holds under former key-encryption keys too.
func (s *Service) compare(ctx context.Context, f store.TokenFamily, presented string) (PINResult, bool, error) {
	switch {
	case s.Keys.Equal(secret.ForRefreshToken, f.CurrentHash, presented):
		if over(f, s.Now()) {
			return PINExpired, false, nil
		}
		return PINRight, false, nil
	case len(f.PreviousHash) > 0 && s.Keys.Equal(secret.ForRefreshToken, f.PreviousHash, presented):
		if over(f, s.Now()) {
			return PINExpired, false, nil
		}
		healing, err := s.healing(ctx, f)
		if err != nil || healing {
			return PINRight, true, err
		}
		return PINReused, false, nil
	case s.former(f, presented):
		return PINReused, false, nil
	}
	return PINWrong, false, nil
}

// healing tells whether the predecessor still yields the successor: the successor has not been used, and the grace of
// this kind of client is not over.
func (s *Service) healing(ctx context.Context, f store.TokenFamily) (bool, error) {
	if f.Used {
		return false, nil
	}
	age := s.Now().Sub(f.RotatedAt)
	if f.ProfileID == StaticProfile {
		return age < graceWeb, nil
	}
	if age < graceSecret {
		return true, nil
	}
	i, err := s.Installations.Installation(ctx, f.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return len(i.PublicJWK) > 0, err
}
