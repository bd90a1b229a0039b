package pushauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	protocol "tokenserver/internal/device"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How answer fails before anything is decided, in the order of its checks. See device_decide.go for the rest, and
// deviceVersionOff. It succeeds with 200 and PUSH_AUTH_AUTHENTICATED or PUSH_AUTH_NOT_AUTHENTICATED.
var (
	answerDisabled = deviceDisabled(audit.PushAuthNotAuthenticatedInvalidTransaction)

	answerInvalidTransaction = outcome.Failure{
		Code:  outcome.InvalidTransaction,
		Audit: audit.PushAuthNotAuthenticatedInvalidTransaction, Text: "there is no such transaction to answer",
	}
	answerConflict = outcome.Failure{
		Code:  outcome.TransactionConflict,
		Audit: audit.PushAuthNotAuthenticatedInvalidTransaction, Text: "the transaction has not been fetched, or another answer was faster",
	}
	answerExpired = outcome.Failure{
		Code:  outcome.Expired,
		Audit: audit.PushAuthNotAuthenticatedTransactionExpired, Text: "the transaction has expired",
	}
	answerWrongVersion = outcome.Failure{
		Code:  outcome.InvalidEndpointVersion,
		Audit: audit.PushAuthNotAuthenticatedInvalidEndpointVersion, Text: "this transaction is answered at the other version of this endpoint",
	}
	answerUndecryptable = outcome.Failure{
		Code:  outcome.DecryptionFailed,
		Audit: audit.PushAuthNotAuthenticatedFailedToDecryptMessage, Text: "the answer could not be decrypted",
	}
	answerBadSignature = outcome.Failure{
		Code:  outcome.InvalidToken,
		Audit: audit.PushAuthNotAuthenticatedInvalidToken, Text: "the answer is not signed as it must be",
	}
	answerBadClaims = outcome.Failure{
		Code:  outcome.UnacceptableToken,
		Audit: audit.PushAuthNotAuthenticatedInvalidToken, Text: "the answer does not fit the transaction",
	}
)

// answerRequest is the body of an answer. The transaction id stands beside the answer because that may be encrypted.
type answerRequest struct {
	TransactionID string `json:"transaction_id"`
	Answer        string `json:"answer"` // compact JWE or JWS
}

// answerClaims is what the enrollment's key signs.
type answerClaims struct {
	TransactionID string `json:"transaction_id"`
	User          string `json:"user"`     // profile id
	Response      string `json:"response"` // accept or deny
	Challenge     string `json:"challenge"`
	Method        string `json:"method"`        // with accept
	RefreshToken  string `json:"refresh_token"` // what the PIN unmasked
	Signature     string `json:"signature"`     // base64 of ASN.1 DER, with transaction signing
}

const (
	accept = "accept"
	deny   = "deny"

	longestRefreshToken = 128
)

// presented is one answer on its way through the checks.
type presented struct {
	store.Transaction
	settings   *settings.Snapshot
	enrollment store.Enrollment
	key        protocol.PublicKey // of the enrollment, for signatures
	claims     answerClaims
	signature  []byte // decoded claims.Signature
	text       string // the JWS
	serverKID  string // of our key that it was encrypted to; "" = not encrypted
	hash       []byte // of the JWS
}

// answer takes the signed answer of the phone. version is that of the endpoint.
func (d *Device) answer(c echo.Context, version int) error {
	ctx, s := c.Request().Context(), d.Settings.Current()
	if !s.MobileAuthenticationOn() {
		return answerDisabled
	}
	var req answerRequest
	if err := web.BindJSON(c, &req); err != nil {
		return unreadable(err, answerInvalidTransaction)
	}
	if req.TransactionID == "" || req.Answer == "" {
		return answerInvalidTransaction.About(audit.Reason("missing_member"))
	}
	if uuid.Validate(req.TransactionID) != nil { // foreign bytes do not reach the stores
		return answerInvalidTransaction.About(audit.Reason("unknown"))
	}
	p := presented{settings: s}
	sealed, err := d.unwrap(ctx, req.Answer, &p)
	if err != nil {
		return err
	}
	reply, err := d.decideAnswer(c, req.TransactionID, version, sealed, &p)
	if err != nil {
		return err
	}
	return web.JSONBytes(c, reply.Status, reply.Body)
}

// unwrap decrypts an answer if it is encrypted, and hashes the JWS: that is what makes a repeat. sealed is the failure
// of an answer that does not open; it waits for its turn among the checks.
func (d *Device) unwrap(ctx context.Context, text string, p *presented) (sealed, fault error) {
	p.text = text
	if protocol.LooksEncrypted(text) {
		encrypted, err := protocol.ParseEncrypted(text)
		if err != nil {
			return err, nil
		}
		p.text, err = d.ServerKeys.Decrypt(ctx, encrypted)
		if errors.Is(err, protocol.Undecryptable) {
			return err, nil
		}
		if err != nil {
			return nil, fmt.Errorf("decrypt answer: %w", err)
		}
		p.serverKID = encrypted.KID
	}
	p.hash = d.Keys.MAC(secret.ForAnswer, p.text)
	return nil, nil
}

// decideAnswer runs the checks in their order and returns the reply of an answer that counted, or the repeat of one.
func (d *Device) decideAnswer(c echo.Context, id string, version int, sealed error, p *presented) (store.TransactionAnswer, error) {
	ctx := c.Request().Context()
	none := store.TransactionAnswer{}
	var err error
	p.Transaction, err = d.Transactions.Transaction(ctx, id)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return none, err
	}
	fresh := err == nil && p.State == store.Fetched && p.PINAttempts == 0 && p.InvalidAnswers == 0
	if !fresh && p.hash != nil {
		if reply, err := d.repeat(ctx, id, p.hash); err == nil || !errors.Is(err, store.ErrNotFound) {
			return reply, err
		}
	}
	if err != nil {
		return none, answerInvalidTransaction.Because(err).About(audit.Reason("unknown"))
	}
	audit.Know(ctx, audit.Transaction(p.ID), audit.Client(p.ClientID), audit.User(p.UserID), audit.Profile(p.ProfileID))
	if err := d.answerable(ctx, p, version); err != nil {
		return none, err
	}
	device, err := d.Enrollments.EnrolledDevice(ctx, p.EnrollmentID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return none, d.revoked(ctx, p)
	case err != nil:
		return none, fmt.Errorf("device of a transaction: %w", err)
	}
	p.enrollment = device.Enrollment
	if err := p.encrypted(sealed); err != nil {
		return none, err
	}
	if err := d.signed(ctx, p); err != nil {
		return none, err
	}
	if err := d.admit(c, p.settings, device.Installation); err != nil {
		return none, err
	}
	if reason := p.misfit(); reason != "" {
		return d.settle(ctx, p, func(ctx context.Context) (store.TransactionAnswer, error) { return d.unfit(ctx, p, reason) })
	}
	return d.settle(ctx, p, func(ctx context.Context) (store.TransactionAnswer, error) { return d.judge(ctx, p) })
}

// answerable is checks 1 to 3: the state, the time, the version of the endpoint.
func (d *Device) answerable(ctx context.Context, p *presented, version int) error {
	switch {
	case p.State == store.Expired:
		err := d.Transactions.MoveTransaction(ctx, p.ID, openStates, store.Expired, store.TransactionChange{})
		return answerExpired.Because(err)
	case p.State == store.Created, p.State == store.Pending:
		return answerConflict.About(audit.Reason("not_fetched"))
	case p.State != store.Fetched:
		return answerInvalidTransaction.About(audit.Reason("finished"))
	case p.AnswerVersion != version:
		return answerWrongVersion.About(audit.Count("endpoint_version", version))
	}
	return nil
}

// encrypted is check 4: what is encrypted opens with the key that the enrollment was given, and what must be is.
func (p *presented) encrypted(sealed error) error {
	switch {
	case sealed != nil:
		return answerUndecryptable.Because(sealed)
	case p.serverKID != "" && p.serverKID != p.enrollment.ServerEncKID:
		return answerUndecryptable.About(audit.Reason("other_key"))
	case p.serverKID == "" && carriesToken(p.text):
		return answerUndecryptable.About(audit.Reason("not_encrypted"))
	}
	return nil
}

// carriesToken looks into a JWS that has not been verified: does it hold what must not travel unencrypted?
func carriesToken(text string) bool {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return false
	}
	var claims struct {
		RefreshToken json.RawMessage `json:"refresh_token"`
		Fingerprint  json.RawMessage `json:"finger_print_refresh_token"`
		Custom       json.RawMessage `json:"custom_authenticator_token"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return false
	}
	return claims.RefreshToken != nil || claims.Fingerprint != nil || claims.Custom != nil
}

// signed is check 5: the JWS is the enrollment's, for us, now, and new.
func (d *Device) signed(ctx context.Context, p *presented) error {
	signed, err := protocol.ParseSigned(p.text)
	if err != nil {
		return refusedProof(err, answerBadSignature)
	}
	if signed.KID != p.EnrollmentID {
		return refusedProof(protocol.UnknownKey, answerBadSignature)
	}
	if p.key, err = protocol.StoredKey(p.enrollment.SigningKey); err != nil {
		return err
	}
	if err := d.Devices.Verify(ctx, signed, p.key, protocol.AnswerType, &p.claims); err != nil {
		return refusedProof(err, answerBadSignature)
	}
	return nil
}

// misfit is check 6: it names what does not fit the transaction, "" when all does.
func (p *presented) misfit() string {
	claims := p.claims
	switch {
	case claims.TransactionID != p.ID:
		return "transaction_id"
	case claims.User != p.ProfileID:
		return "user"
	case p.Challenge == "" || claims.Challenge != p.Challenge:
		return "challenge"
	case claims.Response == deny:
		return ""
	case claims.Response != accept:
		return "response"
	case claims.Method != lowerMethod(store.Push) && !p.withPIN(): // no other credential can be judged here
		return "method"
	case claims.Method != lowerMethod(p.Method) && (!pinFallback(p.Method) || !p.withPIN()):
		return "method"
	case p.withPIN() && (claims.RefreshToken == "" || len(claims.RefreshToken) > longestRefreshToken):
		return "refresh_token"
	case p.AnswerVersion == signingVersion:
		var err error
		if p.signature, err = base64.StdEncoding.DecodeString(claims.Signature); err != nil || len(p.signature) == 0 {
			return "signature"
		}
	}
	return ""
}

// withPIN tells whether the PIN answers.
func (p *presented) withPIN() bool { return p.claims.Method == lowerMethod(store.PushWithPIN) }

// authenticated is the reply to an answer that was accepted.
func authenticated(id string) store.TransactionAnswer {
	return store.TransactionAnswer{
		TransactionID: id, Status: http.StatusOK, Body: []byte(`{"result":"authenticated","transaction_id":"` + id + `"}`),
	}
}

// denied is the reply to a user who turned the transaction down.
func denied(id string) store.TransactionAnswer {
	return store.TransactionAnswer{TransactionID: id, Status: http.StatusOK, Body: []byte(`{"result":"denied"}`)}
}
