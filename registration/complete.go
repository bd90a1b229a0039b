package registration

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How a completion fails, beside the gate. It succeeds with 201 and DYNAMIC_REG_SUCCESS.
var (
	badRegistration  = outcome.Failure{Code: outcome.InvalidRequest, Audit: audit.DynamicRegInvalidRequest, Text: "the request is malformed, or identifier or proof are missing"}
	unknownChallenge = outcome.Failure{
		Code: outcome.InvalidResponse, Audit: audit.DynamicRegFailed, Text: "the challenge is unknown, expired or used, or its response is wrong",
		Attrs: []audit.Attr{audit.Reason("unknown_identifier")},
	}
	wrongResponse = outcome.Failure{
		Code: outcome.InvalidResponse, Audit: audit.DynamicRegFailed, Text: "the challenge is unknown, expired or used, or its response is wrong",
		Attrs: []audit.Attr{audit.Reason("invalid_response")},
	}
	wrongClock = outcome.Failure{
		Code: outcome.InvalidDatetime, Audit: audit.DynamicRegFailed, Text: "the clock of the device is wrong",
		Attrs: []audit.Attr{audit.Reason("clock_skew")},
	}
)

type completeRequest struct {
	Identifier string `json:"identifier"`
	Response   string `json:"response"`  // 64 hex digits
	Timestamp  *int64 `json:"timestamp"` // clock of the phone in seconds; only explains a failure
	DeviceName string `json:"device_name"`
}

// validate checks the shape. In development mode any response does, as long as there is one.
func (r completeRequest) validate(developmentMode bool) error {
	if !identifierForm.MatchString(r.Identifier) || r.Response == "" {
		return errors.New("identifier or response missing or malformed")
	}
	if !developmentMode && !responseForm.MatchString(r.Response) {
		return errors.New("response malformed")
	}
	return nil
}

// secretRegistered is the answer that hands out a secret. It is not kept and cannot be asked for again.
type secretRegistered struct {
	ClientID      string        `json:"client_id"`
	ClientSecret  string        `json:"client_secret"`
	APIVersion    int           `json:"api_version"`
	Configuration configuration `json:"configuration"`
}

// completeSecret checks the response to the challenge and makes the installation. The challenge is gone whatever the
// outcome.
func (h *Handler) completeSecret(c echo.Context) error {
	ctx, snapshot := c.Request().Context(), h.Settings.Current()
	app, err := h.enter(c, snapshot, registering, appgate.SecretProtocol)
	if err != nil {
		return err
	}
	var req completeRequest
	if err := bind(c, &req, badRegistration); err != nil {
		return err
	}
	if err := req.validate(app.Settings.DevelopmentMode); err != nil {
		return badRegistration.Because(err)
	}
	challenge, err := h.takeForRegistration(ctx, req.Identifier, app)
	if err != nil {
		return err
	}
	keys := appgate.SignatureKeys(app.Release.Signatures)
	proven, err := provenKey(keys, challenge.Challenge, req.Response, h.Now())
	if err != nil {
		return err
	}
	if proven < 0 && !app.Settings.DevelopmentMode {
		if skewed(req.Timestamp, h.Now()) {
			return wrongClock.With("server_time", h.Now().Unix())
		}
		return wrongResponse
	}
	configured, err := configurationOf(snapshot, app.Settings)
	if err != nil {
		return err
	}
	i := h.newInstallation(app, challenge.Identifier, req.DeviceName)
	var bindTo []byte
	if !app.Settings.DevelopmentMode { // which ignores signatures and tampering protection
		i.SignatureIndex, bindTo = keys[proven].Entry, keys[proven].Key
	}
	clientSecret := h.mintSecret(&i, app, bindTo)
	if err := h.add(ctx, i, audit.Detail("secret_form", string(i.SecretForm)), audit.Flag("development_mode", app.Settings.DevelopmentMode)); err != nil {
		return err
	}
	return web.JSON(c, http.StatusCreated, secretRegistered{i.ClientID, clientSecret, appgate.SecretProtocol, configured})
}

// takeForRegistration takes the challenge of a registration that began with the same headers.
func (h *Handler) takeForRegistration(ctx context.Context, identifier string, app appgate.App) (store.RegistrationChallenge, error) {
	challenge, err := h.Challenges.TakeRegistrationChallenge(ctx, identifier)
	switch {
	case unknown(err):
		return challenge, unknownChallenge.Because(err)
	case err != nil:
		return challenge, fmt.Errorf("take registration challenge: %w", err)
	case challenge.Purpose != store.ForRegistration || challenge.APIVersion != app.APIVersion || !sameBuild(challenge, app):
		return challenge, unknownChallenge.Because(errors.New("the challenge was handed out for another purpose or build"))
	}
	return challenge, nil
}

func sameBuild(c store.RegistrationChallenge, app appgate.App) bool {
	return c.Application == app.Application && c.Platform == app.Platform && c.Version == app.Version
}

func (h *Handler) newInstallation(app appgate.App, registrationID, deviceName string) store.Installation {
	name := cleanName(deviceName)
	if name == "" {
		name = generatedName(app.Model, app.Platform)
	}
	now := h.Now()
	return store.Installation{
		ClientID: secret.NewToken(), RegistrationID: registrationID,
		Application: app.Application, Platform: app.Platform, Version: app.Version, APIVersion: app.APIVersion,
		OSVersion: app.OSVersion, Model: app.Model, SDKVersion: app.SDKVersion, DeviceName: name,
		CreatedAt: now, LastSeen: now,
	}
}

// add stores the installation together with its event. Its registration id is unique, so that of all completions of
// one challenge one succeeds, whatever Redis remembers.
func (h *Handler) add(ctx context.Context, i store.Installation, attrs ...audit.Attr) error {
	err := h.Installations.InTx(ctx, func(ctx context.Context) error {
		if err := h.Installations.AddInstallation(ctx, i); err != nil {
			return err
		}
		h.Audit.Record(ctx, audit.DynamicRegSuccess, append(attrs, audit.Client(i.ClientID))...)
		return nil
	})
	if errors.Is(err, store.ErrConflict) {
		return unknownChallenge.Because(err)
	}
	if err != nil {
		return fmt.Errorf("add installation: %w", err)
	}
	return nil
}
