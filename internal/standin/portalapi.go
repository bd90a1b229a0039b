package standin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const portalMaxAnswer = 1 << 20

// PortalAPI makes the calls of a portal: version 4 of the mobile authentication API, with Basic authentication.
// Every refusal of the server is a *PortalError.
type PortalAPI struct {
	BaseURL      string       // of the server: https://host/oauth
	ClientID     string       // of the API client
	ClientSecret string       //
	HTTPClient   *http.Client // required; carries the timeout
}

// PortalError is an error answer of the portal API.
type PortalError struct {
	Status      int    `json:"-"`
	ErrorCode   string `json:"error_code"` // e.g. 1001
	Word        string `json:"error"`
	Description string `json:"error_description"`
}

// Error names status, number and word.
func (e *PortalError) Error() string {
	return fmt.Sprintf("portal api: %d %s %s: %s", e.Status, e.ErrorCode, e.Word, e.Description)
}

// Initiation starts a transaction. Which fields are needed depends on the type; empty ones are not sent.
type Initiation struct {
	Type          string // name of a configured type
	UserID        string // push and SMS; must be empty for OTP
	DeviceID      string // push: client id of the installation
	CallbackURI   string // push and OTP
	Message       string
	SecureMessage string
	SigningData   string
	PhoneNumber   string // SMS, also as a fallback
	Language      string
	IPAddress     string
	UserAgent     string
}

// Initiated is a started transaction.
type Initiated struct {
	TransactionID string `json:"transaction_id"`
	Method        string `json:"auth_method"`  // push, otp or sms: what was really started
	TimeToLive    int64  `json:"time_to_live"` // milliseconds
	OTP           string `json:"otp"`          // OTP only: for a QR code or app link
	Device        *struct {
		Name     string `json:"name"`
		Platform string `json:"platform"`
	} `json:"device"` // push only
}

// Outcome is the result of a transaction as the portal may read it.
type Outcome struct {
	TransactionID     string `json:"transaction_id"`
	CallbackURI       string `json:"callback_uri"`
	Timestamp         int64  `json:"timestamp"` // of the initiation, milliseconds
	UserID            string `json:"user_id"`
	Authenticated     bool   `json:"is_authenticated"`
	Method            string `json:"authentication_method"`        // really used, once answered
	Attempts          *int   `json:"used_authentication_attempts"` // PIN tries, only when the PIN was used
	Signature         string `json:"signature"`                    // base64, transaction signing only
	SignedData        string `json:"signed_data"`                  // base64
	PublicKey         string `json:"user_public_key"`              // PEM
	SignatureVerified *bool  `json:"signature_verified"`
	Reason            *struct {
		Reason      string `json:"reason"`
		Description string `json:"description"`
	} `json:"not_authenticated_reason"` // finally not authenticated
}

// Option is one way in which a user could be asked now.
type Option struct {
	Type        string `json:"type"`
	Method      string `json:"method"`
	SMSFallback bool   `json:"sms_fallback_allowed"`
	Apps        []struct {
		AppID      string `json:"app_id"`
		AppName    string `json:"app_name"`
		DeviceID   string `json:"device_id"`
		DeviceName string `json:"device_name"`
		Platform   string `json:"platform"`
	} `json:"apps_enrolled_for_push"`
}

// Init starts a transaction of any type.
func (a *PortalAPI) Init(ctx context.Context, in Initiation) (*Initiated, error) {
	form := url.Values{}
	for name, value := range map[string]string{
		"type": in.Type, "user_id": in.UserID, "device_id": in.DeviceID, "callback_uri": in.CallbackURI, "message": in.Message,
		"secure_message": in.SecureMessage, "signing_data": in.SigningData, "phone_number": in.PhoneNumber,
		"language_code": in.Language, "ip_address": in.IPAddress, "user_agent": in.UserAgent,
	} {
		if value != "" {
			form.Set(name, value)
		}
	}
	var out Initiated
	return &out, a.call(ctx, http.MethodPost, "user", form, &out)
}

// Resend sends the push of a transaction again.
func (a *PortalAPI) Resend(ctx context.Context, userID, transactionID string) error {
	return a.call(ctx, http.MethodPost, "user/"+url.PathEscape(userID)+"/push/resend", url.Values{"transaction_id": {transactionID}}, nil)
}

// Result reads a transaction; reading does not consume it.
func (a *PortalAPI) Result(ctx context.Context, transactionID string) (*Outcome, error) {
	var out Outcome
	return &out, a.call(ctx, http.MethodGet, "transaction/"+url.PathEscape(transactionID), nil, &out)
}

// Availability lists the types usable now for a user on one device.
func (a *PortalAPI) Availability(ctx context.Context, userID, deviceID string) ([]string, error) {
	var out struct {
		Enabled []string `json:"enabled"`
	}
	err := a.call(ctx, http.MethodGet, "user/"+url.PathEscape(userID)+"/device/"+url.PathEscape(deviceID)+"/enabled", nil, &out)
	return out.Enabled, err
}

// Options lists all types usable now for a user, with the devices that a push could go to.
func (a *PortalAPI) Options(ctx context.Context, userID string) ([]Option, error) {
	var out struct {
		Enabled []Option `json:"enabled"`
	}
	err := a.call(ctx, http.MethodGet, "user/"+url.PathEscape(userID)+"/enabled", nil, &out)
	return out.Enabled, err
}

// VerifySMS checks the code that the user typed.
func (a *PortalAPI) VerifySMS(ctx context.Context, userID, transactionID, code string) error {
	return a.call(ctx, http.MethodPost, "user/"+url.PathEscape(userID)+"/sms",
		url.Values{"transaction_id": {transactionID}, "sms_code": {code}}, nil)
}

// ResendSMS sends the same code again.
func (a *PortalAPI) ResendSMS(ctx context.Context, userID, transactionID string) error {
	return a.call(ctx, http.MethodPost, "user/"+url.PathEscape(userID)+"/sms/resend", url.Values{"transaction_id": {transactionID}}, nil)
}

// VerifyOTP checks a one-time password that an app has generated; it returns the user id.
func (a *PortalAPI) VerifyOTP(ctx context.Context, password string) (userID string, err error) {
	var out struct {
		UserID        string `json:"user_id"`
		Authenticated bool   `json:"is_authenticated"`
	}
	if err := a.call(ctx, http.MethodPost, "otp", url.Values{"otp": {password}}, &out); err != nil {
		return "", err
	}
	if !out.Authenticated {
		return "", errors.New("portal api: success without authentication")
	}
	return out.UserID, nil
}

// call sends one request below /api/v4/authenticate/ and decodes the answer into out (nil: ignored).
func (a *PortalAPI) call(ctx context.Context, method, path string, form url.Values, out any) error {
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, method, strings.TrimSuffix(a.BaseURL, "/")+"/api/v4/authenticate/"+path, body)
	if err != nil {
		return fmt.Errorf("portal api: %w", err)
	}
	request.SetBasicAuth(url.QueryEscape(a.ClientID), url.QueryEscape(a.ClientSecret))
	request.Header.Set("Accept", "application/json")
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=UTF-8")
	}
	response, err := a.HTTPClient.Do(request)
	if err != nil {
		return fmt.Errorf("portal api: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(io.LimitReader(response.Body, portalMaxAnswer))
	if err != nil {
		return fmt.Errorf("portal api: read answer: %w", err)
	}
	if response.StatusCode >= http.StatusMultipleChoices {
		refusal := &PortalError{}
		if json.Unmarshal(data, refusal) != nil {
			refusal = &PortalError{Word: http.StatusText(response.StatusCode)}
		}
		refusal.Status = response.StatusCode
		return refusal
	}
	if out == nil || len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("portal api: decode answer: %w", err)
	}
	return nil
}
