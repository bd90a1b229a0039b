package pushauth

import (
	"context"
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How resend fails. It succeeds with 204 and PUSH_AUTH_RESEND_SUCCESS.
var (
	resendDisabled = disabled(audit.PushAuthResendFailure)
	resendInvalid  = outcome.Failure{
		Code: outcome.InvalidRequest, Number: numberInvalid,
		Audit: audit.PushAuthResendFailure, Text: "A request parameter is invalid or missing",
	}.
		About(audit.Reason("invalid_request"))
	resendUnknown = outcome.Failure{
		Code: outcome.NotFound, Number: numberTransactionID,
		Audit: audit.PushAuthResendFailure, Text: "Invalid transaction id",
	}
	resendOtherUser = outcome.Failure{
		Code: outcome.NotFound, Number: numberUserID,
		Audit: audit.PushAuthResendFailure, Text: "Invalid user id",
	}.About(audit.Reason("user_mismatch"))
	resendLimit = outcome.Failure{
		Code: outcome.Forbidden, Number: numberResendLimit,
		Audit: audit.PushAuthResendFailureResendLimitReached, Text: "Resend limit reached",
	}
	resendNoDevice = outcome.Failure{
		Code: outcome.NotFound, Number: numberNoPossibility,
		Audit: audit.PushAuthResendFailureNoAppInstance, Text: noPossibilityText,
	}
	resendNotSent = outcome.Failure{
		Code: outcome.ServiceUnavailable, Number: numberProvider,
		Audit: audit.PushAuthResendFailure, Text: providerText,
	}
)

// resend sends the push of a transaction that was not fetched yet once more. Id, expiry and message stay as they are.
func (p *Portal) resend(c echo.Context, v version) error {
	ctx := context.WithoutCancel(c.Request().Context()) // who hangs up leaves nothing half done
	audit.Know(ctx, audit.Client(apiClient(ctx)))
	s := p.Settings.Current()
	if err := v.admit(s, resendDisabled); err != nil {
		return err
	}
	form, err := web.BindForm(c)
	if err != nil {
		return resendInvalid.Because(err)
	}
	if form["transaction_id"] == "" {
		return resendInvalid.About(audit.Detail("parameter", "transaction_id"))
	}
	audit.Know(ctx, audit.Transaction(form["transaction_id"]))
	t, err := p.resendable(ctx, form["transaction_id"], parameter(c, "user_id"))
	if err != nil {
		return err
	}
	counted, err := p.Transactions.CountResend(ctx, t.ID)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrConflict):
		return resendUnknown.Because(err).About(audit.Reason("not_open"))
	case err != nil:
		return err
	case !counted:
		return resendLimit.About(audit.Count("max", t.MaxResends))
	}
	if err := p.again(ctx, s, t); err != nil {
		return err
	}
	p.Audit.Record(ctx, audit.PushAuthResendSuccess, audit.Count("attempts", t.Resends+1), audit.Count("max", t.MaxResends))
	return c.NoContent(http.StatusNoContent)
}

// resendable returns a transaction of the calling API client whose push may be sent again.
func (p *Portal) resendable(ctx context.Context, id, userID string) (store.Transaction, error) {
	t, err := p.Transactions.Transaction(ctx, id)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return t, resendUnknown.About(audit.Reason("unknown"))
	case err != nil:
		return t, err
	case !p.owns(ctx, t.APIClient):
		return t, resendUnknown.About(audit.Reason("foreign"))
	case t.Method == store.SMS, t.Method == store.OTP:
		return t, resendUnknown.About(audit.Reason("not_push"))
	}
	audit.Know(ctx, audit.Client(t.ClientID), audit.Profile(t.ProfileID), audit.User(t.UserID),
		audit.Detail("type", t.Type), audit.Detail("method", string(t.Method)))
	switch {
	case t.State != store.Pending:
		return t, resendUnknown.About(audit.Detail("reason", "not_open"), audit.Detail("stage", string(t.State)))
	case t.UserID != userID:
		return t, resendOtherUser
	}
	return t, nil
}

// again sends the push of a counted resend. When that comes to nothing the count is given back; when there is nobody
// left to push to, the transaction ends.
func (p *Portal) again(ctx context.Context, s *settings.Snapshot, t store.Transaction) error {
	e, err := p.Enrollments.EnrolledDevice(ctx, t.EnrollmentID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return errors.Join(err, p.Transactions.ReturnResend(ctx, t.ID))
	}
	var d device
	usable := false
	if err == nil {
		d, usable = deviceOf(s, e)
	}
	if !usable {
		return p.nobodyLeft(ctx, t)
	}
	open, err := p.Transactions.CountOpen(ctx, t.ClientID)
	if err != nil {
		return errors.Join(err, p.Transactions.ReturnResend(ctx, t.ID))
	}
	sent := p.Push.Send(ctx, s, t, d.Enrollment, d.version, open)
	audit.Know(ctx, audit.App(d.application.ID, d.Platform, d.version.Version))
	if sent.Accepted {
		return nil
	}
	if err := p.Transactions.ReturnResend(ctx, t.ID); err != nil {
		return err
	}
	return p.notSent(ctx, resendNotSent, sent, d.Enrollment)
}

// nobodyLeft ends a transaction whose enrollment or push token went.
func (p *Portal) nobodyLeft(ctx context.Context, t store.Transaction) error {
	return p.Enrollments.InTx(ctx, func(ctx context.Context) error {
		if err := p.Endings.Fail(ctx, t, store.FailedToSend); err != nil {
			return err
		}
		return store.Keep(resendNoDevice.Recorded(ctx, p.Audit))
	})
}
