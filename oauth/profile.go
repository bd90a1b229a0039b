package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/store"
)

// profileBook keeps who is on which installation; see sqlstore.Store. All of it joins the transaction of ctx.
type profileBook interface {
	// LockProfile returns a profile that nobody changes meanwhile. Errors: store.ErrNotFound.
	LockProfile(ctx context.Context, clientID, profileID string) (store.Profile, error)
	ProfilesOf(ctx context.Context, clientID string) ([]store.Profile, error)
	// AddProfile: store.ErrConflict when the id is taken or the user is there already.
	AddProfile(ctx context.Context, p store.Profile) error
	TouchProfile(ctx context.Context, clientID, profileID string, lastLogin time.Time) error
	ResetPINFailures(ctx context.Context, clientID, profileID string) error
}

// maxProfiles is how many users an installation may have.
const maxProfiles = 64

// profileInvalid: the profile id is malformed, missing, another user's, or one too many.
var profileInvalid = outcome.Failure{
	Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalidProfileID, Text: "the profile id is missing, malformed or taken",
}

// enter puts a user onto an installation, in the transaction of ctx. A user who comes again with the same profile id
// starts anew: the former tokens end. With another profile id the former profile is removed.
func (h *Handler) enter(ctx context.Context, c clientauth.Client, profileID, userID string) error {
	if !goodProfileID(profileID) {
		reason := "malformed"
		if profileID == "" {
			reason = "missing"
		}
		return profileInvalid.About(audit.Detail("profile_id", clipped(profileID, 16)), audit.Reason(reason))
	}
	failure := profileInvalid.About(audit.Profile(profileID))
	now := h.Now()
	p, err := h.Book.LockProfile(ctx, c.ID, profileID)
	switch {
	case err == nil && p.UserID != userID:
		return failure.About(audit.Reason("another user's"))
	case err == nil:
		return h.reenter(ctx, c, profileID, now)
	case !errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("find profile: %w", err)
	}
	others, err := h.Book.ProfilesOf(ctx, c.ID)
	if err != nil {
		return fmt.Errorf("find profiles: %w", err)
	}
	count := len(others)
	for _, other := range others {
		if other.UserID != userID {
			continue
		}
		if err := h.Profiles.RemoveProfile(ctx, c.ID, other.ProfileID, ""); err != nil {
			return fmt.Errorf("remove former profile: %w", err)
		}
		count--
	}
	if count >= maxProfiles {
		return failure.About(audit.Reason("limit"))
	}
	err = h.Book.AddProfile(ctx, store.Profile{
		ClientID: c.ID, ProfileID: profileID, UserID: userID, CreatedAt: now, LastLogin: now,
	})
	if errors.Is(err, store.ErrConflict) { // another request was faster
		return failure.Because(err).About(audit.Reason("taken"))
	}
	if err != nil {
		return fmt.Errorf("add profile: %w", err)
	}
	return nil
}

// reenter lets the same user start anew under the same profile id.
func (h *Handler) reenter(ctx context.Context, c clientauth.Client, profileID string, now time.Time) error {
	if _, err := h.Tokens.RevokeProfile(ctx, c.ID, profileID); err != nil {
		return fmt.Errorf("end former tokens: %w", err)
	}
	if err := h.Book.ResetPINFailures(ctx, c.ID, profileID); err != nil {
		return fmt.Errorf("forget wrong PINs: %w", err)
	}
	if err := h.Book.TouchProfile(ctx, c.ID, profileID, now); err != nil {
		return fmt.Errorf("note sign-in: %w", err)
	}
	return nil
}

// goodProfileID: six letters or digits.
func goodProfileID(s string) bool {
	const length = 6
	if len(s) != length {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}
