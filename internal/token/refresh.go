package token

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokenserver/store"
)

// overlap is how long the former access token goes on working after a refresh: requests that are under way finish.
const overlap = 10 * time.Second

// CheckRefresh is what the token endpoint asks of a DEFAULT refresh token of an installation, in the transaction of
// ctx: CheckPIN without mark and reset, because Rotate follows, which does both. When it does not follow, the transaction
// must roll back.
func (s *Service) CheckRefresh(ctx context.Context, clientID, profileID, presented string, limit int) (PINCheck, error) {
	return s.checkPIN(ctx, clientID, profileID, presented, limit)
}

// CheckKind compares a presented refresh token with the one of another kind of the profile, for example FINGER_PRINT,
// in the transaction of ctx. Nothing is counted: PINWrong is final, and what follows is the caller's business.
func (s *Service) CheckKind(ctx context.Context, clientID, profileID, presented string, kind store.TokenKind) (PINCheck, error) {
	family, err := s.Search.FamilyOfProfile(ctx, clientID, profileID, kind)
	if errors.Is(err, store.ErrNotFound) {
		return PINCheck{Result: PINNoToken}, nil
	}
	if err != nil {
		return PINCheck{}, fmt.Errorf("check refresh token: %w", err)
	}
	return s.checkFamily(ctx, family, presented)
}

// CheckWeb looks a refresh token of a web client up, in the transaction of ctx. Results: PINRight, PINNoToken,
// PINExpired, PINReused.
func (s *Service) CheckWeb(ctx context.Context, clientID, presented string) (PINCheck, error) {
	family, err := s.familyOfWeb(ctx, presented)
	if errors.Is(err, store.ErrNotFound) || err == nil && family.ClientID != clientID {
		return PINCheck{Result: PINNoToken}, nil
	}
	if err != nil {
		return PINCheck{}, fmt.Errorf("check refresh token: %w", err)
	}
	check, err := s.checkFamily(ctx, family, presented)
	if check.Result == PINWrong { // it names a family, but was never a token of it
		return PINCheck{Result: PINNoToken}, err
	}
	return check, err
}

func (s *Service) checkFamily(ctx context.Context, family store.TokenFamily, presented string) (PINCheck, error) {
	check := PINCheck{Family: family, presented: presented}
	var err error
	if check.Result, check.Repeat, err = s.compare(ctx, family, presented); err != nil {
		return PINCheck{}, fmt.Errorf("check refresh token: %w", err)
	}
	switch {
	case check.Result == PINReused && family.ProfileID != StaticProfile:
		_, err = s.RevokeProfile(ctx, family.ClientID, family.ProfileID)
	case check.Result == PINReused, check.Result == PINExpired:
		_, err = s.revokeFamilies(ctx, store.FamilyFilter{ID: family.ID})
	}
	if err != nil {
		return PINCheck{}, fmt.Errorf("check refresh token: %w", err)
	}
	return check, nil
}

// Rotate makes a new access token and the successor of a refresh token that a check has found right, in the same
// transaction. A repeat gives the same successor again. With rotate false the presented token stays the current one.
// Of the grant the members are used that belong to this request: scopes, audiences, application, lives, format, claims,
// IDToken, user details where they are known better than from the account; who and how comes from the family. The former access token ends after ten seconds.
// Errors: ErrIDToken, store.ErrConflict (cannot happen under the lock of the check), store.ErrUnavailable.
func (s *Service) Rotate(ctx context.Context, check PINCheck, g Grant, rotate bool) (Issued, error) {
	f := check.Family
	g.ClientID, g.ProfileID, g.UserID, g.Kind = f.ClientID, f.ProfileID, f.UserID, f.Kind
	g.AuthTime, g.ACR, g.AMR, g.Nonce, g.SessionID = f.AuthTime, f.ACR, f.AMR, "", f.SessionID
	if g.UserDetails == nil {
		g.UserDetails = f.UserDetails
	}
	now := s.Now()
	access := s.accessToken(ctx, g, f.ID, now)
	bearer, err := s.newAccessToken(ctx, g, &access)
	if err != nil {
		return Issued{}, err
	}
	out := Issued{
		AccessToken: bearer, ExpiresIn: int(g.AccessLife / time.Second), Scopes: g.Scopes, ProfileID: f.ProfileID, FamilyID: f.ID,
	}
	if g.IDToken {
		if out.IDToken, err = s.idToken(ctx, g, bearer, now); err != nil {
			return Issued{}, err
		}
	}
	former := f.AccessToken
	switch {
	case check.Repeat:
		if out.RefreshToken, err = s.currentToken(f); err == nil {
			err = s.Families.TouchFamily(ctx, f.ID, f.Generation, false, access.ID)
		}
	case !rotate:
		out.RefreshToken = check.presented
		err = s.Families.TouchFamily(ctx, f.ID, f.Generation, true, access.ID)
	default:
		out.RefreshToken, err = s.advance(ctx, check, g, access.ID, now)
		check.raised = false
	}
	if err == nil && check.raised {
		err = s.Profiles.ResetPINFailures(ctx, f.ClientID, f.ProfileID)
	}
	if err != nil {
		return Issued{}, fmt.Errorf("rotate refresh token: %w", err)
	}
	// Nobody knows the new token before the answer, so it may be there before the commit. The former one belongs to the
	// client still if the transaction rolls back.
	if err := s.Access.PutAccessToken(ctx, access); err != nil {
		return Issued{}, fmt.Errorf("issue access token: %w", err)
	}
	if former != "" {
		store.AfterCommit(ctx, func(ctx context.Context) {
			_ = s.Access.ShortenAccessToken(ctx, former, now.Add(overlap)) // else it ends when it would have ended
		})
	}
	return out, nil
}

// advance moves the family to its next generation and returns the new refresh token.
func (s *Service) advance(ctx context.Context, check PINCheck, g Grant, accessID string, now time.Time) (string, error) {
	f := check.Family
	from := f.Generation
	f.Generation = from + 1
	token := s.refreshTokens(f, f.Generation)[0]
	f.PreviousHash, f.CurrentHash = f.CurrentHash, s.refreshHash(token)
	f.Used, f.AccessToken, f.RotatedAt, f.ExpiresAt = false, accessID, now, end(now, g.RefreshLife)
	if check.raised {
		return token, s.Families.RotateFamilyByPIN(ctx, from, f)
	}
	return token, s.Families.RotateFamily(ctx, from, f)
}

// Ended tells whether the time of a family is over.
func (s *Service) Ended(f store.TokenFamily) bool { return over(f, s.Now()) }

// over tells whether the current token or the whole family has ended.
func over(f store.TokenFamily, now time.Time) bool {
	return !f.ExpiresAt.IsZero() && !now.Before(f.ExpiresAt) || !f.EndsAt.IsZero() && !now.Before(f.EndsAt)
}
