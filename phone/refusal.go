package phone

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// Numbers that app developers know from the published SDK headers.
const (
	NumberServerNotReachable  = 9001
	NumberDeviceDeregistered  = 9002
	NumberUserDeregistered    = 9003
	NumberOutdatedApp         = 9004
	NumberOutdatedOS          = 9005
	NumberCancelled           = 9006
	NumberRegistration        = 9008
	NumberNotAuthenticated    = 9010
	NumberPINBlocked          = 9011
	NumberPINSequence         = 9012
	NumberPINSimilarDigits    = 9013
	NumberPINLength           = 9014
	NumberPushTokenInUse      = 9016
	NumberEnrollmentDisabled  = 9017
	NumberAlreadyEnrolled     = 9018
	NumberUserDisenrolled     = 9020
	NumberNotEnrolled         = 9021
	NumberAlreadyHandled      = 9029
	NumberTransactionNotFound = 10013
	NumberNotHandleable       = 10018
)

// Error is a refusal: of the server (Status is its HTTP status), of the browser redirect or of the phone itself (Status 0).
type Error struct {
	Status      int    `json:"-"`                 // HTTP status; 0 when no answer of the server refused
	Code        string `json:"error"`             // the error word
	Description string `json:"error_description"` // for developers, never for users
	Remaining   *int   `json:"remaining_attempts"`
	Used        *int   `json:"used_attempts"`
	Max         *int   `json:"max_attempts"`
	Challenge   string `json:"challenge"`    // the next one, when the answer may be tried again
	PINFallback bool   `json:"pin_fallback"` // the PIN may answer instead
	ServerTime  int64  `json:"server_time"`  // seconds since the epoch, with invalid_datetime
	ErrorCode   string `json:"error_code"`   // of mobile authentication errors, e.g. 1006
	SDKNumber   int    `json:"-"`            // 0: none of the published numbers fits
}

// Error names status, word and number; it never holds a token, PIN or secret.
func (e *Error) Error() string {
	text := "phone: " + e.Code
	if e.Status != 0 {
		text = fmt.Sprintf("phone: %d %s", e.Status, e.Code)
	}
	if e.Description != "" {
		text += ": " + e.Description
	}
	if e.Remaining != nil {
		text += fmt.Sprintf(" (%d attempts remain)", *e.Remaining)
	}
	return text
}

// local is a refusal by the phone itself, before anything is sent.
func local(code string, number int, description string) *Error {
	return &Error{Code: code, Description: description, SDKNumber: number}
}

// Refused returns the *Error inside err, or nil.
func Refused(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return nil
}

// gone says that the server has removed the user from this installation, so the local profile must go as well.
func (e *Error) gone() bool {
	return e.Code == "user_revoked" || (e.Remaining != nil && *e.Remaining == 0)
}

// refusal reads an error answer. A body that is no error object still gives an *Error with the status.
func refusal(r *Response, family string) *Error {
	e := &Error{}
	if json.Unmarshal(r.Body, e) != nil || e.Code == "" {
		e.Code = http.StatusText(r.Status)
	}
	e.Status = r.Status
	e.SDKNumber = sdkNumber(family, e)
	return e
}

// Families of requests that give one error word different meanings to an app developer.
const (
	familyRegistration = "registration"
	familyToken        = "token"
	familyEnrollment   = "enrollment"
	familyTransaction  = "transaction"
)

// sdkNumber maps an error word to the number of the published SDKs; 0 when none fits.
func sdkNumber(family string, e *Error) int {
	if e.gone() {
		return NumberUserDeregistered
	}
	switch e.Code {
	case "version_disabled", "registration_disabled", "os_version_missing":
		return NumberOutdatedApp
	case "os_version_not_supported":
		return NumberOutdatedOS
	case "invalid_header", "device_not_trusted", "invalid_response", "invalid_datetime", "invalid_client_statement":
		return NumberRegistration
	case "invalid_client":
		return NumberDeviceDeregistered
	case "access_denied":
		return NumberCancelled
	case "push_token_in_use":
		return NumberPushTokenInUse
	case "enrollment_disabled", "disabled":
		return NumberEnrollmentDisabled
	case "user_already_enrolled":
		return NumberAlreadyEnrolled
	case "already_fetched":
		return NumberAlreadyHandled
	case "invalid_transaction", "expired":
		if e.Status == http.StatusConflict {
			return NumberAlreadyHandled
		}
		return NumberTransactionNotFound
	}
	if family == familyEnrollment && e.Code == "invalid_token" {
		return NumberNotAuthenticated
	}
	if e.Status >= http.StatusInternalServerError {
		return NumberServerNotReachable
	}
	return 0
}
