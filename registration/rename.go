package registration

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/store"
)

// How renaming a device fails, beside validation.go. It succeeds with 204 and MOBILE_CLIENT_DEVICE_NAME_UPDATED.
var badRename = outcome.Failure{
	Code: outcome.InvalidRequest, Audit: audit.MobileClientDeviceNameRefused, Text: "the body is malformed",
}

type renameRequest struct {
	DeviceName string `json:"device_name"` // "" = generated
	validationRequest
}

// rename stores the name under which the user sees the installation.
func (h *Handler) rename(c echo.Context) error {
	ctx, snapshot := c.Request().Context(), h.Settings.Current()
	var req renameRequest
	if err := bind(c, &req, badRename); err != nil {
		return err
	}
	client, err := h.Clients.Authenticate(ctx, snapshot, credentialsOf(c, req.validationRequest))
	var refused *clientauth.Refused
	switch {
	case errors.As(err, &refused):
		return h.refuseCredentials(ctx, refused, store.SecretPlain)
	case err != nil:
		return fmt.Errorf("authenticate installation: %w", err)
	case client.Installation == nil:
		return credentialsRefused.About(audit.Reason("not_an_installation"))
	}
	i := *client.Installation
	audit.Admit(ctx, audit.Client(i.ClientID), audit.App(i.Application, i.Platform, i.Version))
	if appgate.APIVersionDiffers(c.Request().Header, i) {
		return apiVersionNotAllowed.About(audit.Detail("endpoint", c.Path()), audit.Count("registered", i.APIVersion))
	}
	if !appgate.Usable(client.Version) {
		return validating.audited(versionDisabled, "", audit.ClientValidationVersionDisabled)
	}
	name := cleanName(req.DeviceName)
	if name == "" {
		if name, err = h.freeName(ctx, i, generatedName(i.Model, i.Platform)); err != nil {
			return err
		}
	}
	err = h.Installations.InTx(ctx, func(ctx context.Context) error {
		err := h.Devices.RenameInstallation(ctx, i.ClientID, name)
		if errors.Is(err, store.ErrNotFound) { // removed since it was read
			return credentialsRefused.About(audit.Reason(string(clientauth.UnknownClient)))
		}
		if err != nil {
			return err
		}
		h.Audit.Record(ctx, audit.MobileClientDeviceNameUpdated)
		return nil
	})
	if err != nil {
		return fmt.Errorf("rename device: %w", err)
	}
	return c.NoContent(http.StatusNoContent)
}
