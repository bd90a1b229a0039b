package enrollment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/device"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// initRequest is the body of the first step.
type initRequest struct {
	Keys          []json.RawMessage `json:"keys"` // public JWKs, one for signatures and one for encryption
	AccessToken   string            `json:"access_token"`
	AssertionType string            `json:"client_assertion_type"`
	Assertion     string            `json:"client_assertion"`
	PushToken     string            `json:"push_token"`
	Proof         string            `json:"proof"`
}

// initClaims is what the new signing key signs.
type initClaims struct {
	Step      string `json:"step"`
	ClientID  string `json:"client_id"`
	ProfileID string `json:"profile_id"`
	KeysHash  string `json:"keys_hash"`
}

// How begin fails, beside featureOff, enrollmentOff, versionOff, tokenInUse and alreadyEnrolled. It succeeds with 201
// and ENROLLMENT_INITIALIZED.
var (
	initBadRequest = outcome.Failure{
		Code:  outcome.InvalidRequest,
		Audit: audit.EnrollmentInitFailureInvalidReq, Text: "keys, push token or proof are missing or wrong",
	}
	initBadClient = outcome.Failure{
		Code:  outcome.InvalidClient,
		Audit: audit.EnrollmentInitFailureInvalidToken, Text: "the installation could not be authenticated",
		Attrs: []audit.Attr{audit.Reason("client_authentication")},
	}
	// initThrottled has its event once a minute.
	initThrottled = outcome.Failure{Code: outcome.TooManyRequests, Text: "too many failed attempts of this client, try again in a minute"}
	initBadToken  = outcome.Failure{
		Code:  outcome.InvalidToken,
		Audit: audit.EnrollmentInitFailureInvalidToken, Text: "the access token of the user is missing or not usable",
	}
	pushEnrollmentOff = outcome.Failure{
		Code:  outcome.EnrollmentDisabled,
		Audit: audit.EnrollmentFailureDisabled, Text: "enrollment for push is disabled", Attrs: []audit.Attr{audit.Reason("push")},
	}
)

// begin takes the keys of a new app instance. The installation and its user must prove themselves, so that a stolen
// user token alone enrolls nothing; and so must the new signing key.
func (h *Handler) begin(c echo.Context) error {
	ctx, s := c.Request().Context(), h.Settings.Current()
	if err := open(s); err != nil {
		return err
	}
	var req initRequest
	if err := web.BindJSON(c, &req); err != nil {
		return unreadable(err, initBadRequest)
	}
	i, err := h.client(c, s, req)
	if err != nil {
		return err
	}
	if i, err = h.admit(c, s, i); err != nil {
		return err
	}
	user, err := h.user(c, i, req)
	if err != nil {
		return err
	}
	e, err := h.candidate(ctx, i, user, req)
	if err != nil {
		return err
	}
	if e.PushTokenHash != nil && !s.Document.MobileAuthentication.PushEnrollmentOn() {
		return pushEnrollmentOff
	}
	p, err := h.find(ctx, s.Document.MobileAuthentication.Mode(), e)
	if err != nil {
		return err
	}
	pending := store.PendingEnrollment{
		Enrollment: e, Step: store.EnrollmentStarted, Challenge: secret.NewChallenge(), ExpiresAt: h.Now().Add(lifetime),
	}
	pending.FirstChallenge = pending.Challenge
	if err := h.Pending.StartEnrollment(ctx, pending); err != nil {
		return fmt.Errorf("start enrollment: %w", err)
	}
	if len(p.reinstalled) > 0 {
		if err := h.dropReinstalled(ctx, s, e); err != nil {
			return err
		}
	}
	h.Audit.Record(ctx, audit.EnrollmentInitialized, audit.Detail("enrollment_id", e.ID),
		audit.Flag("push", e.PushTokenHash != nil))
	return web.JSON(c, http.StatusCreated, map[string]any{
		"enrollment_id": e.ID, "challenge": pending.Challenge, "expires_in": int(lifetime.Seconds()),
	})
}

// client authenticates the installation: Basic with API version 1, an assertion in the body with API version 2.
func (h *Handler) client(c echo.Context, s *settings.Snapshot, req initRequest) (store.Installation, error) {
	credentials := clientauth.Credentials{AssertionType: req.AssertionType, Assertion: req.Assertion}
	credentials.BasicID, credentials.BasicSecret, credentials.Basic = web.BasicCredentials(c.Request())
	client, err := h.Clients.Authenticate(c.Request().Context(), s, credentials)
	var refused *clientauth.Refused
	switch {
	case errors.As(err, &refused):
		return store.Installation{}, refusedClient(refused)
	case err != nil:
		return store.Installation{}, fmt.Errorf("authenticate installation: %w", err)
	case client.Installation == nil:
		return store.Installation{}, initBadClient.About(audit.Detail("client_authentication", "no_installation"))
	}
	return *client.Installation, nil
}

// refusedClient chooses the failure of an installation that could not prove itself.
func refusedClient(r *clientauth.Refused) error {
	if r.Reason == clientauth.Throttled {
		failure := initThrottled.Because(r)
		if r.Report > 0 {
			failure.Audit = audit.RateLimitExceeded
			failure = failure.About(audit.Client(r.ClientID), audit.Count("refusals", r.Report))
		}
		return failure
	}
	failure := initBadClient.Because(r).About(audit.Detail("client_authentication", string(r.Reason)))
	if r.Known {
		failure = failure.About(audit.Client(r.ClientID))
	}
	return failure
}

// user checks the access token: a live one of kind DEFAULT, of this installation and of a profile that it has.
func (h *Handler) user(c echo.Context, i store.Installation, req initRequest) (store.Profile, error) {
	ctx, bearer := c.Request().Context(), web.BearerToken(c)
	if bearer != "" && req.AccessToken != "" {
		return store.Profile{}, initBadRequest.About(audit.Reason("two_access_tokens"))
	}
	token, err := h.Tokens.Verify(ctx, bearer+req.AccessToken)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.Profile{}, initBadToken.Because(err).About(audit.Reason("unknown"))
	case errors.Is(err, store.ErrExpired):
		return store.Profile{}, initBadToken.Because(err).About(audit.Reason("expired"))
	case errors.Is(err, store.ErrRevoked):
		return store.Profile{}, initBadToken.Because(err).About(audit.Reason("revoked"))
	case err != nil:
		return store.Profile{}, fmt.Errorf("verify access token: %w", err)
	case token.ClientID != i.ClientID:
		return store.Profile{}, initBadToken.About(audit.Reason("other_client"))
	case token.Kind != store.DefaultToken:
		return store.Profile{}, initBadToken.About(audit.Reason("kind"), audit.Detail("kind", string(token.Kind)))
	case token.UserID == "" || token.ProfileID == "":
		return store.Profile{}, initBadToken.About(audit.Reason("no_user"))
	}
	profile, err := h.Installations.Profile(ctx, i.ClientID, token.ProfileID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && profile.UserID != token.UserID:
		return store.Profile{}, initBadToken.Because(err).About(audit.Reason("no_profile"))
	case err != nil:
		return store.Profile{}, fmt.Errorf("profile of an access token: %w", err)
	}
	audit.Know(ctx, audit.User(profile.UserID), audit.Profile(profile.ProfileID))
	return profile, nil
}

// candidate checks keys, push token and proof, and returns the enrollment that would be.
func (h *Handler) candidate(ctx context.Context, i store.Installation, user store.Profile, req initRequest) (store.Enrollment, error) {
	sign, encrypt, err := deviceKeys(req.Keys)
	if err != nil {
		return store.Enrollment{}, initBadRequest.Because(err).About(audit.Reason("keys"))
	}
	if req.PushToken != "" && !wellFormed(i.Platform, req.PushToken) {
		return store.Enrollment{}, initBadRequest.About(audit.Reason("push_token"))
	}
	proof, err := device.ParseSigned(req.Proof)
	if err != nil {
		return store.Enrollment{}, refuse(err, initBadRequest)
	}
	if proof.KID != "" || !proof.Key.Equal(sign) {
		return store.Enrollment{}, initBadRequest.About(audit.Reason("proof_key"))
	}
	var claims initClaims
	if err := h.Devices.Verify(ctx, proof, sign, device.EnrollType, &claims); err != nil {
		return store.Enrollment{}, refuse(err, initBadRequest)
	}
	switch {
	case claims.Step != "init", claims.ClientID != i.ClientID, claims.KeysHash != device.KeysHash(sign, encrypt):
		return store.Enrollment{}, initBadRequest.About(audit.Reason("proof_claims"))
	case claims.ProfileID != user.ProfileID:
		return store.Enrollment{}, initBadToken.About(audit.Reason("other_profile"))
	}
	now := h.Now()
	e := store.Enrollment{
		ID: h.NewID(), ClientID: i.ClientID, UserID: user.UserID, ProfileID: user.ProfileID, Application: i.Application,
		Platform: i.Platform, SigningKey: sign.JWK(), EncryptionKey: encrypt.JWK(), PushState: store.PushNone,
		DeviceName: i.DeviceName, CreatedAt: now, UpdatedAt: now,
	}
	if req.PushToken != "" {
		e.PushState = store.PushActive
		e.PushTokenHash = hashToken(h.Keys, i.Platform, req.PushToken)
		e.PushToken = h.Keys.Seal([]byte(req.PushToken), e.PushTokenPlace())
	}
	return e, nil
}

// deviceKeys reads the public keys of a device: one for signatures, another one for encryption.
func deviceKeys(jwks []json.RawMessage) (sign, encrypt device.PublicKey, err error) {
	keys := map[store.KeyPurpose]device.PublicKey{}
	for _, jwk := range jwks {
		key, err := device.ParsePublicKey(jwk)
		if err != nil {
			return sign, encrypt, err
		}
		if key.KID == "" {
			key.KID = key.Thumbprint()
		}
		keys[key.Use] = key
	}
	sign, signs := keys[store.KeyForSignature]
	encrypt, encrypts := keys[store.KeyForEncryption]
	if len(jwks) != 2 || !signs || !encrypts || sign.Equal(encrypt) {
		return sign, encrypt, errors.New("want one key for signatures and another one for encryption")
	}
	return sign, encrypt, nil
}

// dropReinstalled removes what an earlier copy of the app left behind. What the mode says is asked again, because
// others may have enrolled meanwhile.
func (h *Handler) dropReinstalled(ctx context.Context, s *settings.Snapshot, e store.Enrollment) error {
	return h.Enrollments.InTx(ctx, func(ctx context.Context) error {
		if err := h.PushTokens.TakeTurn(ctx, turns(e)...); err != nil {
			return err
		}
		p, err := h.find(ctx, s.Document.MobileAuthentication.Mode(), e)
		if err != nil {
			return err
		}
		return h.drop(ctx, p.reinstalled, "reinstall")
	})
}
