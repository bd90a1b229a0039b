package enrollment

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/device"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// lifetime is the time between init and acknowledge.
const lifetime = 600 * time.Second

// Handler serves the enrollment endpoints. Every field is required.
type Handler struct {
	Settings      settingsSource
	Clients       clientAuthenticator
	Tokens        tokenVerifier
	Gate          gate
	Installations installations
	Enrollments   enrollments
	PushTokens    pushTokens
	Pending       pendingEnrollments
	Lifecycle     remover
	ServerKeys    *device.ServerKeys
	Devices       *device.Verifier
	Keys          *secret.Keys
	Audit         *audit.Recorder
	Now           func() time.Time
	NewID         func() string
}

type settingsSource interface {
	Current() *settings.Snapshot
}

// clientAuthenticator checks the credentials of an installation. Errors: *clientauth.Refused.
type clientAuthenticator interface {
	Authenticate(ctx context.Context, s *settings.Snapshot, c clientauth.Credentials) (clientauth.Client, error)
}

// tokenVerifier checks access tokens. Errors: store.ErrNotFound, store.ErrExpired, store.ErrRevoked.
type tokenVerifier interface {
	Verify(ctx context.Context, bearer string) (store.AccessToken, error)
}

// gate moves an authenticated installation to the app version that its request names.
type gate interface {
	Move(ctx context.Context, s *settings.Snapshot, i store.Installation, header map[string][]string) (store.Installation, bool, error)
}

// installations is what enrollment needs of the store about installations and their users. Errors: store.ErrNotFound.
type installations interface {
	Installation(ctx context.Context, clientID string) (store.Installation, error)
	LockInstallation(ctx context.Context, clientID string) (store.Installation, error)
	Profile(ctx context.Context, clientID, profileID string) (store.Profile, error)
	LockProfile(ctx context.Context, clientID, profileID string) (store.Profile, error)
}

// enrollments is what enrollment needs of the SQL store.
type enrollments interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	// AddEnrollment errors: store.ErrConflict when the profile has one already.
	AddEnrollment(ctx context.Context, e store.Enrollment) error
	// Enrollment errors: store.ErrNotFound.
	Enrollment(ctx context.Context, id string) (store.Enrollment, error)
	EnrollmentsOfUser(ctx context.Context, userID string) ([]store.Enrollment, error)
	AddServerKey(ctx context.Context, k store.ServerKey) error
}

// pushTokens is what enrollment needs of the SQL store about push tokens.
type pushTokens interface {
	// TakeTurn makes enrollments that could contradict each other wait for one another.
	TakeTurn(ctx context.Context, names ...string) error
	EnrollmentsOfClient(ctx context.Context, clientID string) ([]store.Enrollment, error)
	EnrollmentsByPushToken(ctx context.Context, hash []byte) ([]store.Enrollment, error)
	// SwapPushToken errors: store.ErrConflict when the enrollment does not hold the old one any more.
	SwapPushToken(ctx context.Context, id string, oldHash, sealed, hash []byte, now time.Time) error
}

// pendingEnrollments keeps enrollments in flight.
type pendingEnrollments interface {
	StartEnrollment(ctx context.Context, p store.PendingEnrollment) error
	// PendingEnrollment errors: store.ErrNotFound.
	PendingEnrollment(ctx context.Context, id string) (store.PendingEnrollment, error)
	// AdvanceEnrollment errors: store.ErrNotFound, store.ErrConflict when the challenge before has been answered.
	AdvanceEnrollment(ctx context.Context, before string, p store.PendingEnrollment) error
	EndEnrollment(ctx context.Context, id string) error
}

// remover removes an app instance within the transaction of ctx; its open transactions fail with the reason.
type remover interface {
	RemoveEnrollment(ctx context.Context, enrollmentID string, reason store.Reason) error
}

// Routes adds the endpoints to the group /oauth.
func (h *Handler) Routes(g *echo.Group) {
	g.POST("/mobile-auth/v1/enrollments", h.begin)
	g.POST("/mobile-auth/v1/enrollments/key", h.exchange)
	g.POST("/mobile-auth/v1/enrollments/acknowledge", h.acknowledge)
	g.PUT("/mobile-auth/v1/push-token", h.updatePushToken)
}

// How every step fails when the administrator has switched it off.
var (
	featureOff = outcome.Failure{
		Code:  outcome.FeatureDisabled,
		Audit: audit.EnrollmentFailureDisabled, Text: "mobile authentication is disabled",
	}
	enrollmentOff = outcome.Failure{
		Code:  outcome.EnrollmentDisabled,
		Audit: audit.EnrollmentFailureDisabled, Text: "enrollment is disabled",
	}
	versionOff = outcome.Failure{
		Code:  outcome.VersionDisabled,
		Audit: audit.ClientValidationVersionDisabled, Text: "this version of the app is disabled",
	}
	otherProtocol = outcome.Failure{
		Code:  outcome.APIVersionNotAllowed,
		Audit: audit.APIVersionNotAllowed, Text: "the installation is registered with another API version",
	}
)

// open refuses everything while enrollment is off.
func open(s *settings.Snapshot) error {
	switch {
	case !s.MobileAuthenticationOn():
		return featureOff
	case !s.Document.MobileAuthentication.EnrollmentOn():
		return enrollmentOff
	}
	return nil
}

// admit takes an installation that has proved itself: later events name it, it is moved to the version that its request
// names, and a disabled version or another protocol ends here.
func (h *Handler) admit(c echo.Context, s *settings.Snapshot, i store.Installation) (store.Installation, error) {
	ctx := c.Request().Context()
	audit.Admit(ctx, audit.Client(i.ClientID), audit.AppAgent(i.ClientID), audit.App(i.Application, i.Platform, i.Version))
	if appgate.APIVersionDiffers(c.Request().Header, i) {
		return i, otherProtocol.About(audit.Count("api_version", i.APIVersion), audit.Detail("route", c.Path()))
	}
	i, moved, err := h.Gate.Move(ctx, s, i, c.Request().Header)
	if err != nil {
		return i, err
	}
	if moved {
		audit.Know(ctx, audit.App(i.Application, i.Platform, i.Version))
	}
	if !appgate.Usable(s.Version(i.Application, i.Platform, i.Version)) {
		return i, versionOff
	}
	return i, nil
}

// owner returns the installation of an enrollment in flight that has proved its key. gone is the failure for one that
// does not exist any more.
func (h *Handler) owner(c echo.Context, s *settings.Snapshot, e store.Enrollment, gone outcome.Failure) error {
	ctx := c.Request().Context()
	i, err := h.Installations.Installation(ctx, e.ClientID)
	if errors.Is(err, store.ErrNotFound) {
		return gone.Because(err).About(audit.Reason("installation_gone"))
	}
	if err != nil {
		return fmt.Errorf("installation of an enrollment: %w", err)
	}
	audit.Know(ctx, audit.User(e.UserID), audit.Profile(e.ProfileID))
	_, err = h.admit(c, s, i)
	return err
}

// refuse turns what the device protocol says about a proof into a failure; a fault stays a fault.
func refuse(err error, f outcome.Failure) error {
	var refusal device.Refusal
	if errors.As(err, &refusal) {
		return f.Because(err).About(audit.Reason("proof_" + string(refusal)))
	}
	return err
}

// unreadable is the failure of a body that cannot be bound.
func unreadable(err error, f outcome.Failure) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) {
		f.Code, f.Text = outcome.PayloadTooLarge, "the body is too large"
	}
	return f.Because(err).About(audit.Reason("body"))
}
