package pushauth

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	protocol "tokenserver/internal/device"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// Device serves the app: the pending list, the secured message, the answer. Every field is required.
type Device struct {
	Settings      settingsSource
	Tokens        tokenVerifier
	PINs          pinChecker
	Gate          versionGate
	Installations deviceInstallations
	Enrollments   deviceEnrollments
	Transactions  deviceTransactions
	Outcomes      deviceOutcomes
	Endings       *Endings
	Lifecycle     profileRemover
	ServerKeys    *protocol.ServerKeys
	Devices       *protocol.Verifier
	Audit         *audit.Recorder
	Keys          *secret.Keys
	Now           func() time.Time
}

// tokenVerifier checks access tokens. Errors: store.ErrNotFound, store.ErrExpired, store.ErrRevoked.
type tokenVerifier interface {
	Verify(ctx context.Context, bearer string) (store.AccessToken, error)
}

// pinChecker counts and compares in the SQL transaction of ctx.
type pinChecker interface {
	CheckPIN(ctx context.Context, clientID, profileID, presented string, limit int) (token.PINCheck, error)
}

// versionGate moves an authenticated installation to the app version that its request names.
type versionGate interface {
	Move(ctx context.Context, s *settings.Snapshot, i store.Installation, header map[string][]string) (store.Installation, bool, error)
}

// deviceInstallations is what the app's side needs to know about installations. Errors: store.ErrNotFound.
type deviceInstallations interface {
	Installation(ctx context.Context, clientID string) (store.Installation, error)
}

// deviceEnrollments is what the app's side needs to know about enrollments. Errors: store.ErrNotFound.
type deviceEnrollments interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	EnrolledDevice(ctx context.Context, enrollmentID string) (store.EnrolledDevice, error)
	// LockAnswering reads again under lock who may answer; what committed first wins.
	LockAnswering(ctx context.Context, enrollmentID string) (store.Answering, error)
}

// deviceTransactions is what the app's side needs of Redis.
type deviceTransactions interface {
	Transaction(ctx context.Context, id string) (store.Transaction, error)
	PendingOf(ctx context.Context, clientID string) ([]store.Transaction, error)
	FetchTransaction(ctx context.Context, id, proof, challenge, reply string) (repeat string, err error)
	NewChallenge(ctx context.Context, id, old, next string, change store.TransactionChange) error
	MoveTransaction(ctx context.Context, id string, from []store.State, to store.State, change store.TransactionChange) error
}

// deviceOutcomes are decisions and replies that are kept to be repeated. Errors: store.ErrNotFound.
type deviceOutcomes interface {
	TransactionOutcome(ctx context.Context, id string) (store.TransactionOutcome, error)
	// AddAnswer errors: store.ErrConflict when the identical answer was counted before.
	AddAnswer(ctx context.Context, a store.TransactionAnswer) error
	Answer(ctx context.Context, transactionID string, hash []byte) (store.TransactionAnswer, error)
	// HasEvent tells whether an event about a transaction is committed.
	HasEvent(ctx context.Context, code audit.Code, clientID, transactionID string) (bool, error)
}

// profileRemover removes a user from an installation, in the SQL transaction of ctx.
type profileRemover interface {
	RemoveProfile(ctx context.Context, clientID, profileID, answering string) error
}

// Routes registers the endpoints below the group, which is /oauth.
func (d *Device) Routes(g *echo.Group) {
	g.POST("/mobile-auth/v1/transactions/pending", d.pending)
	g.POST("/mobile-auth/v1/transactions/fetch", d.fetch)
	g.POST("/mobile-auth/v1/transactions/answer", func(c echo.Context) error { return d.answer(c, 1) })
	g.POST("/mobile-auth/v2/transactions/answer", func(c echo.Context) error { return d.answer(c, 2) })
}

// How every endpoint of the app refuses an installation.
var (
	deviceVersionOff = outcome.Failure{
		Code:  outcome.VersionDisabled,
		Audit: audit.ClientValidationVersionDisabled, Text: "this version of the app is disabled",
	}
	deviceOtherProtocol = outcome.Failure{
		Code:  outcome.APIVersionNotAllowed,
		Audit: audit.APIVersionNotAllowed, Text: "the installation is registered with another API version",
	}
)

// deviceDisabled is the failure of an app's endpoint while mobile authentication is off as a whole.
func deviceDisabled(code audit.Code) outcome.Failure {
	return outcome.Failure{Code: outcome.FeatureDisabled, Audit: code, Text: disabledText}.About(audit.Reason("disabled"))
}

// admit takes an installation that has proved itself: it is moved to the version that its request names, later events
// say so, and a disabled version or another protocol ends here.
func (d *Device) admit(c echo.Context, s *settings.Snapshot, i store.Installation) error {
	ctx := c.Request().Context()
	audit.Admit(ctx)
	if appgate.APIVersionDiffers(c.Request().Header, i) {
		return deviceOtherProtocol.About(audit.Count("api_version", i.APIVersion), audit.Detail("route", c.Path()))
	}
	i, _, err := d.Gate.Move(ctx, s, i, c.Request().Header)
	if err != nil {
		return err
	}
	audit.Know(ctx, audit.AppAgent(i.ClientID), audit.App(i.Application, i.Platform, i.Version))
	if !appgate.Usable(s.Version(i.Application, i.Platform, i.Version)) {
		return deviceVersionOff
	}
	return nil
}

// unreadable is the failure of a body that cannot be bound.
func unreadable(err error, f outcome.Failure) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		f.Code, f.Text = outcome.PayloadTooLarge, "the body is too large"
	}
	return f.Because(err).About(audit.Reason("body"))
}
