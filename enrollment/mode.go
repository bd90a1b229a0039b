package enrollment

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// How the push enrollment mode refuses an enrollment, at the first step and, after a lost race, at the last.
var (
	tokenInUse = outcome.Failure{
		Code:  outcome.PushTokenInUse,
		Audit: audit.EnrollmentInitFailureExistingPushToken, Text: "the push token belongs to another user's app instance",
	}
	alreadyEnrolled = outcome.Failure{
		Code:  outcome.UserAlreadyEnrolled,
		Audit: audit.EnrollmentInitFailureUserEnrolled, Text: "the user is enrolled already",
	}
)

// place is what an enrollment does to the ones that are there already.
type place struct {
	reinstalled []store.Enrollment // same user and push token on another installation: the app was installed again
	overridden  []store.Enrollment // on another installation of the same application; goes at the last step
	former      []store.Enrollment // of the same profile; its keys are replaced at the last step
}

// find applies the push enrollment mode. It concerns push tokens only: keys without one may be enrolled on any number
// of installations. A push token that the provider has called dead stands in nobody's way.
func (h *Handler) find(ctx context.Context, mode settings.PushMode, e store.Enrollment) (place, error) {
	var p place
	gone := map[string]bool{}
	if e.PushTokenHash != nil {
		holders, err := h.PushTokens.EnrollmentsByPushToken(ctx, e.PushTokenHash)
		if err != nil {
			return place{}, fmt.Errorf("holders of a push token: %w", err)
		}
		for _, other := range holders {
			switch {
			case other.ClientID == e.ClientID: // one installation has one push token for all its users
			case other.UserID != e.UserID:
				return place{}, tokenInUse
			default:
				p.reinstalled, gone[other.ID] = append(p.reinstalled, other), true
			}
		}
	}
	others, err := h.Enrollments.EnrollmentsOfUser(ctx, e.UserID)
	if err != nil {
		return place{}, fmt.Errorf("enrollments of a user: %w", err)
	}
	for _, other := range others {
		if other.Application != e.Application || gone[other.ID] {
			continue
		}
		push := e.PushTokenHash != nil && other.PushTokenHash != nil
		if push && mode == settings.SingleDevice && other.PushState == store.PushActive {
			return place{}, alreadyEnrolled
		}
		switch {
		case other.ClientID == e.ClientID:
			p.former = append(p.former, other)
		case push && mode != settings.MultipleDevices:
			p.overridden = append(p.overridden, other)
		}
	}
	return p, nil
}

// turns names what enrollments that could contradict each other have in common.
func turns(e store.Enrollment) []string {
	names := []string{"user:" + e.Application + "/" + e.UserID}
	if e.PushTokenHash != nil {
		names = append(names, tokenTurn(e.PushTokenHash))
	}
	return names
}

func tokenTurn(hash []byte) string { return "token:" + hex.EncodeToString(hash) }

// drop removes older app instances within the transaction of ctx, an event for each.
func (h *Handler) drop(ctx context.Context, list []store.Enrollment, why string) error {
	for _, old := range list {
		err := h.Lifecycle.RemoveEnrollment(ctx, old.ID, store.InvalidRequest)
		if errors.Is(err, store.ErrNotFound) {
			continue // its user was faster
		}
		if err != nil {
			return fmt.Errorf("drop older app instance: %w", err)
		}
		h.Audit.Record(ctx, audit.EnrollmentInitDropExistingAppInstance, audit.Reason(why),
			audit.Detail("dropped_client_id", old.ClientID), audit.Detail("dropped_enrollment_id", old.ID))
	}
	return nil
}
