package pushauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How initialize fails. It succeeds with 200 and PUSH_AUTH_INITIALIZED.
var (
	initDisabled = disabled(audit.PushAuthInitFailureDisabled)

	initInvalid = outcome.Failure{
		Code: outcome.InvalidRequest, Number: numberInvalid,
		Audit: audit.PushAuthInitFailureInvalidReq, Text: "A request parameter is invalid or missing",
	}
	initUnknownType = outcome.Failure{
		Code: outcome.NotFound, Number: numberType,
		Audit: audit.AuthInitFailureInvalidAuthPropertiesName, Text: "Authentication type not found",
	}
	initTooLong = outcome.Failure{
		Code: outcome.InvalidRequest, Number: numberTooLong,
		Audit: audit.PushAuthInitFailureMessageTooLong, Text: "Message content too long",
	}
	initPushOff = outcome.Failure{
		Code: outcome.NotFound, Number: numberDisabled,
		Audit: audit.PushAuthInitFailureDisabled, Text: disabledText,
	}
	initNoDevice = outcome.Failure{
		Code: outcome.NotFound, Number: numberNoPossibility,
		Audit: audit.PushAuthInitFailureNoAppInstance, Text: noPossibilityText,
	}
	initNotAvailable = outcome.Failure{
		Code: outcome.NotFound, Number: numberNoPossibility,
		Audit: audit.PushAuthInitFailureAuthMethodNotAvailable, Text: noPossibilityText,
	}
	initNotSent = outcome.Failure{
		Code: outcome.ServiceUnavailable, Number: numberProvider,
		Audit: audit.PushAuthInitFailure, Text: providerText,
	}
)

const (
	noPossibilityText = "No authentication possibilities for user, or user not found"
	providerText      = "Authentication provider failed"
)

// initialized is the answer of initialize.
type initialized struct {
	TransactionID string             `json:"transaction_id"`
	Method        string             `json:"auth_method"`      // the family that is used: push
	TimeToLive    int64              `json:"time_to_live"`     // milliseconds
	Device        *initializedDevice `json:"device,omitempty"` // not in version 2
}

type initializedDevice struct {
	Name     string `json:"name"`
	Platform string `json:"platform"`
}

// initialize starts a transaction and pushes it to the phone. The transaction stands in Redis before it is pushed, so
// that the phone may be faster than the push service.
func (p *Portal) initialize(c echo.Context, v version) error {
	ctx := context.WithoutCancel(c.Request().Context()) // who hangs up leaves nothing half started
	s := p.Settings.Current()
	if err := v.admit(s, initDisabled); err != nil {
		return err
	}
	form, err := web.BindForm(c)
	if err != nil {
		return initInvalid.Because(err)
	}
	request, err := p.readInit(ctx, s, form, v)
	if err != nil {
		return err
	}
	d, err := p.target(ctx, s, request)
	if err != nil {
		return err
	}
	t := p.transaction(ctx, s, request, d)
	audit.Know(ctx, audit.Transaction(t.ID), audit.Client(d.ClientID), audit.Profile(d.ProfileID),
		audit.App(d.application.ID, d.Platform, d.version.Version))
	if err := p.start(ctx, s, t, d); err != nil {
		return err
	}
	answer := initialized{TransactionID: t.ID, Method: "push", TimeToLive: t.ExpiresAt.Sub(t.CreatedAt).Milliseconds()}
	if v > v2 {
		answer.Device = &initializedDevice{Name: d.DeviceName, Platform: d.Platform}
	}
	return web.JSON(c, http.StatusOK, answer)
}

// target returns the device that the transaction is for: checks 11 to 13 of the order.
func (p *Portal) target(ctx context.Context, s *settings.Snapshot, r initRequest) (device, error) {
	if !s.Document.MobileAuthentication.PushAuthenticationOn() {
		return device{}, initPushOff
	}
	enrolled, err := p.Enrollments.EnrolledDevicesOfUser(ctx, r.userID)
	if err != nil {
		return device{}, err
	}
	var found []device
	failure := initNoDevice
	for _, e := range enrolled {
		if !r.aimsAt(e.Enrollment) {
			continue
		}
		if d, usable := deviceOf(s, e); usable {
			found = append(found, d)
		} else {
			failure = initNoDevice.About(audit.Detail("push", string(e.PushState)))
		}
	}
	if len(found) == 0 {
		return device{}, failure
	}
	d := found[len(found)-1] // the newest, should the mode have allowed several before
	if slices.ContainsFunc(found, func(other device) bool { return other.Application != d.Application }) {
		return device{}, initInvalid.About(audit.Reason("multiple_enrollments"))
	}
	available, err := p.available(ctx, r.kind, d)
	if err != nil {
		return device{}, err
	}
	if !available {
		return device{}, initNotAvailable
	}
	return d, nil
}

// aimsAt tells whether the request can mean an enrollment of its user.
func (r initRequest) aimsAt(e store.Enrollment) bool {
	switch r.version {
	case v2:
		return true
	case v3:
		return e.Application == r.appID
	default:
		return e.ClientID == r.deviceID
	}
}

// transaction builds the record of a new transaction.
func (p *Portal) transaction(ctx context.Context, s *settings.Snapshot, r initRequest, d device) store.Transaction {
	now := p.Now().UTC().Truncate(time.Millisecond)
	t := store.Transaction{
		ID: p.NewID(), State: store.Created, Version: 1, Type: r.kind.Name, Method: store.Method(r.kind.Method),
		UserID: d.UserID, ProfileID: d.ProfileID, ClientID: d.ClientID, Application: d.application.ID,
		Platform: d.Platform, EnrollmentID: d.ID, APIClient: apiClient(ctx), APIVersion: int(r.version), AnswerVersion: 1,
		CallbackURI: r.callbackURI, Message: r.message, Language: r.language, MaxResends: r.kind.MaxResends,
		CreatedAt: now, ExpiresAt: now.Add(time.Duration(r.kind.ExpiresIn) * time.Second),
	}
	t.SecureMessage = sealText(p.Keys, t.ID, secureMessageField, r.secureMessage)
	if r.signingData != "" && r.kind.TransactionSigning && s.TransactionSigningOn() {
		t.AnswerVersion = 2
		t.SigningData = sealText(p.Keys, t.ID, signingDataField, r.signingData)
	}
	return t
}

// start writes the transaction and pushes it: check 14 of the order.
func (p *Portal) start(ctx context.Context, s *settings.Snapshot, t store.Transaction, d device) error {
	open, err := p.Transactions.CreateTransaction(ctx, t, p.Limits.Open)
	if errors.Is(err, store.ErrConflict) {
		return initInvalid.Because(err).About(audit.Reason("too_many_open"))
	}
	if err != nil {
		return err
	}
	// A removal that committed since the device was chosen did not see this transaction.
	if _, err := p.Enrollments.Enrollment(ctx, t.EnrollmentID); errors.Is(err, store.ErrNotFound) {
		return errors.Join(initNoDevice.Because(err).About(audit.Reason("removed")), p.Transactions.ForgetTransaction(ctx, t))
	} else if err != nil {
		return err
	}
	sent := p.Push.Send(ctx, s, t, d.Enrollment, d.version, open)
	if sent.Accepted {
		err := p.Transactions.MoveTransaction(ctx, t.ID, []store.State{store.Created}, store.Pending, store.TransactionChange{})
		if err != nil && !errors.Is(err, store.ErrConflict) { // the phone was faster: unchanged
			return fmt.Errorf("transaction was pushed: %w", err)
		}
		p.Audit.Record(ctx, audit.PushAuthInitialized, sent.attrs()...)
		return nil
	}
	err = p.Transactions.ForgetTransaction(ctx, t)
	if errors.Is(err, store.ErrConflict) { // the phone has it, whatever the push service says
		p.Audit.Record(ctx, audit.PushAuthInitialized, sent.attrs()...)
		return nil
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return p.notSent(ctx, initNotSent, sent, d.Enrollment)
}

// notSent returns the failure of a send. A dead push token is noted together with the event.
func (p *Portal) notSent(ctx context.Context, failure outcome.Failure, sent delivery, e store.Enrollment) error {
	failure = failure.About(sent.attrs()...)
	if !sent.Stale {
		return failure
	}
	return p.Enrollments.InTx(ctx, func(ctx context.Context) error {
		if err := p.Enrollments.MarkPushStale(ctx, e.ID, e.PushTokenHash, p.Now()); err != nil {
			return err
		}
		return store.Keep(failure.Recorded(ctx, p.Audit))
	})
}

// attrs tells in an event what the push service said.
func (d delivery) attrs() []audit.Attr {
	attrs := []audit.Attr{audit.Detail("provider", d.Provider)}
	if d.Status != 0 {
		attrs = append(attrs, audit.Count("provider_status", d.Status))
	}
	if d.Reason != "" {
		attrs = append(attrs, audit.Detail("provider_reason", d.Reason))
	}
	if d.Reason == notConfigured {
		attrs = append(attrs, audit.Reason(notConfigured))
	}
	return attrs
}
