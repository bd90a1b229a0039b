package customregistration

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

// The rules of two-way OTP.
const (
	codeLife         = 5 * time.Minute // of either code
	maxWrongCodes    = 3
	maxLiveCodes     = 50_000 // of client codes, so that a free one is found soon
	maxDraws         = 20
	codeDigits       = 6
	codeValues       = 1_000_000
	statusWrongCode  = 4001
	statusNoCode     = 4002 // the portal has not been told the client code yet
	statusCodesEnded = 5000
)

// tooManyCodes: so many people are between the two codes that a client code could be guessed.
var tooManyCodes = outcome.Failure{
	Code: outcome.TemporarilyUnavailable, Audit: audit.CustomRegistrationInitFailure, Text: "too many registrations are under way, try again shortly",
}

// flow marks the events of two-way OTP: other kinds of one-time passwords share their codes.
func flow() audit.Attr { return audit.Detail("flow", "two_way_otp") }

// clientCode derives a client code from a transaction id, so that it can be shown again and need not be kept: uniform over six
// digits for whoever does not have the key.
func clientCode(mac []byte) string {
	n := binary.BigEndian.Uint64(mac) % codeValues
	return fmt.Sprintf("%0*d", codeDigits, n)
}

// responseCode draws a response code.
func responseCode() string {
	const ceiling = ^uint64(0) - (^uint64(0) % codeValues) // above it the remainders are not equally likely
	for {
		if n := binary.BigEndian.Uint64(secret.Bytes(8)); n < ceiling {
			return fmt.Sprintf("%0*d", codeDigits, n%codeValues)
		}
	}
}

func drawn(keys *secret.Keys, transactionID string, index int) []byte {
	return keys.MAC(secret.ForShortCode, "draw", transactionID, strconv.Itoa(index))
}

func hashOfClientCode(keys *secret.Keys, code string) []byte {
	return keys.MAC(secret.ForShortCode, "client code", code)
}

// responseMAC binds a response code to the client code that it answers.
func responseMAC(keys *secret.Keys, clientCode []byte, code string) []byte {
	return keys.MAC(secret.ForShortCode, "response code", string(clientCode), code)
}

// book is both variants of two-way OTP: how codes begin and are compared.
type book struct {
	Codes codes
	Keys  *secret.Keys
	Audit *audit.Recorder
	Now   func() time.Time
}

func (h *Handler) book() book {
	return book{Codes: h.Registrations, Keys: h.Keys, Audit: h.Audit, Now: h.Now}
}

// begin draws a client code that no live registration has. r names the client and provider; its event commits with it.
func (b book) begin(ctx context.Context, transactionID string, r store.CustomRegistration) (code string, err error) {
	live, err := b.Codes.LiveClientCodes(ctx, r.CreatedAt)
	if err != nil {
		return "", fmt.Errorf("begin two-way OTP: %w", err)
	}
	if live >= maxLiveCodes {
		return "", tooManyCodes.About(audit.Detail("idp", r.Provider), flow(), audit.Count("live", live))
	}
	r.ExpiresAt = r.CreatedAt.Add(codeLife)
	for r.CodeIndex = range maxDraws {
		code = clientCode(drawn(b.Keys, transactionID, r.CodeIndex))
		r.ClientCode = hashOfClientCode(b.Keys, code)
		err = b.Codes.InTx(ctx, func(ctx context.Context) error {
			if err := b.Codes.AddCustomRegistration(ctx, r); err != nil {
				return err
			}
			b.Audit.Record(ctx, audit.CustomRegistrationInitSuccess, audit.Detail("idp", r.Provider), flow())
			return nil
		})
		if !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	if err != nil {
		return "", fmt.Errorf("begin two-way OTP: %w", err)
	}
	return code, nil
}

func (h *Handler) beginCodes(ctx context.Context, transactionID string, r store.CustomRegistration) (string, error) {
	return h.book().begin(ctx, transactionID, r)
}

// compareCodes judges a response code. Wrong ones are counted before they are compared; waiting for the portal costs nothing.
func (h *Handler) compareCodes(ctx context.Context, r store.CustomRegistration, code string) (answer, error) {
	return h.book().compare(ctx, r, code, func(ctx context.Context) error {
		return h.Registrations.CountCompletion(ctx, r.Hash, maxWrongCodes, h.Now())
	})
}

// compare is compareCodes; count takes one of the attempts.
func (b book) compare(ctx context.Context, r store.CustomRegistration, code string, count func(context.Context) error) (answer, error) {
	details := []audit.Attr{audit.Detail("idp", r.Provider), flow()}
	failed := func(status int, more ...audit.Attr) answer {
		return answer{status: status, failed: audit.OneTimePasswordAuthFailed, details: append(details, more...)}
	}
	switch {
	case !b.Now().Before(r.ExpiresAt):
		return failed(statusCodesEnded, audit.Reason("expired")), nil
	case len(r.ResponseCode) == 0:
		return failed(statusNoCode, audit.Reason("pending")), nil
	}
	err := count(ctx)
	if errors.Is(err, store.ErrConflict) {
		return failed(statusCodesEnded, audit.Reason("attempts")), nil
	}
	if err != nil {
		return answer{}, fmt.Errorf("count response code: %w", err)
	}
	if len(code) != codeDigits || !b.Keys.Equal(secret.ForShortCode, r.ResponseCode, "response code", string(r.ClientCode), code) {
		return failed(statusWrongCode, audit.Count("attempt", r.Attempts+1), audit.Count("max", maxWrongCodes)), nil
	}
	return answer{
		status: statusSuccess, passed: audit.OneTimePasswordAuthSucceeded, details: details,
		identity: &store.Identity{UserID: r.UserID, AMR: []string{"otp"}},
	}, nil
}
