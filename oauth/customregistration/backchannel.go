package customregistration

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
)

// How the back channel fails; providers as in the table of providers.
var (
	backChannelMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.CustomRegistrationBackchannelFailure, Text: "the body is not what this address takes",
	}
	backChannelOff = outcome.Failure{
		Code: outcome.ProviderDisabled, Audit: audit.UnableToDetermineIdentityProvider, Text: "the identity provider has no back channel",
	}
	backChannelFailed = outcome.Failure{
		Code: outcome.InternalServerError, Audit: audit.CustomRegistrationBackchannelFailure,
		Text: "the service that decides about registrations gave no usable answer",
	}
)

// backChannelAnswer is the answer of the operator's service as it gave it.
type backChannelAnswer struct {
	Status int     `json:"status"`
	Data   *string `json:"data,omitempty"`
}

// backChannel answers POST …/backchannel: a back end prepares a registration. It succeeds with
// CUSTOM_REGISTRATION_BACKCHANNEL_SUCCESS; what the operator's service refuses is a 200 with its status.
func (h *Handler) backChannel(c echo.Context) error {
	ctx := c.Request().Context()
	var body initBody
	if err := web.BindJSON(c, &body); err != nil {
		return backChannelMalformed.Because(err).About(audit.Reason("body"))
	}
	p, err := provider(h.Settings.Current(), c.Param("idp"), settings.CustomOneStep, settings.CustomTwoStep)
	if err != nil {
		return err
	}
	about := audit.Detail("idp", p.ID)
	if p.Custom == nil || !p.Custom.BackChannel {
		return backChannelOff.About(about, audit.Reason("no back channel"))
	}
	portal := caller{}
	if client := clientauth.APIClientOf(ctx); client != nil {
		portal.ID = client.ID
	}
	a, err := h.ask(ctx, p, call{Type: askBackChannel, RequestPayload: body.Data, Client: portal})
	var failure outcome.Failure
	if errors.As(err, &failure) {
		return backChannelFailed.Because(err).About(failure.Attrs...)
	}
	if err != nil {
		return err
	}
	code := audit.CustomRegistrationBackchannelFailure
	if a.ok() {
		code = audit.CustomRegistrationBackchannelSuccess
	}
	h.Audit.Record(ctx, code, append(a.details, audit.Count("status", a.status))...)
	return web.JSON(c, http.StatusOK, backChannelAnswer{Status: a.status, Data: a.data})
}
