package registration

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
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

// How a registration with a key fails, beside complete.go and the gate. It succeeds with 201 and DYNAMIC_REG_SUCCESS.
var (
	badStatement  = outcome.Failure{Code: outcome.InvalidClientStatement, Audit: audit.DynamicRegFailed, Text: "the client statement is not acceptable"}
	statementTime = outcome.Failure{Code: outcome.InvalidDatetime, Audit: audit.DynamicRegFailed, Text: "the clock of the device is wrong"}
	keyReuse      = outcome.Failure{
		Code: outcome.InvalidClientStatement, Audit: audit.DynamicRegFailed, Text: "the client statement is not acceptable",
		Attrs: []audit.Attr{audit.Reason("key_reuse")},
	}
	wrongSignature = outcome.Failure{
		Code: outcome.DeviceNotTrusted, Audit: audit.DynamicRegFailed, Text: "integrity",
		Attrs: []audit.Attr{audit.Reason("signature")},
	}
)

type registerRequest struct {
	Identifier        string            `json:"identifier"`
	ClientStatement   string            `json:"client_statement"`
	Attestations      []json.RawMessage `json:"attestations"`       // the policy is OFF: recorded as ignored
	SoftwareStatement string            `json:"software_statement"` // proves only an unmodified configuration file: recorded as ignored
	DeviceName        string            `json:"device_name"`
}

// ignored tells in the event which evidence was sent although nobody asked.
func ignored(attestations []json.RawMessage, softwareStatement string) []audit.Attr {
	var attrs []audit.Attr
	if len(attestations) > 0 {
		attrs = append(attrs, audit.Count("attestations_ignored", len(attestations)))
	}
	if softwareStatement != "" {
		attrs = append(attrs, audit.Flag("software_statement_ignored", true))
	}
	return attrs
}

// keyRegistered is the answer, with the names of RFC 7591 where it has them.
type keyRegistered struct {
	ClientID         string        `json:"client_id"`
	IssuedAt         int64         `json:"client_id_issued_at"` // seconds since 1970
	AuthMethod       string        `json:"token_endpoint_auth_method"`
	SigningAlgorithm string        `json:"token_endpoint_auth_signing_alg"`
	KeyID            string        `json:"kid"`
	APIVersion       int           `json:"api_version"`
	Configuration    configuration `json:"configuration"`
}

// registerKey checks the client statement and makes the installation. The challenge is gone whatever the outcome.
func (h *Handler) registerKey(c echo.Context) error {
	ctx, snapshot := c.Request().Context(), h.Settings.Current()
	app, err := h.enter(c, snapshot, registering, appgate.KeyProtocol)
	if err != nil {
		return err
	}
	var req registerRequest
	if err := bind(c, &req, badRegistration); err != nil {
		return err
	}
	if !identifierForm.MatchString(req.Identifier) || req.ClientStatement == "" {
		return badRegistration
	}
	challenge, err := h.takeForRegistration(ctx, req.Identifier, app)
	if err != nil {
		return err
	}
	s, err := h.acceptStatement(ctx, req.ClientStatement, app, challenge)
	if err != nil {
		return h.refuseStatement(err)
	}
	if err := h.unregistered(ctx, s.key.thumbprint); err != nil {
		return err
	}
	entry, ok := signatureOf(app, s)
	if !ok {
		return wrongSignature
	}
	configured, err := configurationOf(snapshot, app.Settings)
	if err != nil {
		return err
	}
	i := h.newInstallation(app, challenge.Identifier, req.DeviceName)
	i.KeyID, i.PublicJWK, i.SignatureIndex = s.key.thumbprint, s.key.jwk, entry
	err = h.add(ctx, i, append(ignored(req.Attestations, req.SoftwareStatement),
		audit.Detail("integrity_level", string(app.Release.Integrity())), audit.Detail("attestation", "none"))...)
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusCreated, keyRegistered{
		ClientID: i.ClientID, IssuedAt: i.CreatedAt.Unix(), AuthMethod: "private_key_jwt", SigningAlgorithm: "ES256",
		KeyID: i.KeyID, APIVersion: appgate.KeyProtocol, Configuration: configured,
	})
}

// acceptStatement verifies a statement, compares it with challenge and headers, and takes its jti.
// Errors: *statementError.
func (h *Handler) acceptStatement(ctx context.Context, text string, app appgate.App, challenge store.RegistrationChallenge) (statement, error) {
	s, err := parseStatement(text)
	if err != nil {
		return s, err
	}
	if err := s.check(app, challenge, h.Issuer, h.Now()); err != nil {
		return s, err
	}
	sum := sha256.Sum256([]byte(s.claims.ID))
	_, err = h.Once.ClaimOnce(ctx, "jti:"+s.claims.Issuer, hex.EncodeToString(sum[:]), "", s.usableUntil())
	if errors.Is(err, store.ErrConflict) {
		return s, &statementError{part: "jti"}
	}
	if err != nil {
		return s, fmt.Errorf("remember jti: %w", err)
	}
	return s, nil
}

// refuseStatement is the failure of a statement that was not accepted at registration.
func (h *Handler) refuseStatement(err error) error {
	var refused *statementError
	if !errors.As(err, &refused) {
		return err
	}
	reason := audit.Reason("statement:" + refused.part)
	switch {
	case refused.time:
		return statementTime.Because(err).About(reason).With("server_time", h.Now().Unix())
	case refused.contradictsHeaders():
		return registering.header().Because(err).About(reason)
	}
	return badStatement.Because(err).About(reason)
}

// contradictsHeaders: the same values stand in headers and statement and must be equal.
func (e *statementError) contradictsHeaders() bool {
	return e.part == "app" || e.part == "device" || e.part == "security_state"
}

// unregistered refuses a key that another installation has. The unique index decides races.
func (h *Handler) unregistered(ctx context.Context, thumbprint string) error {
	_, err := h.Installations.InstallationByKey(ctx, thumbprint)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("look for the key: %w", err)
	}
	return keyReuse
}

// signatureOf compares what the app computed about itself with the configured signatures, where the version wants it.
func signatureOf(app appgate.App, s statement) (entry int, ok bool) {
	if app.Release.Integrity() == settings.IntegrityNone {
		return 0, true
	}
	return appgate.SignatureMatches(app.Release.Signatures, s.claims.AppSignature)
}
