package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/token"
	"tokenserver/store"
)

const grantDeviceCode = "urn:ietf:params:oauth:grant-type:device_code"

// How polling with a device code fails (RFC 8628 §3.5). It succeeds with TOKEN_REQUEST_ACCESS_TOKEN_CREATED. A device
// that only has to wait leaves no event.
var (
	deviceCodeMissing = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalid, Text: "device_code is missing",
	}
	devicePending = outcome.Failure{Code: outcome.AuthorizationPending, Text: "the user has not decided yet"}
	deviceSlow    = outcome.Failure{Code: outcome.SlowDown, Text: "wait five seconds longer between two requests"}
	deviceDenied  = outcome.Failure{
		Code: outcome.DeviceDenied, Audit: audit.TokenRequestInvalidGrant, Text: "the user refused",
		Attrs: []audit.Attr{audit.Reason("denied")},
	}
	deviceExpired = outcome.Failure{
		Code: outcome.ExpiredToken, Audit: audit.TokenRequestInvalidGrant, Text: "the device code has expired",
		Attrs: []audit.Attr{audit.Reason("expired")},
	}
	deviceInvalid = outcome.Failure{
		Code: outcome.InvalidGrant, Audit: audit.TokenRequestInvalidGrant,
		Text: "the device code is unknown, used or another client's",
	}
)

// deviceCode answers a device that asks whether its user has agreed (RFC 8628 §3.4). The mark in SQL decides, in one
// transaction with tokens and event: of several polls one gets the tokens. A further use ends nothing, because devices
// poll again when an answer gets lost.
func (h *Handler) deviceCode(ctx context.Context, r *tokenRequest) (token.Issued, error) {
	presented := r.form["device_code"]
	if presented == "" {
		return token.Issued{}, deviceCodeMissing.About(audit.Detail("field", "device_code"), audit.Detail("grant", "device_code"))
	}
	hash := deviceCodeHash(h.Keys, presented)
	d, slowDown, err := h.Devices.PollDevice(ctx, hex.EncodeToString(hash))
	over := errors.Is(err, store.ErrExpired)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return token.Issued{}, deviceInvalid.Because(err).About(audit.Reason("unknown"))
	case err != nil && !over:
		return token.Issued{}, fmt.Errorf("poll: %w", err)
	case d.ClientID != r.client.ID:
		return token.Issued{}, deviceInvalid.About(audit.Reason("other client"))
	}
	audit.Admit(ctx) // the code is as good as a secret
	if d.UserID != "" {
		audit.Know(ctx, audit.User(d.UserID))
	}
	switch {
	case d.State == store.DeviceUsed:
		return token.Issued{}, deviceInvalid.About(audit.Reason("used"))
	case d.State == store.DeviceDenied:
		return token.Issued{}, deviceDenied
	case over:
		return token.Issued{}, deviceExpired
	case d.State == store.DeviceApproved:
		return h.redeemDevice(ctx, r, d, hash)
	case slowDown:
		return token.Issued{}, deviceSlow
	}
	return token.Issued{}, devicePending
}

// redeemDevice makes the tokens of an approved device login. They live on when the browser that approved signs off.
func (h *Handler) redeemDevice(ctx context.Context, r *tokenRequest, d store.DeviceAuthorization, hash []byte) (token.Issued, error) {
	grant := redemption{
		AuthorizationCode: store.AuthorizationCode{
			Hash: hash, ClientID: d.ClientID, UserID: d.UserID, Scopes: d.Scopes, AuthTime: d.AuthTime, ACR: d.ACR, AMR: d.AMR,
		},
		grant: "device_code",
		again: func(context.Context, []byte) error { return deviceInvalid.About(audit.Reason("used")) },
		bury:  func(ctx context.Context) error { return h.Devices.SpendDevice(ctx, d.ID) },
	}
	if asksOthers(r.settings, r.client) {
		var err error
		if grant.ahead, err = h.foresee(ctx, r, question{userID: d.UserID, scopes: d.Scopes}); err != nil {
			return token.Issued{}, fmt.Errorf("redeem device code: %w", err)
		}
	}
	var issued token.Issued
	err := h.Store.InTx(ctx, func(ctx context.Context) (err error) {
		issued, err = h.redeem(ctx, r, grant)
		return err
	})
	if err != nil {
		return token.Issued{}, fmt.Errorf("redeem device code: %w", err)
	}
	return issued, nil
}
