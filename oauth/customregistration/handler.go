package customregistration

import (
	"context"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/hooks"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

// Handler serves registration by API and the portal's half of two-way OTP. Every field is required.
type Handler struct {
	Settings      settingsSource
	Tokens        tokens
	People        people
	Accounts      accounts
	Registrations registrations
	Entitlement   entitlements
	Hooks         webHooks
	Misses        limiter // unknown client codes, by API client
	Keys          *secret.Keys
	Audit         *audit.Recorder
	Now           func() time.Time
}

// settingsSource serves the settings; each request works on one snapshot.
type settingsSource interface {
	Current() *settings.Snapshot
}

// tokens is what the token endpoint knows about clients and tokens; see oauth.Handler. Errors: outcome.Failure.
type tokens interface {
	RegistrationClient(c echo.Context, s *settings.Snapshot, assertionType, assertion string) (clientauth.Client, error)
	RegistrationScopes(client clientauth.Client, asked []string) ([]string, error)
	RegistrationProfile(profileID string) error
	// RegistrationTokens joins the transaction of ctx.
	RegistrationTokens(ctx context.Context, s *settings.Snapshot, client clientauth.Client, person store.Account, g token.Grant) (token.Issued, error)
}

// people takes in those for whom a provider vouches; see people.Service.
type people interface {
	Meet(ctx context.Context, p *settings.IdentityProvider, id store.Identity) (store.Account, error)
}

// accounts knows the people behind user ids.
type accounts interface {
	// HoldAccount: nobody changes the account before the transaction of ctx ends. Errors: store.ErrNotFound.
	HoldAccount(ctx context.Context, userID string) (store.Account, error)
}

// registrations keeps registrations between their steps; see sqlstore.Store.
type registrations interface {
	codes
	// CountCompletion takes one of the attempts. Errors: store.ErrConflict when there is none left.
	CountCompletion(ctx context.Context, hash []byte, limit int, now time.Time) error
	// AnswerClientCode: store.ErrNotFound when no live registration waits for the code.
	AnswerClientCode(ctx context.Context, clientCode, responseCode []byte, userID string, now, expires time.Time) error
}

// codes is what both variants of two-way OTP need of the store.
type codes interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	// AddCustomRegistration: store.ErrConflict when the client code or the transaction is taken.
	AddCustomRegistration(ctx context.Context, r store.CustomRegistration) error
	// CustomRegistration: store.ErrNotFound. Ended and expired ones are found.
	CustomRegistration(ctx context.Context, hash []byte) (store.CustomRegistration, error)
	// EndCustomRegistration: store.ErrConflict for everybody after the first.
	EndCustomRegistration(ctx context.Context, hash []byte) error
	LiveClientCodes(ctx context.Context, now time.Time) (int, error)
}

// entitlements asks whether a person may have scopes; see entitlement.Service.
type entitlements interface {
	Check(ctx context.Context, userID, externalID string, scopes []string) (entitlement.Refusal, error)
}

// webHooks asks web hooks; see hooks.Service.
type webHooks interface {
	Call(ctx context.Context, h *settings.WebHook, path string, question any, read func(answer []byte) error) error
	CustomizeToken(ctx context.Context, hook *settings.WebHook, q hooks.TokenQuestion) (hooks.TokenAnswer, error)
}

// limiter counts failures of a key; see ratelimit.Limiter.
type limiter interface {
	Exceeded(key string) bool
	Spend(ctx context.Context, key string) (exceeded bool)
	Refused(key string) (report int)
}

// The routes of apps, below /oauth.
const (
	initV1     = "/custom-registration/:idp/init"
	completeV1 = "/custom-registration/:idp/complete"
	initV2     = "/v2" + initV1
	completeV2 = "/v2" + completeV1

	backChannelRoute = "/api/v3/custom-registration/:idp/backchannel"
	portalRoute      = "/api/v1/two-way-otp"
)

// maxBody is how many bytes the routes take on which an app or a back end hands data to the operator's service.
const maxBody = 192 << 10

// BodyLimits returns the routes that take larger bodies than others, by route pattern below prefix.
func BodyLimits(prefix string) map[string]int64 {
	limits := map[string]int64{}
	for _, route := range []string{initV1, completeV1, initV2, completeV2, backChannelRoute} {
		limits[prefix+route] = maxBody
	}
	return limits
}

// Routes adds the endpoints of apps and web clients. g is the group /oauth.
func (h *Handler) Routes(g *echo.Group) {
	g.POST(initV1, h.begin(v1))
	g.POST(completeV1, h.complete(v1))
	g.POST(initV2, h.begin(v2))
	g.POST(completeV2, h.complete(v2))
}

// BackChannelRoutes adds the endpoint of back ends. g is the group /oauth behind the access check for the API scope of user
// registration.
func (h *Handler) BackChannelRoutes(g *echo.Group) { g.POST(backChannelRoute, h.backChannel) }

// PortalRoutes adds the endpoint of portals. g is as for BackChannelRoutes; the former scope of two-way OTP opens it too.
func (h *Handler) PortalRoutes(g *echo.Group) { g.POST(portalRoute, h.answerClientCode) }
