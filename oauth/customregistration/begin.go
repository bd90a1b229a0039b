package customregistration

import (
	"context"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// transactionLife is the time between the two steps of a registration through a web hook.
const transactionLife = 10 * time.Minute

// registrationOff: the client's settings do not let users in.
var registrationOff = outcome.Failure{
	Code: outcome.UnauthorizedClient, Audit: audit.TokenRequestDisabledGrantType, Text: "the client may not register users in this way",
}

// initAnswer is the answer of the first step.
type initAnswer struct {
	TransactionID string  `json:"transaction_id,omitempty"` // of a success
	Data          *string `json:"data,omitempty"`
	Status        int     `json:"status"`
}

// begin answers POST …/init, for providers of two steps. It succeeds with CUSTOM_REGISTRATION_INIT_SUCCESS; what the operator's
// service refuses is a 200 with its status, and CUSTOM_REGISTRATION_INIT_FAILURE.
func (h *Handler) begin(v version) echo.HandlerFunc {
	return func(c echo.Context) error {
		var body initBody
		proof, err := bind(c, v, &body)
		if err != nil {
			return err
		}
		s := h.Settings.Current()
		client, p, err := h.enter(c, s, v, proof, settings.CustomTwoStep, settings.TwoWayOTPByAPI)
		if err != nil {
			return err
		}
		ctx := c.Request().Context()
		id := secret.NewChallenge()
		r := store.CustomRegistration{Hash: h.hash(id), ClientID: client.ID, Provider: p.ID, APIVersion: int(v), CreatedAt: h.Now()}
		if p.Type == settings.TwoWayOTPByAPI {
			code, err := h.beginCodes(ctx, id, r)
			if err != nil {
				return err
			}
			return web.JSON(c, http.StatusOK, initAnswer{TransactionID: id, Data: &code, Status: statusSuccess})
		}
		a, err := h.ask(ctx, p, call{Type: askInit, RequestPayload: body.Data, Client: callerOf(client)})
		if err != nil {
			return err
		}
		if !a.ok() {
			h.Audit.Record(ctx, audit.CustomRegistrationInitFailure, append(a.details, audit.Count("status", a.status))...)
			return web.JSON(c, http.StatusOK, initAnswer{Data: a.data, Status: a.status})
		}
		r.ExpiresAt = r.CreatedAt.Add(transactionLife)
		err = h.Registrations.InTx(ctx, func(ctx context.Context) error {
			if err := h.Registrations.AddCustomRegistration(ctx, r); err != nil {
				return err
			}
			h.Audit.Record(ctx, audit.CustomRegistrationInitSuccess, append(a.details, audit.Count("status", a.status))...)
			return nil
		})
		if err != nil {
			return err
		}
		return web.JSON(c, http.StatusOK, initAnswer{TransactionID: id, Data: a.data, Status: a.status})
	}
}

// enter finds out who is calling and what for: the client, then the provider of the path, which must be one of the client's, then
// whether the client registers users at all.
func (h *Handler) enter(c echo.Context, s *settings.Snapshot, v version, proof proof, types ...settings.IdentityProviderType) (clientauth.Client, *settings.IdentityProvider, error) {
	client, err := h.client(c, s, v, proof)
	if err != nil {
		return client, nil, err
	}
	p, err := provider(s, c.Param("idp"), types...)
	if err != nil {
		return client, nil, err
	}
	switch about := audit.Detail("idp", p.ID); {
	case !assigned(client, p):
		return client, nil, providerForeign.About(about, audit.Reason("provider not assigned"))
	case client.Application != nil && !client.Application.RegistersUsers():
		return client, nil, registrationOff.About(about, audit.Reason("user registration is off"))
	}
	return client, p, nil
}

// hash is what is kept of a transaction id.
func (h *Handler) hash(transactionID string) []byte {
	return h.Keys.MAC(secret.ForCode, "custom registration", transactionID)
}
