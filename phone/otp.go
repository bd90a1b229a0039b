package phone

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// OTP is the content of a QR code or app link that a portal shows.
type OTP struct {
	TransactionID string `json:"transaction_id"`
	Code          string `json:"otp"`
}

// ParseOTP reads a scanned code: standard base64 of a JSON text. Error: *Error 10018, not a code of this kind.
func ParseOTP(scanned string) (*OTP, error) {
	data, err := base64.StdEncoding.DecodeString(scanned)
	if err != nil {
		return nil, local("invalid_otp", NumberNotHandleable, "the code is not base64")
	}
	var otp OTP
	if json.Unmarshal(data, &otp) != nil || otp.TransactionID == "" || otp.Code == "" {
		return nil, local("invalid_otp", NumberNotHandleable, "the code holds no transaction")
	}
	return &otp, nil
}

// FetchOTP binds the transaction of a scanned code to a profile of this phone and returns its message, to be answered by
// AcceptPlain or Deny. The first phone wins; any later one gets 9029.
func (p *Phone) FetchOTP(ctx context.Context, scanned, profileID string) (*Message, error) {
	otp, err := ParseOTP(scanned)
	if err != nil {
		return nil, fmt.Errorf("fetch otp: %w", err)
	}
	proof, err := p.NewProof(ctx, profileID, TypeOTP,
		Claims{"transaction_id": otp.TransactionID, "otp": otp.Code, "user": profileID})
	if err != nil {
		return nil, fmt.Errorf("fetch otp: %w", err)
	}
	m, err := p.fetch(ctx, "/mobile-auth/v1/otp/fetch", profileID, proof)
	if err != nil {
		return nil, fmt.Errorf("fetch otp: %w", err)
	}
	return m, nil
}

// OneTimePassword gets a one-time password for the signed-in user, to be typed or shown elsewhere. It lives for the returned
// number of seconds; a new one replaces the older.
func (p *Phone) OneTimePassword(ctx context.Context, profileID string) (password string, expiresIn int, err error) {
	token, err := p.AccessToken(profileID)
	if err != nil {
		return "", 0, fmt.Errorf("one-time password: %w", err)
	}
	var answer struct {
		OTP       string `json:"otp"`
		ExpiresIn int    `json:"expires_in"`
	}
	err = p.call(ctx, familyTransaction, Request{Path: "/mobile-auth/v1/otp", JSON: map[string]any{}, Bearer: token}, &answer)
	if err != nil {
		return "", 0, fmt.Errorf("one-time password: %w", err)
	}
	return answer.OTP, answer.ExpiresIn, nil
}
