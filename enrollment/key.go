package enrollment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/device"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// stepRequest is the body of the second and the last step.
type stepRequest struct {
	ID    string `json:"enrollment_id"`
	Proof string `json:"proof"`
}

// stepClaims is what the new signing key signs in the second and the last step.
type stepClaims struct {
	Step       string   `json:"step"`
	ID         string   `json:"enrollment_id"`
	Challenge  string   `json:"challenge"`
	ServerKIDs []string `json:"server_kids"` // last step
}

// How exchange fails, beside featureOff, enrollmentOff and versionOff. It succeeds with 200 and ENROLLMENT_KEY_FETCHED.
var (
	keyBadRequest = outcome.Failure{
		Code:  outcome.InvalidRequest,
		Audit: audit.EnrollmentKeyFailureInvalidReq, Text: "the proof is missing or wrong",
	}
	keyUnknown = outcome.Failure{
		Code:  outcome.InvalidID,
		Audit: audit.EnrollmentKeyFailureInvalidID, Text: "there is no such enrollment in progress",
	}
)

// exchange hands out the keys of the server. It may be repeated until the enrollment is acknowledged: each time with
// the same keys and a new challenge.
func (h *Handler) exchange(c echo.Context) error {
	ctx, s := c.Request().Context(), h.Settings.Current()
	if err := open(s); err != nil {
		return err
	}
	var req stepRequest
	if err := web.BindJSON(c, &req); err != nil {
		return unreadable(err, keyBadRequest)
	}
	if req.ID == "" || req.Proof == "" {
		return keyBadRequest.About(audit.Reason("missing_member"))
	}
	if uuid.Validate(req.ID) != nil { // foreign bytes do not reach the stores
		return keyUnknown.About(audit.Reason("malformed"))
	}
	pending, err := h.Pending.PendingEnrollment(ctx, req.ID)
	if errors.Is(err, store.ErrNotFound) {
		return keyUnknown.Because(err)
	}
	if err != nil {
		return fmt.Errorf("enrollment in progress: %w", err)
	}
	claims, err := h.stepProof(ctx, req, pending.Enrollment)
	if err != nil {
		return refuse(err, keyBadRequest)
	}
	if claims.Step != "key" || claims.Challenge != pending.Challenge && claims.Challenge != pending.FirstChallenge {
		return keyBadRequest.About(audit.Reason("proof_claims"))
	}
	if err := h.owner(c, s, pending.Enrollment, keyUnknown); err != nil {
		return err
	}
	pending, keys, err := h.hand(ctx, s, pending)
	if errors.Is(err, store.ErrNotFound) {
		return keyUnknown.Because(err) // acknowledged or over while we were at it
	}
	if err != nil {
		return err
	}
	h.Audit.Record(ctx, audit.EnrollmentKeyFetched, audit.Detail("enrollment_id", pending.ID))
	return web.JSON(c, http.StatusOK, map[string]any{"keys": keys, "challenge": pending.Challenge})
}

// stepProof verifies a proof by the new signing key.
func (h *Handler) stepProof(ctx context.Context, req stepRequest, e store.Enrollment) (stepClaims, error) {
	var claims stepClaims
	proof, err := device.ParseSigned(req.Proof)
	if err != nil {
		return claims, err
	}
	key, err := device.StoredKey(e.SigningKey)
	if err != nil {
		return claims, err
	}
	if proof.KID != e.ID {
		return claims, device.UnknownKey
	}
	if err := h.Devices.Verify(ctx, proof, key, device.EnrollType, &claims); err != nil {
		return claims, err
	}
	if claims.ID != e.ID {
		return claims, device.BadClaims
	}
	return claims, nil
}

// hand chooses the keys of the server, or finds the ones that were handed out before, and stores the next challenge.
func (h *Handler) hand(ctx context.Context, s *settings.Snapshot, pending store.PendingEnrollment) (store.PendingEnrollment, []json.RawMessage, error) {
	for {
		next := pending
		keys, err := h.serverKeys(ctx, s, pending)
		if err != nil {
			return pending, nil, fmt.Errorf("server keys: %w", err)
		}
		if s.Document.MobileAuthentication.UniqueKeysPerEnrollment && pending.Step == store.EnrollmentStarted {
			next.ServerKeys = keys
		}
		next.ServerEncKID, next.ServerSigKID = keys[0].KID, keys[1].KID
		next.Step, next.Challenge = store.EnrollmentKeyed, secret.NewChallenge()
		switch err := h.Pending.AdvanceEnrollment(ctx, pending.Challenge, next); {
		case errors.Is(err, store.ErrConflict): // a parallel request was faster: hand out what it did
			if pending, err = h.Pending.PendingEnrollment(ctx, pending.ID); err != nil {
				return pending, nil, err
			}
			continue
		case err != nil:
			return pending, nil, err
		}
		public, err := h.ServerKeys.Public(keys)
		if err != nil {
			return pending, nil, err
		}
		return next, []json.RawMessage{public[0].JWK(), public[1].JWK()}, nil
	}
}

// serverKeys returns the pair for an enrollment, the encryption key first.
func (h *Handler) serverKeys(ctx context.Context, s *settings.Snapshot, pending store.PendingEnrollment) ([]store.ServerKey, error) {
	switch {
	case len(pending.ServerKeys) > 0:
		return pending.ServerKeys, nil
	case pending.Step == store.EnrollmentKeyed:
		return h.ServerKeys.Pair(ctx, pending.ServerEncKID, pending.ServerSigKID)
	case s.Document.MobileAuthentication.UniqueKeysPerEnrollment:
		return h.ServerKeys.Make(pending.ID)
	}
	return h.ServerKeys.Shared(ctx)
}
