package registration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How an upgrade fails, beside the gate: always with DYNAMIC_UP_FAILED and a reason. The installation stays at its
// version and keeps its credential. It succeeds with 200 and DYNAMIC_UP_SUCCESS.
var (
	badUpgrade          = failedUpgrade(outcome.InvalidRequest, "invalid_request", "the request is malformed, or identifier or proof are missing")
	unknownUpgrade      = failedUpgrade(outcome.InvalidResponse, "unknown_identifier", "the challenge is unknown, expired or used, or its response is wrong")
	wrongUpgrade        = failedUpgrade(outcome.InvalidResponse, "invalid_response", "the challenge is unknown, expired or used, or its response is wrong")
	upgradeClock        = failedUpgrade(outcome.InvalidDatetime, "clock_skew", "the clock of the device is wrong")
	upgradeUnproven     = failedUpgrade(outcome.InvalidClient, "client_authentication", "the installation is not registered, or its credentials are wrong")
	upgradeKeyReuse     = failedUpgrade(outcome.InvalidClientStatement, "key_reuse", "the client statement is not acceptable")
	upgradeOtherKey     = failedUpgrade(outcome.InvalidClientStatement, "statement:jwk", "the client statement is not acceptable")
	upgradeSignature    = failedUpgrade(outcome.DeviceNotTrusted, "signature", "integrity")
	upgradeBadStatement = outcome.Failure{Code: outcome.InvalidClientStatement, Audit: audit.DynamicUpFailed, Text: "the client statement is not acceptable"}
)

func failedUpgrade(code outcome.Code, reason, text string) outcome.Failure {
	return outcome.Failure{Code: code, Audit: audit.DynamicUpFailed, Text: text, Attrs: []audit.Attr{audit.Reason(reason)}}
}

// upgraded is the answer. A secret is in it only when the old one has been replaced.
type upgraded struct {
	ClientSecret  string        `json:"client_secret,omitempty"`
	KeyID         string        `json:"kid,omitempty"`
	APIVersion    int           `json:"api_version"`
	Configuration configuration `json:"configuration"`
}

type upgradeSecretRequest struct {
	Identifier string `json:"identifier"`
	Response   string `json:"response"`
	Timestamp  *int64 `json:"timestamp"`
}

// upgradeSecret moves an installation with a secret to another version. The response proves the signature of the new
// version and the old secret together, so there is no other client authentication: a secret that is bound to the old
// signature could not be sent any more. A Basic header may name the client; it must be the right one.
func (h *Handler) upgradeSecret(c echo.Context) error {
	ctx, snapshot := c.Request().Context(), h.Settings.Current()
	app, err := h.enter(c, snapshot, upgrading, appgate.SecretProtocol)
	if err != nil {
		return err
	}
	var req upgradeSecretRequest
	if err := bind(c, &req, badUpgrade); err != nil {
		return err
	}
	if !identifierForm.MatchString(req.Identifier) || !responseForm.MatchString(req.Response) {
		return badUpgrade
	}
	challenge, i, err := h.takeForUpgrade(ctx, req.Identifier, app)
	if err != nil {
		return err
	}
	if id, _, basic := web.BasicCredentials(c.Request()); basic && id != i.ClientID {
		return unknownUpgrade.Because(errors.New("the challenge was handed out to another installation"))
	}
	if err := sameProtocol(c, app, i); err != nil {
		return err
	}
	proven, err := h.provenUpgrade(i, app, challenge.Challenge, req.Response)
	switch {
	case errors.Is(err, errUnproven) && skewed(req.Timestamp, h.Now()):
		return upgradeClock.With("server_time", h.Now().Unix())
	case errors.Is(err, errUnproven):
		return wrongUpgrade
	case err != nil:
		return err
	}
	configured, err := configurationOf(snapshot, app.Settings)
	if err != nil {
		return err
	}
	next := h.upgradedTo(i, challenge.Identifier, app)
	if !proven.prior { // else what the phone has is the prior secret, and stays it
		next.PriorSecretDigest, next.PriorUpgradeKey = i.SecretDigest, i.UpgradeKey
	}
	next.SignatureIndex = proven.signature.Entry
	clientSecret := h.mintSecret(&next, app, proven.signature.Key)
	if err := h.change(ctx, i, next, audit.Detail("secret_form", string(next.SecretForm)), audit.Flag("repeat", proven.prior)); err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, upgraded{ClientSecret: clientSecret, APIVersion: next.APIVersion, Configuration: configured})
}

// takeForUpgrade takes the challenge of an upgrade to the build in the headers, and reads its installation.
func (h *Handler) takeForUpgrade(ctx context.Context, identifier string, app appgate.App) (store.RegistrationChallenge, store.Installation, error) {
	challenge, err := h.Challenges.TakeRegistrationChallenge(ctx, identifier)
	switch {
	case unknown(err):
		return challenge, store.Installation{}, unknownUpgrade.Because(err)
	case err != nil:
		return challenge, store.Installation{}, fmt.Errorf("take upgrade challenge: %w", err)
	case challenge.Purpose != store.ForUpgrade || !sameBuild(challenge, app):
		return challenge, store.Installation{}, unknownUpgrade.Because(errors.New("the challenge was handed out for another purpose or build"))
	}
	i, err := h.Installations.Installation(ctx, challenge.ClientID)
	if errors.Is(err, store.ErrNotFound) { // removed since the validation
		return challenge, i, upgradeUnproven.Because(err)
	}
	if err != nil {
		return challenge, i, fmt.Errorf("read installation: %w", err)
	}
	audit.Know(ctx, audit.Client(i.ClientID))
	return challenge, i, nil
}

// errUnproven: no signature and no secret that the server knows gives this response.
var errUnproven = errors.New("response does not fit")

// upgradeProof is what a response proved.
type upgradeProof struct {
	signature appgate.SignatureKey // of the new version
	prior     bool                 // with the secret from before the last upgrade, whose answer was lost
}

// provenUpgrade checks a response under the upgrade key of the installation, or under the prior one while the new
// secret has not been used. Errors: errUnproven.
func (h *Handler) provenUpgrade(i store.Installation, app appgate.App, challenge, response string) (upgradeProof, error) {
	signatures := appgate.SignatureKeys(app.Release.Signatures)
	sealed := [][]byte{i.UpgradeKey}
	if i.PriorSecretOpen(h.Now()) {
		sealed = append(sealed, i.PriorUpgradeKey)
	}
	for n, s := range sealed {
		upgradeKey, err := h.Keys.Open(s, upgradeKeyPlace(i.ClientID))
		if err != nil {
			return upgradeProof{}, fmt.Errorf("open upgrade key: %w", err)
		}
		proven, err := provenKey(underUpgradeKey(signatures, upgradeKey), challenge, response, h.Now())
		if err != nil {
			return upgradeProof{}, err
		}
		if proven >= 0 {
			return upgradeProof{signatures[proven], n > 0}, nil
		}
	}
	return upgradeProof{}, errUnproven
}

// upgradedTo is the installation in its new version, with the credential it has.
func (h *Handler) upgradedTo(i store.Installation, identifier string, app appgate.App) store.Installation {
	i.RegistrationID, i.Version, i.APIVersion = identifier, app.Version, app.APIVersion
	i.OSVersion, i.Model, i.SDKVersion = app.OSVersion, app.Model, app.SDKVersion
	i.UpgradedAt, i.LastSeen = h.Now(), h.Now()
	return i
}

// change stores the upgrade together with its event, unless somebody else changed the installation since it was read.
func (h *Handler) change(ctx context.Context, before, next store.Installation, attrs ...audit.Attr) error {
	err := h.Installations.InTx(ctx, func(ctx context.Context) error {
		if err := h.Installations.ChangeInstallation(ctx, before.RegistrationID, next); err != nil {
			return err
		}
		h.Audit.Record(ctx, audit.DynamicUpSuccess, append(attrs, audit.Detail("from", before.Version), audit.Detail("to", next.Version))...)
		return nil
	})
	if errors.Is(err, store.ErrConflict) {
		return unknownUpgrade.Because(err)
	}
	if err != nil {
		return fmt.Errorf("change installation: %w", err)
	}
	return nil
}

type upgradeKeyRequest struct {
	Identifier        string            `json:"identifier"`
	ClientStatement   string            `json:"client_statement"`
	Attestations      []json.RawMessage `json:"attestations"`
	SoftwareStatement string            `json:"software_statement"`
	AssertionType     string            `json:"client_assertion_type"`
	Assertion         string            `json:"client_assertion"`
}

// upgradeKey moves an installation to another version by a signed statement: with the key that it has, or, from the
// secret protocol, with a new key that replaces the secret.
func (h *Handler) upgradeKey(c echo.Context) error {
	ctx, snapshot := c.Request().Context(), h.Settings.Current()
	app, err := h.enter(c, snapshot, upgrading, appgate.KeyProtocol)
	if err != nil {
		return err
	}
	var req upgradeKeyRequest
	if err := bind(c, &req, badUpgrade); err != nil {
		return err
	}
	if !identifierForm.MatchString(req.Identifier) || req.ClientStatement == "" {
		return badUpgrade
	}
	client, err := h.Clients.Authenticate(ctx, snapshot, credentialsOf(c, validationRequest{req.AssertionType, req.Assertion}))
	if err != nil {
		return h.refuseUpgrader(ctx, err)
	}
	challenge, i, err := h.takeForUpgrade(ctx, req.Identifier, app)
	if err != nil {
		return err
	}
	if client.ID != i.ClientID {
		return unknownUpgrade.Because(errors.New("the challenge was handed out to another installation"))
	}
	s, err := h.acceptStatement(ctx, req.ClientStatement, app, challenge)
	if err != nil {
		return h.refuseUpgradeStatement(err)
	}
	if err := h.acceptKey(ctx, i, s.key); err != nil {
		return err
	}
	entry, ok := signatureOf(app, s)
	if !ok {
		return upgradeSignature
	}
	configured, err := configurationOf(snapshot, app.Settings)
	if err != nil {
		return err
	}
	next := h.upgradedTo(i, challenge.Identifier, app)
	next.KeyID, next.PublicJWK, next.SignatureIndex = s.key.thumbprint, s.key.jwk, entry
	next.SecretForm, next.SecretDigest, next.UpgradeKey = "", nil, nil // a former secret is void
	next.PriorSecretDigest, next.PriorUpgradeKey = nil, nil
	err = h.change(ctx, i, next, append(ignored(req.Attestations, req.SoftwareStatement),
		audit.Detail("integrity_level", string(app.Release.Integrity())), audit.Flag("from_secret", i.KeyID == ""))...)
	if err != nil {
		return err
	}
	return web.JSON(c, http.StatusOK, upgraded{KeyID: next.KeyID, APIVersion: next.APIVersion, Configuration: configured})
}

// refuseUpgrader is the failure of an upgrade whose caller did not prove itself.
func (h *Handler) refuseUpgrader(ctx context.Context, err error) error {
	var refused *clientauth.Refused
	switch {
	case !errors.As(err, &refused):
		return fmt.Errorf("authenticate installation: %w", err)
	case refused.Reason == clientauth.Throttled:
		return h.refuseCredentials(ctx, refused, "")
	case refused.Known:
		return upgradeUnproven.Because(err).About(audit.Client(refused.ClientID), audit.Detail("authentication", string(refused.Reason)))
	}
	return upgradeUnproven.Because(err).About(audit.Detail("authentication", string(refused.Reason)))
}

// acceptKey wants the registered key of an installation that has one, and a key that nobody has of one that has none.
func (h *Handler) acceptKey(ctx context.Context, i store.Installation, key clientKey) error {
	if i.KeyID != "" {
		if key.thumbprint != i.KeyID {
			return upgradeOtherKey
		}
		return nil
	}
	_, err := h.Installations.InstallationByKey(ctx, key.thumbprint)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("look for the key: %w", err)
	}
	return upgradeKeyReuse
}

// refuseUpgradeStatement is the failure of a statement that was not accepted at an upgrade.
func (h *Handler) refuseUpgradeStatement(err error) error {
	var refused *statementError
	if !errors.As(err, &refused) {
		return err
	}
	reason := audit.Reason("statement:" + refused.part)
	switch {
	case refused.time:
		f := upgradeBadStatement
		f.Code, f.Text = statementTime.Code, statementTime.Text
		return f.Because(err).About(reason).With("server_time", h.Now().Unix())
	case refused.contradictsHeaders():
		return upgrading.header().Because(err).About(audit.Reason(string(appgate.HeaderStep)), audit.Detail("statement", refused.part))
	}
	return upgradeBadStatement.Because(err).About(reason)
}
