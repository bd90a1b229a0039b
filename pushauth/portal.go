package pushauth

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// Portal serves the portal API in its versions 2, 3 and 4. The group that it gets routes on lets only API clients in that
// may call it.
// Every field is required.
type Portal struct {
	Settings     settingsSource
	Enrollments  portalEnrollments
	Tokens       liveTokens
	Transactions portalTransactions
	Outcomes     outcomes
	Endings      *Endings
	Push         *Pusher
	Limits       Limits
	Audit        *audit.Recorder
	Keys         *secret.Keys
	Log          *slog.Logger
	Now          func() time.Time
	NewID        func() string
}

// Limits bounds what a portal may send and see.
type Limits struct {
	Message       int  // code points
	SecureMessage int  // code points
	SigningData   int  // bytes
	Open          int  // open push transactions of one installation
	HTTPCallbacks bool // plain http callbacks are allowed
	Shared        bool // any API client may read and resend any transaction, not only those that it started
}

// DefaultLimits are the limits unless configured.
func DefaultLimits() Limits {
	return Limits{Message: 155, SecureMessage: 4096, SigningData: 8192, Open: 20}
}

// portalEnrollments is what the portal API needs to know about devices.
type portalEnrollments interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	Enrollment(ctx context.Context, id string) (store.Enrollment, error)
	EnrolledDevice(ctx context.Context, enrollmentID string) (store.EnrolledDevice, error)
	EnrolledDevicesOfUser(ctx context.Context, userID string) ([]store.EnrolledDevice, error)
	MarkPushStale(ctx context.Context, id string, hash []byte, now time.Time) error
}

// liveTokens tells whether a profile has a refresh token that could answer.
type liveTokens interface {
	HasLive(ctx context.Context, clientID, profileID string, kind store.TokenKind) (bool, error)
}

// portalTransactions is what the portal API needs of Redis.
type portalTransactions interface {
	CreateTransaction(ctx context.Context, t store.Transaction, limit int) (int, error)
	Transaction(ctx context.Context, id string) (store.Transaction, error)
	MoveTransaction(ctx context.Context, id string, from []store.State, to store.State, change store.TransactionChange) error
	ForgetTransaction(ctx context.Context, t store.Transaction) error
	resends
}

// resends counts them before they are made.
type resends interface {
	CountResend(ctx context.Context, id string) (bool, error)
	ReturnResend(ctx context.Context, id string) error
	CountOpen(ctx context.Context, clientID string) (int, error)
}

// outcomes are the decisions about transactions.
type outcomes interface {
	TransactionOutcome(ctx context.Context, id string) (store.TransactionOutcome, error)
}

// Routes registers the endpoints below the group, which is /oauth.
func (p *Portal) Routes(g *echo.Group) {
	for _, v := range []version{v2, v3, v4} {
		api := g.Group(fmt.Sprintf("/api/v%d/authenticate", v), noCache)
		at := func(handle func(echo.Context, version) error) echo.HandlerFunc {
			return func(c echo.Context) error { return handle(c, v) }
		}
		api.POST("/user", at(p.initialize))
		api.POST("/user/:user_id/push/resend", at(p.resend))
		api.GET("/transaction/:transaction_id", at(p.result))
		api.GET("/user/:user_id/enabled", at(p.options))
		switch v {
		case v2:
			api.GET("/user/:user_id/enabled/:type", at(p.enabledType))
		case v3:
			api.GET("/user/:user_id/application/:app_id/enabled", at(p.enabled))
		case v4:
			api.GET("/user/:user_id/device/:device_id/enabled", at(p.enabled))
		}
	}
}

// version is a version of the portal API. They differ in how the target of a push is chosen.
type version int

// The versions.
const (
	v2 version = 2 // by the user alone
	v3 version = 3 // by application
	v4 version = 4 // by device
)

// versionClosed is the failure of the versions that cannot tell several devices of a user apart, while users may have
// several.
var versionClosed = outcome.Failure{
	Code: outcome.NotFound, Number: numberVersion, Audit: audit.APIVersionNotAllowed,
	Text: "Server configuration demands API version 4 or above",
}

// admit refuses an endpoint while mobile authentication is off as a whole, or while the version is closed.
func (v version) admit(s *settings.Snapshot, off outcome.Failure) error {
	switch {
	case !s.MobileAuthenticationOn():
		return off
	case v < v4 && s.Document.MobileAuthentication.Mode() == settings.MultipleDevices:
		return versionClosed.About(audit.Count("api_version", int(v)))
	}
	return nil
}

// The numbers of the portal API ("error_code").
const (
	numberDisabled      = 1000
	numberNoPossibility = 1001
	numberProvider      = 1002
	numberInvalid       = 1003
	numberTooLong       = 1005
	numberNoTransaction = 1006
	numberTransactionID = 3004
	numberUserID        = 3005
	numberResendLimit   = 3006
	numberType          = 4000
	numberVersion       = 4001
)

const disabledText = "Mobile authentication is disabled"

// noCache forbids caching in the words that portals know, on success and failure alike.
func noCache(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		c.Response().Before(func() {
			c.Response().Header().Set(echo.HeaderCacheControl, "no-cache, no-store, must-revalidate")
		})
		return next(c)
	}
}

// apiClient returns the id of the API client that calls.
func apiClient(ctx context.Context) string {
	if c := clientauth.APIClientOf(ctx); c != nil {
		return c.ID
	}
	return ""
}

// owns tells whether the API client that calls may see the transaction that owner has started.
func (p *Portal) owns(ctx context.Context, owner string) bool {
	return p.Limits.Shared || owner == apiClient(ctx)
}

// parameter returns a part of the path, decoded.
func parameter(c echo.Context, name string) string {
	value := c.Param(name)
	if c.Request().URL.RawPath == "" {
		return value // the path was decoded already
	}
	if decoded, err := url.PathUnescape(value); err == nil {
		return decoded
	}
	return value
}

// disabled returns the failure of an endpoint while mobile authentication is off as a whole.
func disabled(code audit.Code) outcome.Failure {
	return outcome.Failure{Code: outcome.NotFound, Number: numberDisabled, Audit: code, Text: disabledText}.
		About(audit.Reason("disabled"))
}

// device is an enrollment that a push can go to, with all that is configured for it.
type device struct {
	store.Enrollment
	application *settings.Application
	version     *settings.AppVersion
}
