package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// deviceLogins keeps device logins; see redisstore.Store.
type deviceLogins interface {
	deviceMoves
	// AddDevice errors: store.ErrConflict when the user code is in use.
	AddDevice(ctx context.Context, d store.DeviceAuthorization, userCode string) error
	// DeviceByUserCode errors: store.ErrNotFound, store.ErrExpired (together with the login).
	DeviceByUserCode(ctx context.Context, userCode string) (store.DeviceAuthorization, error)
	// Device errors: as DeviceByUserCode.
	Device(ctx context.Context, id string) (store.DeviceAuthorization, error)
}

// deviceMoves takes device logins to their end.
type deviceMoves interface {
	// PollDevice errors: as DeviceByUserCode.
	PollDevice(ctx context.Context, id string) (d store.DeviceAuthorization, slowDown bool, err error)
	// DecideDevice errors: store.ErrNotFound, store.ErrExpired, store.ErrConflict (decided already).
	DecideDevice(ctx context.Context, d store.DeviceAuthorization) error
	// SpendDevice leaves a tombstone.
	SpendDevice(ctx context.Context, id string) error
}

// How starting a device login fails (RFC 8628 §3.2, RFC 6749 §5.2). It succeeds with
// DEVICE_AUTHZ_REQUEST_DEVICE_CODE_CREATED.
var (
	deviceStartMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.DeviceAuthzRequestInvalid,
		Text: "the request must be one form without repeated parameters and without a query",
	}
	deviceStartNoClient = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.DeviceAuthzRequestInvalid, Text: "client_id is missing",
	}
	deviceStartProvider = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.DeviceAuthzRequestInvalid, Text: "the identity provider is not one of the client's",
	}
	deviceStartGrantOff = outcome.Failure{
		Code: outcome.UnauthorizedClient, Audit: audit.DeviceAuthzRequestInvalidClient, Text: "the client may not use this grant type",
	}
	deviceStartScope = outcome.Failure{
		Code: outcome.InvalidScope, Audit: audit.DeviceAuthzRequestScopeInvalid,
		Text: "the scope is malformed, missing or not allowed for the client",
	}
	// Its one event a minute is RATE_LIMIT_EXCEEDED.
	deviceStartTooMany = outcome.Failure{Code: outcome.TooManyRequests, Text: "too many device logins begun from this address, try again in a minute"}
)

var deviceClientFailures = clientFailures{
	ambiguous: outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.DeviceAuthzRequestInvalid, Text: "use one way to authenticate the client",
	},
	unknown: outcome.Failure{Code: outcome.InvalidClient, Audit: audit.DeviceAuthzRequestInvalidClient, Text: badClient},
	wrong:   outcome.Failure{Code: outcome.InvalidClient, Audit: audit.DeviceAuthzRequestInvalidClient, Text: badClient},
}

// The times of a device login.
const (
	deviceLife     = 10 * time.Minute
	deviceInterval = 5 * time.Second
)

const verificationPath = "/device_authorization/verification"

// mayUseDeviceCode tells whether a client has the device grant.
func mayUseDeviceCode(c clientauth.Client) bool {
	return c.Web != nil && c.Web.Allows(settings.DeviceCode)
}

// deviceStarted is the answer (RFC 8628 §3.2).
type deviceStarted struct {
	DeviceCode string `json:"device_code"` // 64 hex digits
	UserCode   string `json:"user_code"`   // 8 letters
	Page       string `json:"verification_uri"`
	FullPage   string `json:"verification_uri_complete,omitempty"`
	ExpiresIn  int    `json:"expires_in"` // seconds
	Interval   int    `json:"interval"`   // seconds between two polls
}

// startDevice answers POST /oauth/device_authorization: a device without a browser wants tokens.
func (h *Handler) startDevice(c echo.Context) error {
	form, err := web.BindForm(c)
	if err != nil {
		return deviceStartMalformed.Because(err)
	}
	if form["client_id"] == "" && c.Request().Header.Get(echo.HeaderAuthorization) == "" && form["client_assertion"] == "" {
		return deviceStartNoClient.About(audit.Detail("field", "client_id"))
	}
	s := h.Settings.Current()
	client, err := h.authenticate(c, s, form, deviceClientFailures)
	if err != nil {
		return err
	}
	if !mayUseDeviceCode(client) {
		return deviceStartGrantOff.About(audit.Reason("grant not enabled"))
	}
	scopes, err := resolveScopes(client, form["scope"])
	if err != nil {
		return deviceStartScope.Because(err).About(audit.Detail("scope", clipped(form["scope"], maxScope)), audit.Reason(err.Error()))
	}
	if !offersProvider(s, client.Web, form["idp"]) {
		return deviceStartProvider.About(audit.Detail("idp", clipped(form["idp"], 255)))
	}
	if client.Public() { // anybody may say its id
		if err := h.mayStartDevice(c); err != nil {
			return err
		}
	}
	return h.addDevice(c, client, scopes, form["idp"])
}

// offersProvider tells whether a client may ask for an identity provider; "" = whichever it is signed in with.
func offersProvider(s *settings.Snapshot, w *settings.WebClient, id string) bool {
	if id == "" {
		return true
	}
	p := s.IdentityProvider(id)
	return p != nil && !p.Disabled && (id == w.IdentityProvider || slices.Contains(w.AdditionalProviders, id))
}

// mayStartDevice bounds how many device logins one network can leave behind.
func (h *Handler) mayStartDevice(c echo.Context) error {
	ctx := c.Request().Context()
	network := ratelimit.Network(audit.ClientIP(ctx))
	if !h.Starts.Exceeded(network) {
		h.Starts.Spend(ctx, network)
		return nil
	}
	if n := h.Starts.Refused(network); n > 0 {
		h.Audit.Record(ctx, audit.RateLimitExceeded, audit.Detail("limit", "device_logins"), audit.Count("refusals", n))
	}
	return deviceStartTooMany
}

// addDevice stores the login and answers with its codes.
func (h *Handler) addDevice(c echo.Context, client clientauth.Client, scopes []string, provider string) error {
	ctx := c.Request().Context()
	deviceCode, now := secret.NewToken(), h.Now()
	d := store.DeviceAuthorization{
		ID: hex.EncodeToString(deviceCodeHash(h.Keys, deviceCode)), State: store.DevicePending, ClientID: client.ID, Scopes: scopes,
		Provider: provider, CreatedAt: now, ExpiresAt: now.Add(deviceLife), Interval: deviceInterval,
	}
	var userCode string
	err := store.ErrConflict
	for tries := 0; errors.Is(err, store.ErrConflict) && tries < 5; tries++ { // the code of another login: once in a blue moon
		userCode = newUserCode()
		err = h.Devices.AddDevice(ctx, d, userCodeHash(h.Keys, userCode))
	}
	if err != nil {
		return fmt.Errorf("start device login: %w", err)
	}
	h.Audit.Record(ctx, audit.DeviceAuthzRequestDeviceCodeCreated, audit.List("scopes", scopes))
	page, full := verificationPages(h.Issuer, client.Web, userCode)
	return web.JSON(c, http.StatusOK, deviceStarted{
		DeviceCode: deviceCode, UserCode: userCode, Page: page, FullPage: full,
		ExpiresIn: int(deviceLife / time.Second), Interval: int(deviceInterval / time.Second),
	})
}

// verificationPages returns where the user enters the code, and where it is entered already: pages of the client's own
// when it has them, else ours. A client with a page of its own for the first alone gets no second one.
func verificationPages(issuer string, w *settings.WebClient, userCode string) (page, full string) {
	page = issuer + verificationPath
	full = page + "?user_code=" + userCode
	if w.DeviceVerificationURI != "" {
		page, full = w.DeviceVerificationURI, ""
	}
	if w.DeviceVerificationFull != "" {
		full = strings.ReplaceAll(w.DeviceVerificationFull, "{user_code}", url.QueryEscape(userCode))
	}
	return page, full
}
