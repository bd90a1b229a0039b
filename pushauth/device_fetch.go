package pushauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	protocol "tokenserver/internal/device"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How fetch fails, beside deviceVersionOff. It succeeds with 200 and PUSH_AUTH_FETCH_SECURED_MESSAGE_FETCHED.
var (
	fetchDisabled = deviceDisabled(audit.PushAuthFetchFailedInvalidTransaction)

	fetchInvalid = outcome.Failure{
		Code: outcome.InvalidTransaction, Number: numberNoTransaction,
		Audit: audit.PushAuthFetchFailedInvalidTransaction, Text: "Failed to fetch authentication message",
	}
	fetchedBefore = outcome.Failure{
		Code:  outcome.AlreadyFetched,
		Audit: audit.PushAuthFetchFailedTransactionAlreadyFetched, Text: "the message has been fetched before",
	}
	fetchExpired = outcome.Failure{
		Code:  outcome.Expired,
		Audit: audit.PushAuthFetchFailedTransactionExpired, Text: "the transaction has expired",
	}
)

// fetchRequest is the body of fetch.
type fetchRequest struct {
	Proof string `json:"proof"`
}

// fetchClaims is what the enrollment's key signs.
type fetchClaims struct {
	TransactionID string `json:"transaction_id"`
	User          string `json:"user"` // profile id
}

// fetch hands out the secured message of a transaction, once. The identical proof gets the identical reply for another
// 30 seconds, without another event: only that device can open it.
func (d *Device) fetch(c echo.Context) error {
	ctx, s := c.Request().Context(), d.Settings.Current()
	if !s.MobileAuthenticationOn() {
		return fetchDisabled
	}
	var req fetchRequest
	if err := web.BindJSON(c, &req); err != nil {
		return unreadable(err, fetchInvalid)
	}
	e, claims, hash, err := d.fetchProof(ctx, req.Proof)
	if err != nil {
		return refusedProof(err, fetchInvalid)
	}
	audit.Know(ctx, audit.Client(e.ClientID), audit.User(e.UserID), audit.Profile(e.ProfileID))
	if err := d.admit(c, s, e.Installation); err != nil {
		return err
	}
	t, err := d.Transactions.Transaction(ctx, claims.TransactionID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return fetchInvalid.Because(err).About(audit.Reason("unknown"))
	case err != nil:
		return err
	case t.EnrollmentID != e.ID:
		return fetchInvalid.About(audit.Reason("other_enrollment"))
	}
	audit.Know(ctx, audit.Transaction(t.ID))
	switch {
	case claims.User != t.ProfileID:
		return fetchInvalid.About(audit.Reason("other_user"))
	case t.State == store.Expired:
		return fetchExpired
	case t.State.Final():
		return fetchInvalid.About(audit.Reason("finished"))
	}
	challenge := secret.NewChallenge()
	reply, err := d.message(ctx, s, e, t, challenge)
	if err != nil {
		return err
	}
	repeat, err := d.Transactions.FetchTransaction(ctx, t.ID, hash, challenge, reply)
	if err != nil {
		return notFetched(err)
	}
	if repeat != "" {
		// The first attempt may have died between Redis and its event: then this one tells of the fetch.
		told, err := d.Outcomes.HasEvent(ctx, audit.PushAuthFetchSecuredMessageFetched, e.ClientID, t.ID)
		if err != nil {
			return err
		}
		reply = repeat
		if told {
			return web.JSON(c, http.StatusOK, map[string]string{"message": reply})
		}
	}
	d.Audit.Record(ctx, audit.PushAuthFetchSecuredMessageFetched, audit.Detail("method", string(t.Method)))
	return web.JSON(c, http.StatusOK, map[string]string{"message": reply})
}

// fetchProof verifies the proof of an enrollment and returns the device, the claims, and the hash of the proof.
func (d *Device) fetchProof(ctx context.Context, text string) (store.EnrolledDevice, fetchClaims, string, error) {
	var claims fetchClaims
	proof, err := protocol.ParseSigned(text)
	if err != nil {
		return store.EnrolledDevice{}, claims, "", err
	}
	if proof.KID == "" {
		return store.EnrolledDevice{}, claims, "", protocol.BadShape
	}
	e, err := d.Enrollments.EnrolledDevice(ctx, proof.KID)
	if errors.Is(err, store.ErrNotFound) {
		return e, claims, "", protocol.UnknownKey
	}
	if err != nil {
		return e, claims, "", fmt.Errorf("device of a proof: %w", err)
	}
	key, err := protocol.StoredKey(e.SigningKey)
	if err != nil {
		return e, claims, "", err
	}
	if err := d.Devices.Verify(ctx, proof, key, protocol.FetchType, &claims); err != nil {
		return e, claims, "", err
	}
	return e, claims, hex.EncodeToString(proof.Hash()), nil
}

// refusedProof turns what the device protocol refuses into a failure; a fault stays a fault.
func refusedProof(err error, f outcome.Failure) error {
	var refusal protocol.Refusal
	if errors.As(err, &refusal) {
		return f.Because(err).About(audit.Reason("proof_" + string(refusal)))
	}
	return err
}

// notFetched turns what Redis says into a failure.
func notFetched(err error) error {
	var state store.StateError
	switch {
	case errors.Is(err, store.ErrExpired):
		return fetchExpired.Because(err)
	case errors.As(err, &state) && state.State == store.Fetched:
		return fetchedBefore.Because(err)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrConflict):
		return fetchInvalid.Because(err).About(audit.Reason("finished"))
	}
	return err
}

// message signs and encrypts what the user is to see.
func (d *Device) message(ctx context.Context, s *settings.Snapshot, e store.EnrolledDevice, t store.Transaction, challenge string) (string, error) {
	claims := map[string]any{
		"iss": d.Devices.Issuer, "aud": e.ID, "iat": d.Now().Unix(), "exp": t.ExpiresAt.Unix(),
		"transaction_id": t.ID, "user": t.ProfileID, "method": lowerMethod(t.Method), "answer_version": t.AnswerVersion,
		"message": t.Message, "challenge": challenge, "pin_fallback": pinFallback(t.Method),
		"max_attempts": pinLimit(s, t), "remaining_attempts": nil,
	}
	if limit := pinLimit(s, t); limit > 0 {
		claims["remaining_attempts"] = max(limit-e.Profile.PINFailures, 0)
	}
	for field, sealed := range map[string]string{secureMessageField: t.SecureMessage, signingDataField: t.SigningData} {
		clear, err := openText(d.Keys, t.ID, field, sealed)
		if err != nil {
			return "", err
		}
		if clear != "" {
			claims[field] = clear
		}
	}
	key, err := protocol.StoredKey(e.EncryptionKey)
	if err != nil {
		return "", err
	}
	signed, err := d.ServerKeys.Sign(ctx, e.ServerSigKID, protocol.MessageType, claims)
	if err != nil {
		return "", fmt.Errorf("sign message with a server key: %s", err) //nolint:errorlint // a missing key of ours is a fault, not "not found"
	}
	return protocol.Encrypt(key, signed)
}

// pinLimit returns how many wrong PINs the application allows; 0 = unlimited.
func pinLimit(s *settings.Snapshot, t store.Transaction) int {
	if a := s.Application(t.Application); a != nil {
		return a.PINLimit()
	}
	return 0
}

// pinFallback tells whether the PIN may answer instead of the method.
func pinFallback(m store.Method) bool {
	switch m {
	case store.PushWithFingerprint, store.PushWithFIDO, store.PushWithCustomAuthenticator:
		return true
	default:
		return false
	}
}
