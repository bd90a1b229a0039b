package enrollment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How acknowledge fails, beside featureOff, enrollmentOff, versionOff, and the failures of the mode after a lost race.
// It succeeds with 204 and ENROLLMENT_ACK_SUCCESS; a repeat with 204 alone.
var (
	ackBadRequest = outcome.Failure{
		Code:  outcome.InvalidRequest,
		Audit: audit.EnrollmentAckFailureInvalidID, Text: "the proof is missing or wrong, or the key step was left out",
	}
	ackUnknown = outcome.Failure{
		Code:  outcome.InvalidID,
		Audit: audit.EnrollmentAckFailureInvalidID, Text: "there is no such enrollment in progress",
	}
)

// acknowledge makes the enrollment active. New keys replace old ones here and nowhere else.
func (h *Handler) acknowledge(c echo.Context) error {
	ctx, s := c.Request().Context(), h.Settings.Current()
	if err := open(s); err != nil {
		return err
	}
	var req stepRequest
	if err := web.BindJSON(c, &req); err != nil {
		return unreadable(err, ackBadRequest)
	}
	if req.ID == "" || req.Proof == "" {
		return ackBadRequest.About(audit.Reason("missing_member"))
	}
	if uuid.Validate(req.ID) != nil { // foreign bytes do not reach the stores
		return ackUnknown.About(audit.Reason("malformed"))
	}
	pending, err := h.Pending.PendingEnrollment(ctx, req.ID)
	if errors.Is(err, store.ErrNotFound) {
		return h.repeatAcknowledge(c, req)
	}
	if err != nil {
		return fmt.Errorf("enrollment in progress: %w", err)
	}
	claims, err := h.stepProof(ctx, req, pending.Enrollment)
	if err != nil {
		return refuse(err, ackBadRequest)
	}
	kids := []string{pending.ServerEncKID, pending.ServerSigKID}
	switch {
	case pending.Step != store.EnrollmentKeyed:
		return ackBadRequest.About(audit.Reason("key_step_missing"))
	case claims.Step != "ack", claims.Challenge != pending.Challenge, !sameTexts(claims.ServerKIDs, kids):
		return ackBadRequest.About(audit.Reason("proof_claims"))
	}
	if err := h.owner(c, s, pending.Enrollment, ackUnknown); err != nil {
		return err
	}
	if err := h.activate(ctx, s, pending); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// repeatAcknowledge answers an enrollment that is active already, when the same key asks.
func (h *Handler) repeatAcknowledge(c echo.Context, req stepRequest) error {
	ctx := c.Request().Context()
	e, err := h.Enrollments.Enrollment(ctx, req.ID)
	if errors.Is(err, store.ErrNotFound) {
		return ackUnknown.Because(err)
	}
	if err != nil {
		return fmt.Errorf("acknowledged enrollment: %w", err)
	}
	claims, err := h.stepProof(ctx, req, e)
	if err != nil {
		return refuse(err, ackBadRequest)
	}
	if claims.Step != "ack" {
		return ackBadRequest.About(audit.Reason("proof_claims"))
	}
	return c.NoContent(http.StatusNoContent)
}

// activate is the one transaction in which an enrollment becomes active: what the first step saw is read again.
func (h *Handler) activate(ctx context.Context, s *settings.Snapshot, pending store.PendingEnrollment) error {
	e := pending.Enrollment
	e.CreatedAt = h.Now()
	e.UpdatedAt = e.CreatedAt
	if e.PushTokenHash != nil && !s.Document.MobileAuthentication.PushEnrollmentOn() {
		return pushEnrollmentOff
	}
	return h.Enrollments.InTx(ctx, func(ctx context.Context) error {
		if err := h.PushTokens.TakeTurn(ctx, turns(e)...); err != nil {
			return err
		}
		switch _, err := h.Enrollments.Enrollment(ctx, e.ID); {
		case err == nil: // a parallel acknowledge was faster
			return nil
		case !errors.Is(err, store.ErrNotFound):
			return fmt.Errorf("acknowledged enrollment: %w", err)
		}
		if err := h.stillThere(ctx, e); err != nil {
			return err
		}
		p, err := h.find(ctx, s.Document.MobileAuthentication.Mode(), e)
		if err != nil {
			return lostRace(err)
		}
		if err := h.replace(ctx, p); err != nil {
			return err
		}
		for _, key := range pending.ServerKeys {
			if err := h.Enrollments.AddServerKey(ctx, key); err != nil {
				return fmt.Errorf("add server key: %w", err)
			}
		}
		if err := h.Enrollments.AddEnrollment(ctx, e); err != nil {
			return fmt.Errorf("add enrollment: %w", err)
		}
		store.AfterCommit(ctx, func(ctx context.Context) {
			_ = h.Pending.EndEnrollment(ctx, e.ID) // else it ends by itself; the row makes a repeat harmless
		})
		h.Audit.Record(ctx, audit.EnrollmentAckSuccess, audit.Detail("enrollment_id", e.ID),
			audit.Flag("push", e.PushTokenHash != nil), audit.Flag("replaced", len(p.former) > 0))
		return nil
	})
}

// stillThere reads installation and profile under lock: what was removed since the first step stays removed.
func (h *Handler) stillThere(ctx context.Context, e store.Enrollment) error {
	if _, err := h.Installations.LockInstallation(ctx, e.ClientID); err != nil {
		return vanished(err, "installation_gone")
	}
	profile, err := h.Installations.LockProfile(ctx, e.ClientID, e.ProfileID)
	if err != nil {
		return vanished(err, "profile_gone")
	}
	if profile.UserID != e.UserID {
		return ackUnknown.About(audit.Reason("other_user"))
	}
	return nil
}

func vanished(err error, reason string) error {
	if errors.Is(err, store.ErrNotFound) {
		return ackUnknown.Because(err).About(audit.Reason(reason))
	}
	return fmt.Errorf("owner of an enrollment: %w", err)
}

// replace removes what the new enrollment takes the place of.
func (h *Handler) replace(ctx context.Context, p place) error {
	if err := h.drop(ctx, p.reinstalled, "reinstall"); err != nil {
		return err
	}
	if err := h.drop(ctx, p.overridden, "override"); err != nil {
		return err
	}
	for _, old := range p.former { // the same app instance with new keys: no older one is dropped
		err := h.Lifecycle.RemoveEnrollment(ctx, old.ID, store.InvalidRequest)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("replace keys: %w", err)
		}
	}
	return nil
}

// lostRace marks a failure of the mode that was not there at the first step.
func lostRace(err error) error {
	var f outcome.Failure
	if errors.As(err, &f) {
		return f.About(audit.Detail("stage", "ack"))
	}
	return err
}

// sameTexts compares two lists without regard to order.
func sameTexts(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
