package registration

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How a validation fails, beside the gate. It succeeds with 200 and CLIENT_CREDENTIALS_CHECK_SUCCESS or _SKIPPED, or
// with CLIENT_VALIDATION_UPGRADE_INITIALIZED when the app has to prove its new version first.
var (
	badValidation = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.ClientCredentialsCheckFailed, Text: "the body is malformed",
		Attrs: []audit.Attr{audit.Reason("invalid_request")},
	}
	credentialsRefused = outcome.Failure{
		Code: outcome.InvalidClient, Audit: audit.ClientCredentialsCheckFailed, Text: "the installation is not registered, or its credentials are wrong",
	}
	credentialsThrottled = outcome.Failure{Code: outcome.TooManyRequests, Text: "too many failed attempts for this client, try again in a minute"}
	abuseDetected        = outcome.Failure{
		Code: outcome.DeviceNotTrusted, Audit: audit.ClientValidationAbuseDetected, Text: "integrity",
		Attrs: []audit.Attr{audit.Reason("signature")},
	}
)

const (
	statusValid   = "VALID"
	statusUpgrade = "UPGRADE_REQUIRED"
)

// validationRequest carries the credentials of an installation with a key; one with a secret sends an empty object.
type validationRequest struct {
	AssertionType string `json:"client_assertion_type"`
	Assertion     string `json:"client_assertion"`
}

// validated is the answer to an installation that is good. Configuration is left out when the app has it already.
type validated struct {
	Status        string         `json:"status"`
	Configuration *configuration `json:"configuration,omitempty"`
	Profiles      []string       `json:"profiles"` // those the server knows; the app removes all others
	ServerTime    int64          `json:"server_time"`
}

// upgradeDue is the answer to an app that has to prove its version.
type upgradeDue struct {
	Status string `json:"status"`
	handedOut
}

// caller is the installation that claims to call, before anything is proved.
type caller struct {
	store.Installation
	app         appgate.App
	credentials clientauth.Credentials
}

func (h *Handler) validateSecret(c echo.Context) error { return h.validate(c, appgate.SecretProtocol) }

func (h *Handler) validateKey(c echo.Context) error { return h.validate(c, appgate.KeyProtocol) }

// validate is the check at the start of an app: is the registration good, is an upgrade due, what is the configuration.
func (h *Handler) validate(c echo.Context, protocol int) error {
	ctx, snapshot := c.Request().Context(), h.Settings.Current()
	app, err := h.enter(c, snapshot, validating, protocol)
	if err != nil {
		return err
	}
	var req validationRequest
	if err := bind(c, &req, badValidation); err != nil {
		return err
	}
	who, err := h.identify(ctx, app, credentialsOf(c, req))
	if err != nil {
		return err
	}
	if err := sameProtocol(c, app, who.Installation); err != nil {
		return err
	}
	if who.Application != app.Application || who.Platform != app.Platform {
		return validating.header().About(audit.Reason("app_mismatch"))
	}
	if h.upgradeNeeded(who) {
		return h.demandUpgrade(c, who)
	}
	code, proven, err := h.checkCredentials(ctx, snapshot, who)
	if err != nil {
		return err
	}
	configured, err := configurationOf(snapshot, app.Settings)
	if err != nil {
		return err
	}
	answer := validated{Status: statusValid, Configuration: &configured, ServerTime: h.Now().Unix()}
	if answer.Profiles, err = h.confirm(ctx, snapshot, c.Request().Header, who, code, proven); err != nil {
		return err
	}
	c.Response().Header().Set("ETag", `"`+configured.Version+`"`)
	if matches(c.Request().Header.Values("If-None-Match"), configured.Version) {
		answer.Configuration = nil
	}
	return web.JSON(c, http.StatusOK, answer)
}

// credentialsOf collects every way in which the request tries to authenticate.
func credentialsOf(c echo.Context, req validationRequest) clientauth.Credentials {
	id, password, basic := web.BasicCredentials(c.Request())
	return clientauth.Credentials{
		Basic: basic, BasicID: id, BasicSecret: password, AssertionType: req.AssertionType, Assertion: req.Assertion,
	}
}

// identify finds the installation that the credentials name.
func (h *Handler) identify(ctx context.Context, app appgate.App, c clientauth.Credentials) (caller, error) {
	id := c.BasicID
	if !c.Basic {
		id = clientauth.ClaimedClient(c.Assertion)
	}
	if id == "" {
		return caller{}, credentialsRefused.About(audit.Reason(string(clientauth.Missing)))
	}
	unknownClient := credentialsRefused.About(audit.Reason(string(clientauth.UnknownClient)), audit.Detail("named", clip(id)))
	if !clientIDForm.MatchString(id) { // foreign bytes do not reach the database
		return caller{}, unknownClient
	}
	i, err := h.Installations.Installation(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return caller{}, unknownClient
	}
	if err != nil {
		return caller{}, fmt.Errorf("find installation: %w", err)
	}
	audit.Know(ctx, audit.Client(i.ClientID))
	return caller{i, app, c}, nil
}

// upgradeNeeded tells whether the version of the headers can be entered only by a proof. An app whose last upgrade
// answer was lost still sends the old secret: it may prove itself again.
func (h *Handler) upgradeNeeded(who caller) bool {
	if who.Version != who.app.Version {
		return appgate.NeedsProof(who.app.Settings, who.app.Release, who.APIVersion)
	}
	return who.PriorSecretOpen(h.Now()) && !who.app.Settings.DevelopmentMode &&
		!h.Keys.Equal(secret.ForClientSecret, who.SecretDigest, who.credentials.BasicSecret)
}

// demandUpgrade hands out the challenge of an upgrade. It grants nothing: the upgrade itself needs the old credential.
func (h *Handler) demandUpgrade(c echo.Context, who caller) error {
	ctx := c.Request().Context()
	challenge := h.newChallenge(who.app)
	challenge.Purpose, challenge.ClientID, challenge.APIVersion = store.ForUpgrade, who.ClientID, who.APIVersion
	if err := h.Challenges.AddRegistrationChallenge(ctx, challenge); err != nil {
		return fmt.Errorf("keep upgrade challenge: %w", err)
	}
	h.Audit.Record(ctx, audit.ClientValidationUpgradeInitialized, audit.Detail("from", who.Version), audit.Detail("to", who.app.Version))
	return web.JSON(c, http.StatusOK, upgradeDue{statusUpgrade, h.handOut(challenge)})
}

// checkCredentials proves the caller. In development mode nothing is looked at, except before another version is
// stored: proven tells whether that may happen.
func (h *Handler) checkCredentials(ctx context.Context, s *settings.Snapshot, who caller) (code audit.Code, proven bool, err error) {
	skipped := who.APIVersion == appgate.SecretProtocol && who.app.Settings.DevelopmentMode
	if skipped && who.Version == who.app.Version {
		return audit.ClientCredentialsCheckSkipped, false, nil
	}
	_, err = h.Clients.Authenticate(ctx, s, who.credentials)
	var refused *clientauth.Refused
	switch {
	case err == nil && skipped:
		return audit.ClientCredentialsCheckSkipped, true, nil
	case err == nil:
		return audit.ClientCredentialsCheckSuccess, true, nil
	case !errors.As(err, &refused):
		return "", false, fmt.Errorf("check client credentials: %w", err)
	case skipped:
		return audit.ClientCredentialsCheckSkipped, false, nil
	}
	return "", false, h.refuseCredentials(ctx, refused, who.SecretForm)
}

// refuseCredentials is the failure of credentials that are wrong. A secret that is bound to the signature of the app is
// wrong when the app has been changed.
func (h *Handler) refuseCredentials(ctx context.Context, refused *clientauth.Refused, form store.SecretForm) error {
	switch {
	case refused.Reason == clientauth.Throttled:
		if refused.Report > 0 {
			h.Audit.Record(ctx, audit.RateLimitExceeded, audit.Detail("limit", "client-authentication"), audit.Count("refusals", refused.Report))
		}
		return credentialsThrottled.Because(refused)
	case refused.Reason == clientauth.WrongSecret && form == store.SecretBound:
		return abuseDetected.Because(refused)
	}
	return credentialsRefused.Because(refused).About(audit.Reason(string(refused.Reason)))
}

// confirm stores what the phone reports, and the version it runs when it has proved itself and no proof is needed.
// It returns the profiles of the installation.
func (h *Handler) confirm(ctx context.Context, s *settings.Snapshot, header http.Header, who caller, code audit.Code, proven bool) ([]string, error) {
	var ids []string
	err := h.Installations.InTx(ctx, func(ctx context.Context) error {
		ids = []string{}
		err := h.Devices.TouchInstallation(ctx, who.ClientID, who.app.OSVersion, who.app.Model, who.app.SDKVersion, h.Now())
		if errors.Is(err, store.ErrNotFound) { // removed since it was read
			return credentialsRefused.About(audit.Reason(string(clientauth.UnknownClient)))
		}
		if err != nil {
			return err
		}
		h.Audit.Record(ctx, code)
		if proven {
			if _, _, err := h.Gate.Move(ctx, s, who.Installation, header); err != nil {
				return err
			}
		}
		profiles, err := h.Devices.ProfilesOf(ctx, who.ClientID)
		for _, p := range profiles {
			ids = append(ids, p.ProfileID)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("confirm installation: %w", err)
	}
	return ids, nil
}

// matches tells whether the app has that version of the configuration already (RFC 9110 §13.1.2).
func matches(headers []string, version string) bool {
	for tag := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		if strings.Trim(strings.TrimPrefix(strings.TrimSpace(tag), "W/"), `"`) == version {
			return true
		}
	}
	return false
}

func clip(id string) string { return id[:min(len(id), 64)] }
