package enrollment

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// updateRequest is the body of a push token update.
type updateRequest struct {
	Old  string `json:"old_push_token"`
	Next string `json:"new_push_token"`
}

// How updatePushToken fails, beside featureOff, enrollmentOff and versionOff. It succeeds with 204 and
// ENROLLMENT_UPDATE_SUCCESS.
var (
	updateBadToken = outcome.Failure{
		Code:  outcome.InvalidToken,
		Audit: audit.EnrollmentUpdateFailureInvalidToken, Text: "the access token of the installation is missing or not usable",
	}
	updateBadRequest = outcome.Failure{
		Code:  outcome.InvalidRequest,
		Audit: audit.EnrollmentUpdateFailureInvalidReq, Text: "push tokens are missing, malformed or not current",
	}
	updateTokenInUse = outcome.Failure{
		Code:  outcome.PushTokenInUse,
		Audit: audit.EnrollmentUpdateFailureInvalidReq, Text: "the new push token belongs to another installation",
		Attrs: []audit.Attr{audit.Reason("existing_push_token")},
	}
	updateUnsupported = outcome.Failure{
		Code:  outcome.UnsupportedPlatform,
		Audit: audit.EnrollmentUpdateFailureUnsupportedPlatform, Text: "push tokens of this platform are enrolled again",
	}
)

// updatePushToken replaces the push token in all enrollments of the calling installation that hold the old one. A
// repeated call fails: after the first one the old token is no longer current.
func (h *Handler) updatePushToken(c echo.Context) error {
	ctx, s := c.Request().Context(), h.Settings.Current()
	if err := open(s); err != nil {
		return err
	}
	i, err := h.caller(c, s)
	if err != nil {
		return err
	}
	if i.Platform != appgate.Android {
		return updateUnsupported
	}
	var req updateRequest
	if err := web.BindJSON(c, &req); err != nil {
		return unreadable(err, updateBadRequest)
	}
	if !wellFormed(i.Platform, req.Old) || !wellFormed(i.Platform, req.Next) {
		return updateBadRequest.About(audit.Reason("push_token"))
	}
	if err := h.swap(ctx, i, req); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// caller returns the installation that the access token belongs to: a token of its own, without a user.
func (h *Handler) caller(c echo.Context, s *settings.Snapshot) (store.Installation, error) {
	ctx := c.Request().Context()
	token, err := h.Tokens.Verify(ctx, web.BearerToken(c))
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrRevoked):
		return store.Installation{}, updateBadToken.Because(err)
	case err != nil:
		return store.Installation{}, fmt.Errorf("verify access token: %w", err)
	case token.Kind != store.ClientToken:
		return store.Installation{}, updateBadToken.About(audit.Reason("kind"), audit.Detail("kind", string(token.Kind)))
	}
	i, err := h.Installations.Installation(ctx, token.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return store.Installation{}, updateBadToken.Because(err).About(audit.Reason("no_installation"))
	}
	if err != nil {
		return store.Installation{}, fmt.Errorf("installation of an access token: %w", err)
	}
	return h.admit(c, s, i)
}

func (h *Handler) swap(ctx context.Context, i store.Installation, req updateRequest) error {
	before, after := hashToken(h.Keys, i.Platform, req.Old), hashToken(h.Keys, i.Platform, req.Next)
	return h.Enrollments.InTx(ctx, func(ctx context.Context) error {
		if err := h.PushTokens.TakeTurn(ctx, tokenTurn(before), tokenTurn(after)); err != nil {
			return err
		}
		holders, err := h.PushTokens.EnrollmentsByPushToken(ctx, after)
		if err != nil {
			return fmt.Errorf("holders of a push token: %w", err)
		}
		for _, other := range holders {
			if other.ClientID != i.ClientID {
				return updateTokenInUse
			}
		}
		mine, err := h.PushTokens.EnrollmentsOfClient(ctx, i.ClientID)
		if err != nil {
			return fmt.Errorf("enrollments of an installation: %w", err)
		}
		changed := 0
		for _, e := range mine {
			if !bytes.Equal(e.PushTokenHash, before) {
				continue
			}
			sealed := h.Keys.Seal([]byte(req.Next), e.PushTokenPlace())
			switch err := h.PushTokens.SwapPushToken(ctx, e.ID, before, sealed, after, h.Now()); {
			case err == nil:
				changed++
			case !errors.Is(err, store.ErrConflict):
				return fmt.Errorf("swap push token: %w", err)
			}
		}
		if changed == 0 {
			return updateBadRequest.About(audit.Reason("not_current"))
		}
		h.Audit.Record(ctx, audit.EnrollmentUpdateSuccess, audit.Count("enrollments", changed))
		return nil
	})
}
