package oauth

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// smsSender sends text messages; see package sms. An error whose chain has InvalidNumber() true is the number's fault,
// every other one the gateway's.
type smsSender interface {
	// Send sends a text to a number in international notation. The code inside it goes along, for gateways that write
	// texts of their own.
	Send(ctx context.Context, to, text, code string) error
}

// stepUps counts the tries at codes, and keeps which were right; see sqlstore.Store.
type stepUps interface {
	// CountStepUp joins the transaction of ctx. Errors: store.ErrConflict at the limit, or when a try was right.
	CountStepUp(ctx context.Context, transactionID string, limit int, now time.Time) (tries int, err error)
	// MarkStepUp joins the transaction of ctx. Errors: store.ErrConflict for everybody after the first.
	MarkStepUp(ctx context.Context, transactionID string) error
}

// How the step-up by text message fails. The first message succeeds with SMS_AUTH_INIT_MESSAGE_SENT, a further one with
// SMS_RESEND_SUCCEEDED, and the right code with SMS_AUTH_AUTHENTICATED.
var (
	stepUpGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.SMSStepUpCSRFInvalid, Text: "the sign-in has ended or belongs to another browser",
	}.With(pageText, "error.transaction")
	stepUpCSRF = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.SMSStepUpCSRFInvalid, Text: "the form is too old or was used before",
	}
	stepUpCode = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.SMSStepUpCodeInvalid, Text: "the code is not correct",
	}
	// stepUpLocked is beyond the tries of a sign-in: whoever has the password alone must not begin one sign-in after another.
	stepUpLocked = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.SMSStepUpCodeInvalid, Text: "too many codes were tried, try again later",
	}.About(audit.Reason("limit of the user"))
	stepUpNumber = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.SMSAuthInitFailurePhoneNumberInvalidOrMissing, Text: "there is no phone number for a text message",
	}
	stepUpUnsent = outcome.Failure{
		Code: outcome.TemporarilyUnavailable, Audit: audit.SMSAuthInitFailureFailedToSendSMS, Text: "the text message could not be sent",
	}
	stepUpResend = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.SMSResendFailed, Text: "the text message was not sent again",
	}
)

// The limits of a step-up.
const (
	smsCodeDigits  = 6
	smsCodeLife    = 5 * time.Minute
	smsTries       = 3
	smsSends       = 3
	smsResendAfter = 30 * time.Second
	maxPhoneNumber = 64
)

// stepUpPage answers GET: the first time it sends a code. Every rendering carries a new form token.
func (b *Browser) stepUpPage(c echo.Context) error {
	ctx := c.Request().Context()
	a, s, client, err := b.resume(c, c.QueryParam("t"), journeyGone)
	if err != nil {
		return err
	}
	if address, err := b.nextPage(ctx, &a, s, client); err != nil || address != b.at(stepUpPath, a.ID) {
		return b.elsewhere(c, a, err)
	}
	if a.State == store.Identified {
		if b.StepUpWrong.Exceeded(a.UserID) {
			return b.breakOff(c, a, stepUpLocked)
		}
		if err := b.sendCode(ctx, &a, client.name()); err != nil {
			return b.elsewhere(c, a, err)
		}
		b.Audit.Record(ctx, audit.SMSAuthInitMessageSent, audit.Flag("step_up", true))
	}
	notice := ""
	if c.QueryParam("again") != "" {
		notice = "stepup.again"
	}
	return b.showStepUp(c, a, client.name(), notice)
}

// sendCode makes a code, keeps its hash and sends it: of several requests at once one sends. When the message cannot be
// sent, a code that was sent before stays good.
func (b *Browser) sendCode(ctx context.Context, a *store.Authorization, client string) error {
	person, err := b.person(ctx, *a)
	if err != nil {
		return err
	}
	number := phoneNumber(person)
	if number == "" {
		return stepUpNumber.About(audit.Reason("missing"))
	}
	before, code := *a, smsCode()
	next := before
	next.State, next.SMSCode, next.SMSSent = store.SteppingUp, b.Keys.MAC(secret.ForSMSCode, a.ID, code), before.SMSSent+1
	next.SMSSentAt = b.Now()
	next.SMSExpiresAt = next.SMSSentAt.Add(smsCodeLife)
	if err := b.keep(ctx, a, next); err != nil {
		return err
	}
	if err = b.sendText(ctx, number, b.smsText(a.Language, code, client), code); err == nil {
		return nil
	}
	if before.State == store.SteppingUp {
		next.SMSCode, next.SMSExpiresAt = before.SMSCode, before.SMSExpiresAt
		if kept := b.keep(ctx, a, next); kept != nil {
			return kept
		}
	}
	var refused interface{ InvalidNumber() bool }
	if errors.As(err, &refused) && refused.InvalidNumber() {
		return stepUpNumber.Because(err).About(audit.Reason("invalid"))
	}
	return stepUpUnsent.Because(err).About(audit.Reason("gateway"))
}

func (b *Browser) sendText(ctx context.Context, number, text, code string) error {
	if b.SMS == nil {
		return errors.New("there is no SMS gateway")
	}
	return b.SMS.Send(ctx, number, text, code)
}

// smsText is the message. Its last line lets browsers fill the code in, on our pages only (WebKit, origin-bound codes).
func (b *Browser) smsText(language, code, client string) string {
	format, _ := b.Pages.Text(language, "stepup.sms")
	text := fmt.Sprintf(format, code, client)
	if u, err := url.Parse(b.Issuer); err == nil {
		text += "\n\n@" + u.Hostname() + " #" + code
	}
	return text
}

// smsCode makes a code: decimal digits, leading zeros kept.
func smsCode() string {
	ten := big.NewInt(10)
	code := make([]byte, smsCodeDigits)
	for i := range code {
		digit, err := rand.Int(rand.Reader, ten)
		if err != nil {
			panic(err) // cannot happen: crypto/rand never fails
		}
		code[i] = '0' + byte(digit.Int64())
	}
	return string(code)
}

// phoneNumber is where a person gets text messages, "" when that is not known.
func phoneNumber(a store.Account) string {
	number := strings.TrimSpace(a.Attributes.Text("phoneNumber", "phone_number"))
	if len(number) > maxPhoneNumber {
		return ""
	}
	return number
}

// showStepUp renders the page with a new form token; the one before is void.
func (b *Browser) showStepUp(c echo.Context, a store.Authorization, client, notice string) error {
	person, err := b.person(c.Request().Context(), a)
	if err != nil {
		return err
	}
	token := hex.EncodeToString(secret.Bytes(formTokenBytes))
	next := a
	next.FormExpiresAt = b.Now().Add(formTokenLife)
	next.Form = b.Keys.MAC(secret.ForFormToken, stepUpParts(a, token)...)
	if _, err := b.Authorizations.MoveAuthorization(c.Request().Context(), a, next); err != nil {
		return b.elsewhere(c, a, err)
	}
	const shown = 2
	number := phoneNumber(person)
	return b.Pages.StepUp(c, http.StatusOK, pages.StepUp{
		Language: a.Language, ClientName: client, Action: publicPath(b.Issuer) + stepUpPath, TransactionID: a.ID, FormToken: token,
		NumberEnding: number[max(0, len(number)-shown):], Digits: smsCodeDigits, MaySendAgain: a.SMSSent < smsSends,
		Notice: notice, RedirectURI: a.RedirectURI,
	})
}

// stepUpParts are what a form token is bound to.
func stepUpParts(a store.Authorization, token string) []string {
	return append([]string{"sms-step-up", a.ID, a.UserID, a.ClientID, token}, a.Scopes...)
}

// stepUp answers POST: the code, or the wish for another message.
func (b *Browser) stepUp(c echo.Context) error {
	form, err := web.BindForm(c)
	if err != nil {
		return stepUpGone.Because(err).About(audit.Reason("not a form"))
	}
	a, _, client, err := b.resume(c, form["t"], stepUpGone)
	if err != nil {
		return err
	}
	toClient := b.fail(replyOf(a, client))
	web.AnswerFailuresBy(c, b.backTo(b.at(stepUpPath, a.ID)+"&again=1"))
	if reason := b.checkStepUpForm(a, form); reason != "" {
		return stepUpCSRF.About(audit.Reason(reason))
	}
	web.AnswerFailuresBy(c, toClient)
	if form["action"] == "resend" {
		return b.resend(c, a, client)
	}
	return b.tryCode(c, a, client, form["code"])
}

func (b *Browser) checkStepUpForm(a store.Authorization, form web.Form) string {
	switch token := form["csrfToken"]; {
	case token == "":
		return "missing"
	case a.State != store.SteppingUp:
		return "no page was shown"
	case !b.Now().Before(a.FormExpiresAt):
		return "expired"
	case !b.Keys.Equal(secret.ForFormToken, a.Form, stepUpParts(a, token)...):
		return "mismatch"
	}
	return ""
}

// resend sends another code, which takes the place of the one before.
func (b *Browser) resend(c echo.Context, a store.Authorization, client requester) error {
	ctx := c.Request().Context()
	var cause, notice string
	switch {
	case a.SMSSent >= smsSends:
		cause, notice = "limit", "stepup.limit"
	case b.Now().Before(a.SMSSentAt.Add(smsResendAfter)):
		cause, notice = "too_soon", "stepup.wait"
	}
	if cause != "" {
		web.AnswerFailuresBy(c, b.stepUpAgain(a, client, notice))
		return stepUpResend.About(audit.Reason(cause), audit.Flag("step_up", true))
	}
	err := b.sendCode(ctx, &a, client.name())
	var failure outcome.Failure
	switch {
	case errors.As(err, &failure) && failure.Audit == stepUpUnsent.Audit:
		web.AnswerFailuresBy(c, b.stepUpAgain(a, client, "stepup.unsent"))
		return stepUpResend.Because(err).About(audit.Reason("gateway"), audit.Flag("step_up", true))
	case err != nil:
		return b.elsewhere(c, a, err)
	}
	b.Audit.Record(ctx, audit.SMSResendSucceeded, audit.Flag("step_up", true), audit.Count("sent", a.SMSSent))
	return b.showStepUp(c, a, client.name(), "stepup.sent")
}

// stepUpAgain shows the page again after a failure that the person can mend.
func (b *Browser) stepUpAgain(a store.Authorization, client requester, notice string) ending {
	return func(c echo.Context, f outcome.Failure) error {
		if f.Code == outcome.ServerError || f.Code == outcome.TemporarilyUnavailable {
			return b.ErrorPage(c, f)
		}
		return b.showStepUp(c, a, client.name(), notice)
	}
}

// tryCode compares a code. The try is counted before, so that parallel guesses cannot outrun the count; count, mark and
// event are one transaction.
func (b *Browser) tryCode(c echo.Context, a store.Authorization, client requester, code string) error {
	ctx := c.Request().Context()
	if !b.Now().Before(a.SMSExpiresAt) {
		return b.breakOff(c, a, stepUpCode.About(audit.Reason("expired")))
	}
	if b.StepUpWrong.Exceeded(a.UserID) {
		return b.breakOff(c, a, stepUpLocked)
	}
	code = strings.ReplaceAll(code, " ", "")
	tries, wrong := 0, false
	err := b.Store.InTx(ctx, func(ctx context.Context) error {
		var err error
		tries, err = b.StepUps.CountStepUp(ctx, a.ID, smsTries, b.Now())
		switch {
		case errors.Is(err, store.ErrConflict):
			tries = smsTries
			return stepUpCode.Because(err).About(audit.Reason("limit"))
		case err != nil:
			return err
		}
		if wrong = !b.Keys.Equal(secret.ForSMSCode, a.SMSCode, a.ID, code); wrong {
			failure := stepUpCode.About(audit.Count("attempt", tries), audit.Count("max", smsTries))
			if tries >= smsTries {
				failure = failure.About(audit.Reason("limit"))
			}
			return store.Keep(failure.Recorded(ctx, b.Audit))
		}
		b.Audit.Record(ctx, audit.SMSAuthAuthenticated, audit.Flag("step_up", true))
		return b.StepUps.MarkStepUp(ctx, a.ID)
	})
	if wrong {
		b.StepUpWrong.Spend(ctx, a.UserID)
	}
	var failure outcome.Failure
	switch {
	case errors.As(err, &failure) && tries >= smsTries:
		return b.breakOff(c, a, failure)
	case errors.As(err, &failure):
		web.AnswerFailuresBy(c, b.stepUpAgain(a, client, "stepup.wrong"))
		return failure
	case err != nil:
		return fmt.Errorf("step up: %w", err)
	}
	return b.steppedUp(c, a)
}

// steppedUp goes on with a user who has typed the right code: the transaction and the browser's session know it from now.
func (b *Browser) steppedUp(c echo.Context, a store.Authorization) error {
	next := a
	next.State, next.SteppedUp = store.Identified, true
	next.SMSCode, next.Form = nil, nil
	if _, err := b.Authorizations.MoveAuthorization(c.Request().Context(), a, next); err != nil {
		web.AnswerFailuresBy(c, b.ErrorPage)
		return gone(err, journeyGone)
	}
	session, err := b.session(c)
	if err == nil && session.ID == a.SessionID {
		err = b.Sessions.StepUp(c.Request().Context(), session)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) { // a session that has ended meanwhile is not raised
		return fmt.Errorf("raise session: %w", err)
	}
	web.NoStore(c)
	return c.Redirect(http.StatusSeeOther, b.GoOnURL(a.ID))
}
