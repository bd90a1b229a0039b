package oauth

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/keys"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// Handler serves the OAuth endpoints. Every field is required.
type Handler struct {
	Audit      *audit.Recorder
	Now        func() time.Time
	NewID      func() string // UUID
	Keys       *secret.Keys
	Issuer     string // public base URL and /oauth
	Log        *slog.Logger
	Settings   settingsSource
	Store      transactor
	Clients    *clientauth.Service
	Tokens     *token.Service
	Signing    *keys.Ring
	Accounts   accounts
	Profiles   profileRemover
	Users      profiles
	Versions   versionGate
	Codes      codeRedeemer
	Devices    deviceLogins
	WebEntries webEntries
	Providers  Providers // of the browser half
	Starts     limiter   // of device logins, by client network
	Guesses    limiter   // of user codes
	Marks      codeMarks
	Book       profileBook
	Scopes     scopeVerifier
	Hooks      hookAsker
	People     userDetails
	Logins     passwordAttempts

	published atomic.Pointer[published]
}

// settingsSource serves the settings; each request works on one snapshot.
type settingsSource interface {
	Current() *settings.Snapshot
}

// transactor runs f in one SQL transaction together with the events of the request; see sqlstore.Store.InTx.
type transactor interface {
	InTx(ctx context.Context, f func(context.Context) error) error
}

// accounts knows the people behind user ids.
type accounts interface {
	// Account returns one account. Errors: store.ErrNotFound.
	Account(ctx context.Context, userID string) (store.Account, error)
	// HoldAccount is Account; nobody changes it before the transaction of ctx ends.
	HoldAccount(ctx context.Context, userID string) (store.Account, error)
}

// profileRemover takes a user off an installation: tokens, enrollment, authenticators, the profile itself.
type profileRemover interface {
	// RemoveProfile joins the transaction of ctx. answering is "" here. Errors: store.ErrNotFound.
	RemoveProfile(ctx context.Context, clientID, profileID, answering string) error
}

// profiles knows the users of installations.
type profiles interface {
	// Profile returns one profile. Errors: store.ErrNotFound.
	Profile(ctx context.Context, clientID, profileID string) (store.Profile, error)
	// ProfilesOf returns the profiles of an installation.
	ProfilesOf(ctx context.Context, clientID string) ([]store.Profile, error)
}

// versionGate brings the stored app version of an installation up to date; see appgate.Gate.
type versionGate interface {
	// Move returns the installation as it is now. header is that of the request.
	Move(ctx context.Context, s *settings.Snapshot, i store.Installation, header map[string][]string) (store.Installation, bool, error)
}

// Routes adds the endpoints that clients and resource owners call. g is the group /oauth.
func (h *Handler) Routes(g *echo.Group) {
	for _, version := range []string{"", "/v1"} {
		h.crossing(g, version+"/token", h.token, http.MethodPost)
		h.crossing(g, version+"/revoke", h.revoke, http.MethodPost)
		g.POST(version+"/device_authorization", h.startDevice)
	}
	g.POST("/v1/revoke/client", h.revokeClient)
	g.POST("/v1/revoke/profile", h.revokeProfile)
	g.POST("/v1/revoke/profile/tokens", h.revokeProfileTokens)
	g.POST("/device_authorization/approve", h.approveDevice)
	g.POST(appToWebPath, h.appToWeb)
	h.crossing(g, "/v1/userinfo", h.userinfo, http.MethodGet, http.MethodPost)
	h.crossing(g, "/v1/keys", h.jwks, http.MethodGet)
	h.crossing(g, "/.well-known/openid-configuration", h.discovery, http.MethodGet, http.MethodPost)
}

// WellKnownRoutes adds the metadata of RFC 8414, whose path begins at the root of the host. g is the group "".
func (h *Handler) WellKnownRoutes(g *echo.Group) {
	h.crossing(g, "/.well-known/oauth-authorization-server/oauth", h.discovery, http.MethodGet)
}

// APIRoutes adds the endpoints of resource gateways. g is the group /oauth behind the access check for the API scope of
// token introspection.
func (h *Handler) APIRoutes(g *echo.Group) {
	g.POST("/api/v1/token/introspect", h.introspectV1)
	g.POST("/api/v2/token/introspect", h.introspectV2)
}
