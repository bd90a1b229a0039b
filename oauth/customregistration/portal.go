package customregistration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How a portal's question for a response code fails.
var (
	portalMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.CustomRegistrationBackchannelFailure,
		Text: "want client_code, six digits, and user_id",
	}
	portalNoUser = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.OneTimePasswordGenerationFailedMissingUserID, Text: "user_id is missing",
	}
	portalUnknown = outcome.Failure{
		Code: outcome.UnknownClientCode, Audit: audit.CustomRegistrationBackchannelFailure,
		Text: "the client code is unknown, expired or answered already",
	}
	portalThrottled = outcome.Failure{
		Code: outcome.TooManyRequests, Text: "too many unknown client codes, try again in a minute",
	}
)

const longestUserID = 255 // bytes

// responseAnswer is what the portal shows to its user.
type responseAnswer struct {
	ResponseCode string `json:"response_code"`
	ExpiresIn    int    `json:"expires_in"` // seconds
}

// answerClientCode answers POST /oauth/api/v1/two-way-otp: the user who is signed in at the portal has typed in the client code.
// It succeeds with CUSTOM_REGISTRATION_BACKCHANNEL_SUCCESS.
func (h *Handler) answerClientCode(c echo.Context) error {
	ctx := c.Request().Context()
	about := flow()
	text, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return fmt.Errorf("read body: %w", err)
	}
	var body struct { // other members are passed over, as in every API of portals
		ClientCode string `json:"client_code"`
		UserID     string `json:"user_id"`
	}
	if err := json.Unmarshal(text, &body); err != nil {
		return portalMalformed.Because(err).About(about, audit.Reason("body"))
	}
	switch {
	case body.UserID == "":
		return portalNoUser.About(about)
	case len(body.UserID) > longestUserID || strings.ContainsFunc(body.UserID, func(r rune) bool { return r <= ' ' || r == 0x7f }) || !web.IsText(body.UserID):
		return portalMalformed.About(about, audit.Reason("user_id"))
	case len(body.ClientCode) != codeDigits || strings.Trim(body.ClientCode, "0123456789") != "":
		return portalMalformed.About(about, audit.Reason("client_code"))
	}
	audit.Know(ctx, audit.User(body.UserID))
	portal := clientauth.APIClientOf(ctx).ID
	if h.Misses.Exceeded(portal) {
		failure := portalThrottled
		if report := h.Misses.Refused(portal); report > 0 {
			failure.Audit = audit.RateLimitExceeded
			failure = failure.About(about, audit.Count("refusals", report))
		}
		return failure
	}
	response, now := responseCode(), h.Now()
	err = h.Registrations.InTx(ctx, func(ctx context.Context) error {
		hash := hashOfClientCode(h.Keys, body.ClientCode)
		if err := h.Registrations.AnswerClientCode(ctx, hash, responseMAC(h.Keys, hash, response), body.UserID, now, now.Add(codeLife)); err != nil {
			return err
		}
		h.Audit.Record(ctx, audit.CustomRegistrationBackchannelSuccess, about)
		return nil
	})
	if errors.Is(err, store.ErrNotFound) {
		h.Misses.Spend(ctx, portal)
		return portalUnknown.Because(err).About(about)
	}
	if err != nil {
		return fmt.Errorf("answer client code: %w", err)
	}
	return web.JSON(c, http.StatusOK, responseAnswer{ResponseCode: response, ExpiresIn: int(codeLife / time.Second)})
}
