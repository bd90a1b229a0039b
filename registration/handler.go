package registration

import (
	"context"
	"errors"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// Handler serves the endpoints of app installations. Every field is required.
type Handler struct {
	Settings      settingsSource
	Installations installations
	Devices       devices
	Challenges    challenges
	Once          once
	Inits         limiter // by client address: 30 a minute
	Clients       authenticator
	Gate          *appgate.Gate
	Audit         *audit.Recorder
	Keys          *secret.Keys
	Now           func() time.Time
	Issuer        string // public base URL and "/oauth"; the audience of client statements
}

// settingsSource gives each request one snapshot.
type settingsSource interface {
	Current() *settings.Snapshot
}

// installations is what registration and upgrade need of the SQL store. Errors are those of package sqlstore.
type installations interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	Installation(ctx context.Context, clientID string) (store.Installation, error)
	InstallationByKey(ctx context.Context, keyID string) (store.Installation, error)
	// AddInstallation errors: store.ErrConflict when the registration id or the key has been used.
	AddInstallation(ctx context.Context, i store.Installation) error
	// ChangeInstallation errors: store.ErrConflict when the registration id is not before anymore.
	ChangeInstallation(ctx context.Context, before string, i store.Installation) error
}

// devices is what validation and renaming need of the SQL store.
type devices interface {
	TouchInstallation(ctx context.Context, clientID, osVersion, model, sdkVersion string, seen time.Time) error
	RenameInstallation(ctx context.Context, clientID, name string) error
	ProfilesOf(ctx context.Context, clientID string) ([]store.Profile, error)
	InstallationsOfUser(ctx context.Context, userID string, limit int) ([]store.Installation, error)
}

// challenges keeps registrations and upgrades in flight.
type challenges interface {
	AddRegistrationChallenge(ctx context.Context, c store.RegistrationChallenge) error
	// TakeRegistrationChallenge errors: store.ErrNotFound, store.ErrExpired.
	TakeRegistrationChallenge(ctx context.Context, identifier string) (store.RegistrationChallenge, error)
}

// once remembers the jti of statements.
type once interface {
	// ClaimOnce errors: store.ErrConflict for everybody after the first.
	ClaimOnce(ctx context.Context, scope, id, value string, until time.Time) (first string, err error)
}

// limiter counts how often an address begins something; see ratelimit.Limiter.
type limiter interface {
	Exceeded(key string) bool
	Spend(ctx context.Context, key string) (exceeded bool)
	Refused(key string) (report int)
}

// authenticator proves who calls. Errors: *clientauth.Refused.
type authenticator interface {
	Authenticate(ctx context.Context, s *settings.Snapshot, c clientauth.Credentials) (clientauth.Client, error)
}

// Routes adds the endpoints to the group of /oauth.
func (h *Handler) Routes(g *echo.Group) {
	g.POST("/v1/client/registration/init", h.initSecret)
	g.POST("/v1/client/registration/complete", h.completeSecret)
	g.POST("/v2/client/registration/init", h.initKey)
	g.POST("/v2/client/registration", h.registerKey)
	g.POST("/v1/client/validation", h.validateSecret)
	g.POST("/v2/client/validation", h.validateKey)
	g.POST("/v1/client/upgrade", h.upgradeSecret)
	g.POST("/v2/client/upgrade", h.upgradeKey)
	g.PUT("/v1/client/device-name", h.rename)
}

// unknown tells whether a challenge cannot be had: it was never handed out, has been taken, or its time is over.
func unknown(err error) bool {
	return errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExpired)
}
