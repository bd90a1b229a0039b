package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// scopeApproveDevice is what the access token of an app needs to approve device logins.
const scopeApproveDevice = "access:device-authorization:approve"

// How approving a device login in an app fails. It succeeds with 204 and AUTHZ_REQUEST_DEVICE_GRANT_CREATED.
var (
	approveMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.DeviceAuthzApprovalRefused, Text: "send one user_code, in the form or in the query",
	}
	approveNoToken = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.TokenRequestInvalidBearerToken, Text: "the access token is missing",
		Attrs: []audit.Attr{audit.Reason("missing")},
	}
	approveNoScope = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.DeviceAuthzApprovalRefused, Text: "the access token may not approve device logins",
		Attrs: []audit.Attr{audit.Reason("approval scope missing")},
	}
	approveTooLittle = outcome.Failure{
		Code: outcome.InsufficientScope, Audit: audit.DeviceAuthzApprovalRefused, Text: "the device asks for more than the access token has",
	}
	approveTwice = outcome.Failure{
		Code: outcome.AlreadyAuthorized, Audit: audit.DeviceAuthzApprovalRefused, Text: "the device login has been decided already",
		Attrs: []audit.Attr{audit.Reason("decided already")},
	}
	approveGone = outcome.Failure{
		Code: outcome.ExpiredToken, Audit: audit.DeviceAuthzApprovalRefused, Text: "the user code is unknown or has expired",
	}
	// Its one event in each window is RATE_LIMIT_EXCEEDED.
	approveLocked = outcome.Failure{Code: outcome.TooManyRequests, Text: "too many wrong codes, try again later"}
)

// appTokenFailures is how endpoints for signed-in users of apps refuse access tokens.
var appTokenFailures = struct{ unknown, ended outcome.Failure }{
	unknown: outcome.Failure{
		Code: outcome.InvalidToken, Audit: audit.TokenRequestInvalidBearerToken, Text: "the access token is not good for this request",
		Attrs: []audit.Attr{audit.Reason("unknown")},
	},
	ended: outcome.Failure{
		Code: outcome.InvalidToken, Audit: audit.TokenRequestInvalidAccessToken, Text: "the access token is not good for this request",
	},
}

// appUser returns the access token of a request by a user who is signed in to an app, and the user. Tokens of low assurance
// (implicit, stateless) and of clients without an installation will not do.
func (h *Handler) appUser(c echo.Context, bearer string) (store.AccessToken, store.Account, error) {
	ctx := c.Request().Context()
	t, err := h.Tokens.Verify(ctx, bearer)
	if errors.Is(err, store.ErrNotFound) {
		return t, store.Account{}, appTokenFailures.unknown.Because(err)
	}
	refused := appTokenFailures.ended.About(audit.Client(t.ClientID), audit.User(t.UserID), audit.Profile(t.ProfileID),
		audit.App(t.Application, t.Platform, t.Version))
	switch {
	case errors.Is(err, store.ErrExpired):
		return t, store.Account{}, refused.Because(err).About(audit.Reason("expired"))
	case errors.Is(err, store.ErrRevoked):
		return t, store.Account{}, refused.Because(err).About(audit.Reason("revoked"))
	case err != nil:
		return t, store.Account{}, err
	}
	if reason := ended(h.Settings.Current(), &t); reason != "" {
		return t, store.Account{}, refused.About(audit.Reason(reason))
	}
	strong := []store.TokenKind{store.DefaultToken, store.FingerprintToken, store.CustomAuthenticatorToken}
	if t.UserID == "" || t.Application == "" || !slices.Contains(strong, t.Kind) {
		return t, store.Account{}, refused.About(audit.Reason("type"), audit.Detail("type", string(t.Kind)))
	}
	account, err := h.Accounts.Account(ctx, t.UserID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && account.Disabled:
		return t, account, refused.Because(err).About(audit.Reason("account_disabled"))
	case err != nil:
		return t, account, fmt.Errorf("find account: %w", err)
	}
	audit.Know(ctx, audit.Client(t.ClientID), audit.Profile(t.ProfileID), audit.App(t.Application, t.Platform, t.Version),
		audit.AppAgent(t.ClientID))
	audit.Admit(ctx, audit.User(t.UserID))
	if _, err := h.Tokens.Use(ctx, t); errors.Is(err, store.ErrRevoked) {
		return t, account, refused.Because(err).About(audit.Reason("used_up"))
	} else if err != nil {
		return t, account, err
	}
	return t, account, nil
}

// approvalCode returns the user code of the query or of the form.
func approvalCode(c echo.Context) (string, error) {
	form := web.Form{}
	query, err := web.ParseForm(c.Request().URL.RawQuery)
	if err == nil && c.Request().Header.Get(echo.HeaderContentType) != "" {
		c.Request().URL.RawQuery = "" // read
		form, err = web.BindForm(c)
	}
	switch {
	case err != nil:
		return "", approveMalformed.Because(err).About(audit.Reason("malformed"))
	case query["user_code"] != "" && form["user_code"] != "":
		return "", approveMalformed.About(audit.Reason("repeated"))
	case query["user_code"] != "":
		return query["user_code"], nil
	case form["user_code"] != "":
		return form["user_code"], nil
	}
	return "", approveMalformed.About(audit.Reason("user_code missing"))
}

// approveDevice answers POST /oauth/device_authorization/approve: the user of an app agrees that another device gets
// tokens. The app has shown the user what the device asks for; that is the consent.
func (h *Handler) approveDevice(c echo.Context) error {
	ctx := c.Request().Context()
	bearer := web.BearerToken(c)
	if bearer == "" {
		return approveNoToken
	}
	t, _, err := h.appUser(c, bearer)
	if err != nil {
		return err
	}
	if !slices.Contains(t.Scopes, scopeApproveDevice) {
		return approveNoScope
	}
	typed, err := approvalCode(c)
	if err != nil {
		return err
	}
	d, err := h.deviceToApprove(ctx, t.UserID, typed)
	if err != nil {
		return err
	}
	for _, scope := range d.Scopes {
		if !slices.Contains(t.Scopes, scope) {
			return approveTooLittle.About(audit.Detail("scope", scope), audit.Detail("device_client", d.ClientID))
		}
	}
	d.State, d.UserID, d.AuthTime, d.ACR, d.AMR = store.DeviceApproved, t.UserID, t.AuthTime, t.ACR, t.AMR
	decisions := deviceDecisions{Store: h.Store, Marks: h.Marks, Devices: h.Devices, Now: h.Now}
	err = decisions.decide(ctx, d, func(ctx context.Context) {
		h.Audit.Record(ctx, audit.AuthzRequestDeviceGrantCreated, audit.List("scopes", d.Scopes), audit.Detail("device_client", d.ClientID))
	})
	switch {
	case errors.Is(err, store.ErrConflict):
		return approveTwice.Because(err)
	case errors.Is(err, store.ErrExpired), errors.Is(err, store.ErrNotFound):
		return approveGone.Because(err).About(audit.Reason("expired"))
	case err != nil:
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

// deviceToApprove finds a pending device login. Wrong codes are counted for the user.
func (h *Handler) deviceToApprove(ctx context.Context, userID, typed string) (store.DeviceAuthorization, error) {
	guesser := "user:" + userID
	if h.Guesses.Exceeded(guesser) {
		if n := h.Guesses.Refused(guesser); n > 0 {
			h.Audit.Record(ctx, audit.RateLimitExceeded, audit.Detail("limit", "user_codes"), audit.Count("refusals", n))
		}
		return store.DeviceAuthorization{}, approveLocked
	}
	code, ok := readUserCode(typed)
	var d store.DeviceAuthorization
	err := store.ErrNotFound
	if ok {
		d, err = h.Devices.DeviceByUserCode(ctx, userCodeHash(h.Keys, code))
	}
	switch {
	case errors.Is(err, store.ErrNotFound):
		h.Guesses.Spend(ctx, guesser)
		return d, approveGone.Because(err).About(audit.Reason("unknown"))
	case errors.Is(err, store.ErrExpired):
		return d, approveGone.Because(err).About(audit.Reason("expired"))
	case err != nil:
		return d, fmt.Errorf("find device login: %w", err)
	case d.State != store.DevicePending:
		return d, approveTwice
	}
	return d, nil
}
