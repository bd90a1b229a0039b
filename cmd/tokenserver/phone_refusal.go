package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"tokenserver/phone"
)

// adviceError is a failure with what to do next.
type adviceError struct {
	word   string // the error word of the server, or one of the phone's own
	text   string // what happened
	next   string // may be empty
	status int    // HTTP status; 0 when it was not the server who refused
	number int    // under which mobile SDKs report it; 0: none fits
	left   *int   // tries that remain
	cause  error
}

// Error says what happened and, in a line of its own, what to do next.
func (e *adviceError) Error() string {
	if e.next == "" {
		return e.text
	}
	return e.text + "\nNext: " + e.next
}

func (e *adviceError) Unwrap() error { return e.cause }

// refused turns what went wrong into words that help; with --json also into an object on standard output.
func (r *phoneRun) refused(err error, server string) error {
	if err == nil || isUsage(err) {
		return err
	}
	told := advised(err, server)
	if r.asJSON {
		object := struct {
			Error     string `json:"error"`
			Text      string `json:"text"`
			Next      string `json:"next,omitempty"`
			Status    int    `json:"http_status,omitempty"`
			Number    int    `json:"sdk_number,omitempty"`
			Remaining *int   `json:"remaining_attempts,omitempty"`
		}{told.word, told.text, told.next, told.status, told.number, told.left}
		if err := json.NewEncoder(r.out).Encode(object); err != nil {
			return errors.Join(told, err)
		}
	}
	return told
}

func isUsage(err error) bool {
	var usage *usageError
	return errors.As(err, &usage)
}

// advised finds the words for an error of package phone.
func advised(err error, server string) *adviceError {
	var told *adviceError
	if errors.As(err, &told) {
		return told
	}
	if e := phone.Refused(err); e != nil {
		return explained(e, err)
	}
	told = &adviceError{word: "failed", text: err.Error(), cause: err}
	var page *phone.PageError
	var unreachable *url.Error
	switch {
	case errors.As(err, &page):
		told.word, told.status = "error_page", page.Status
		told.text = fmt.Sprintf("the browser got an error page (HTTP %d): %s", page.Status, page.Text)
		told.next = "compare --redirect and the scopes with the application in the settings of the server"
	case errors.Is(err, phone.ErrSignInRefused):
		told.word, told.text = "sign_in_refused", "the server did not accept user name and password"
		told.next = "check both; the users of the built-in accounts are in the settings document"
	case errors.Is(err, phone.ErrLost), errors.Is(err, phone.ErrTooManyPages):
		told.word, told.next = "lost_in_pages", "this sign-in needs a person at a real browser"
	case errors.Is(err, context.Canceled):
		told.word, told.text = "interrupted", "interrupted"
	case errors.As(err, &unreachable):
		told.word, told.number = "server_not_reachable", phone.NumberServerNotReachable
		told.text = fmt.Sprintf("the server at %s does not answer (SDK number %d): %v", server, told.number, unreachable.Err) // the address may hold a state
		told.next = "is it running there? tokenserver serve starts one; the address was given to tokenserver phone install"
	}
	return told
}

// explained puts a refusal into words.
func explained(e *phone.Error, cause error) *adviceError {
	var text strings.Builder
	text.WriteString("refused: " + e.Code)
	var facts []string
	if e.Status != 0 {
		facts = append(facts, fmt.Sprintf("HTTP %d", e.Status))
	}
	if e.SDKNumber != 0 {
		facts = append(facts, fmt.Sprintf("SDK number %d", e.SDKNumber))
	}
	if len(facts) > 0 {
		text.WriteString(" (" + strings.Join(facts, ", ") + ")")
	}
	if e.Description != "" {
		text.WriteString(": " + e.Description)
	}
	if e.Remaining != nil {
		fmt.Fprintf(&text, "; %s", triesLeft(*e.Remaining))
	}
	return &adviceError{
		word: e.Code, text: text.String(), next: nextStep(e), status: e.Status, number: e.SDKNumber, left: e.Remaining, cause: cause,
	}
}

func triesLeft(n int) string {
	switch n {
	case 0:
		return "no try is left"
	case 1:
		return "1 try is left"
	default:
		return fmt.Sprintf("%d tries are left", n)
	}
}

// nextStep says what to do about a refusal; "" when there is nothing to say that the word does not.
func nextStep(e *phone.Error) string {
	if e.SDKNumber == 0 {
		return nextByWord(e)
	}
	switch e.SDKNumber {
	case phone.NumberServerNotReachable:
		return "the server has a problem of its own: its log says which; then try again"
	case phone.NumberDeviceDeregistered:
		return "the server does not know this installation: tokenserver phone register"
	case phone.NumberUserDeregistered:
		return "the user is gone from this phone: tokenserver phone sign-in starts anew"
	case phone.NumberOutdatedApp:
		return "install a version that the settings allow: tokenserver phone upgrade --app-version VERSION"
	case phone.NumberOutdatedOS:
		return "install again with an --os-version that the os_rules of the settings allow"
	case phone.NumberCancelled:
		return "the user said no, or the settings forbid it: see the audit log"
	case phone.NumberRegistration:
		return "compare --app, --platform, --app-version and --signature of tokenserver phone install with the application in the settings, and the clocks of both machines"
	case phone.NumberNotAuthenticated:
		return "tokenserver phone refresh (PIN) or tokenserver phone sign-in (password)"
	case phone.NumberPINBlocked, phone.NumberPINSequence, phone.NumberPINSimilarDigits, phone.NumberPINLength:
		return "choose another PIN; tokenserver phone validate prints the policy"
	case phone.NumberPushTokenInUse:
		return "another installation holds this push token: enroll with another one"
	case phone.NumberEnrollmentDisabled:
		return "mobile_authentication in the settings switches it off"
	case phone.NumberAlreadyEnrolled:
		return "the user is enrolled elsewhere: mobile_authentication.push_enrollment_mode in the settings decides whether that may be"
	case phone.NumberUserDisenrolled, phone.NumberNotEnrolled:
		return "tokenserver phone enroll --push-token TOKEN"
	case phone.NumberAlreadyHandled:
		return "somebody fetched or answered it before; tokenserver phone pending shows what is open"
	case phone.NumberTransactionNotFound:
		return "it ended, expired or never was; tokenserver phone pending shows what is open"
	default:
		return ""
	}
}

// nextByWord is for refusals that the published SDKs have no number for.
func nextByWord(e *phone.Error) string {
	switch {
	case e.Remaining != nil && e.Code == "invalid_refresh_token":
		return "the PIN is wrong; the message is kept, so tokenserver phone approve may be tried again"
	case e.Remaining != nil:
		return "the PIN is wrong; try again"
	case e.Code == "invalid_grant":
		return "tokenserver phone sign-in gets new tokens"
	case e.Code == "invalid_scope", e.Code == "insufficient_scope":
		return "compare --scope with the scopes of the application in the settings"
	case e.Code == "temporarily_unavailable":
		return "too many requests, or a store of the server does not answer: wait a moment and try again"
	case e.Code == "api_version_not_allowed":
		return "install again with --api-version 2"
	default:
		return ""
	}
}
