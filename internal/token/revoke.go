package token

import (
	"context"
	"fmt"

	"tokenserver/store"
)

// RevokeFamily ends a family and every access token of it, in the transaction of ctx, and the fingerprint token of the
// profile when it was its DEFAULT family. count is 0 when it was gone; what depends on it is not counted.
func (s *Service) RevokeFamily(ctx context.Context, familyID string) (count int, err error) {
	list, err := s.Search.Families(ctx, store.FamilyFilter{ID: familyID})
	if err != nil {
		return 0, fmt.Errorf("revoke family: %w", err)
	}
	count, err = s.revokeFamilies(ctx, store.FamilyFilter{ID: familyID})
	if err == nil && len(list) > 0 {
		err = s.endDependents(ctx, list[0])
	}
	if err != nil || count > 0 {
		return count, err
	}
	// A grant without a refresh token has access tokens of that family, but no row.
	return 0, s.Revocations.endForever(ctx, "family:"+familyID)
}

// FamilyOfProfile returns the family of a kind that a profile has now. Nothing is compared or counted.
// Errors: store.ErrNotFound.
func (s *Service) FamilyOfProfile(ctx context.Context, clientID, profileID string, kind store.TokenKind) (store.TokenFamily, error) {
	f, err := s.Search.FamilyOfProfile(ctx, clientID, profileID, kind)
	if err != nil {
		return store.TokenFamily{}, fmt.Errorf("find refresh token: %w", err)
	}
	return f, nil
}

// RevokeProfile ends every token of a profile, in the transaction of ctx. count is the number of families.
func (s *Service) RevokeProfile(ctx context.Context, clientID, profileID string) (count int, err error) {
	count, err = s.revokeFamilies(ctx, store.FamilyFilter{ClientID: clientID, ProfileID: profileID})
	if err != nil {
		return 0, err
	}
	return count, s.Revocations.end(ctx, profileSubject(clientID, profileID))
}

// RevokeClient ends every token of a client, its own ones included, in the transaction of ctx.
func (s *Service) RevokeClient(ctx context.Context, clientID string) (count int, err error) {
	count, err = s.revokeFamilies(ctx, store.FamilyFilter{ClientID: clientID})
	if err != nil {
		return 0, err
	}
	return count, s.Revocations.end(ctx, clientSubject(clientID))
}

// RevokeUser ends every token of a user, on all clients, in the transaction of ctx.
func (s *Service) RevokeUser(ctx context.Context, userID string) (count int, err error) {
	count, err = s.revokeFamilies(ctx, store.FamilyFilter{UserID: userID})
	if err != nil {
		return 0, err
	}
	return count, s.Revocations.end(ctx, userSubject(userID))
}

// RevokeSession ends every token that came from a browser session, in the transaction of ctx. A session never comes back.
func (s *Service) RevokeSession(ctx context.Context, sessionID string) (count int, err error) {
	count, err = s.revokeFamilies(ctx, store.FamilyFilter{SessionID: sessionID})
	if err != nil {
		return 0, err
	}
	return count, s.Revocations.endForever(ctx, sessionSubject(sessionID))
}

// RevokeSessionOf ends the tokens that one client got in a browser session, in the transaction of ctx.
func (s *Service) RevokeSessionOf(ctx context.Context, sessionID, clientID string) (count int, err error) {
	count, err = s.revokeFamilies(ctx, store.FamilyFilter{SessionID: sessionID, ClientID: clientID})
	if err != nil {
		return 0, err
	}
	return count, s.Revocations.endForever(ctx, sessionOfClient(sessionID, clientID))
}

// RevokeKind ends the families of one kind of a client, or of one profile of it when profileID is not "", with their
// access tokens, in the transaction of ctx.
func (s *Service) RevokeKind(ctx context.Context, clientID, profileID string, kind store.TokenKind) (count int, err error) {
	return s.revokeFamilies(ctx, store.FamilyFilter{ClientID: clientID, ProfileID: profileID, Kind: kind})
}

// RevokeAccessToken ends one access token, in the transaction of ctx. The refresh token stays.
func (s *Service) RevokeAccessToken(ctx context.Context, t store.AccessToken) error {
	if err := s.Revocations.endForever(ctx, "token:"+t.ID); err != nil {
		return err
	}
	store.AfterCommit(ctx, func(ctx context.Context) {
		// The row decides; the tombstone only outlives it. Without it the token reads as expired or unknown later.
		_ = s.Access.BuryAccessToken(ctx, t)
	})
	return nil
}

// revokeFamilies deletes families and leaves a revocation for each: a family never comes back, so the clocks of other
// processes do not matter.
func (s *Service) revokeFamilies(ctx context.Context, which store.FamilyFilter) (int, error) {
	ids, err := s.Families.DeleteFamilies(ctx, which)
	if err != nil {
		return 0, fmt.Errorf("revoke families: %w", err)
	}
	subjects := make([]string, 0, len(ids))
	for _, id := range ids {
		subjects = append(subjects, "family:"+id)
	}
	return len(ids), s.Revocations.endForever(ctx, subjects...)
}

// HasLive tells whether a profile has a refresh token of that kind that has not expired.
func (s *Service) HasLive(ctx context.Context, clientID, profileID string, kind store.TokenKind) (bool, error) {
	live, err := s.Search.HasFamily(ctx, store.FamilyFilter{ClientID: clientID, ProfileID: profileID, Kind: kind}, s.Now())
	if err != nil {
		return false, fmt.Errorf("look for a refresh token: %w", err)
	}
	return live, nil
}
