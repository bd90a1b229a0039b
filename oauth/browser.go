package oauth

import (
	"context"
	"log/slog"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/hooks"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/internal/sessions"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// Browser serves the authorization endpoint and what follows it in the browser: the code of a text message, consent, and
// the way back to the client. Every field but SMS is required.
type Browser struct {
	Audit          *audit.Recorder
	Now            func() time.Time
	Keys           *secret.Keys
	Issuer         string // public base URL and /oauth; its scheme decides how cookies are named
	Log            *slog.Logger
	Settings       settingsSource
	Store          transactor
	Authorizations authorizations
	Codes          codeKeeper
	Sessions       browserSessions
	Logouts        logouts
	Consents       consents
	Installations  installations
	Providers      Providers
	People         persons
	Signing        hintVerifier
	Starts         limiter // by client network
	Devices        deviceLogins
	WebEntries     webEntries
	Profiles       profiles
	Marks          codeMarks
	Guesses        limiter // of user codes
	Accounts       accounts
	Tokens         tokenMaker
	Hooks          hookAsker
	Scopes         scopeVerifier
	SMS            smsSender // nil = no text message can be sent
	StepUps        stepUps
	StepUpWrong    limiter // codes of text messages, by user
	Pages          *pages.Pages
}

// tokenMaker makes what the implicit grant answers with; see token.Service.
type tokenMaker interface {
	// Issue joins the transaction of ctx. Errors: token.ErrIDToken.
	Issue(ctx context.Context, g token.Grant) (token.Issued, error)
	// Ready fetches what an encrypted ID token needs; before the transaction.
	Ready(ctx context.Context, how *token.Encryption)
	// IDTokenAlone errors: token.ErrIDToken.
	IDTokenAlone(ctx context.Context, g token.Grant) (string, error)
}

// hookAsker asks web hooks; see hooks.Service. Errors: hooks.Failure.
type hookAsker interface {
	CustomizeToken(ctx context.Context, hook *settings.WebHook, q hooks.TokenQuestion) (hooks.TokenAnswer, error)
	CustomizeUser(ctx context.Context, hook *settings.WebHook, q hooks.UserQuestion) (map[string]any, error)
}

// scopeVerifier asks who is entitled to scopes; see entitlement.Service. Errors: entitlement.NoVerdict.
type scopeVerifier interface {
	Check(ctx context.Context, userID, externalID string, scopes []string) (entitlement.Refusal, error)
}

// limiter counts how often a network begins something; see ratelimit.Limiter.
type limiter interface {
	Exceeded(key string) bool
	Spend(ctx context.Context, key string) (exceeded bool)
	Refused(key string) (report int)
}

// hintVerifier recognises ID tokens of our own; see keys.Ring.
type hintVerifier interface {
	// Verify checks signature and typ, not time, and decodes the claims.
	Verify(ctx context.Context, typ, compact string, claims jwt.Claims) error
}

// identityProvider finds out who sits at the browser, on pages of its own, and comes back through Waiting and Identified.
type identityProvider interface {
	// SignInURL returns where the browser goes to sign in for a transaction.
	SignInURL(transactionID string) string
}

// persons keeps who the identity providers vouch for; see people.Service.
type persons interface {
	// Meet errors: people.ErrUnusable, store.ErrConflict, store.ErrRevoked, store.ErrNotFound.
	Meet(ctx context.Context, p *settings.IdentityProvider, id store.Identity) (store.Account, error)
	// Person returns one of them. Errors: store.ErrNotFound when there is none that may sign in.
	Person(ctx context.Context, userID string) (store.Account, error)
	userDetails
}

// Providers are the kinds of identity providers that this server can ask.
type Providers map[settings.IdentityProviderType]identityProvider

// authorizations keeps authorization transactions; see redisstore.Store.
type authorizations interface {
	AddAuthorization(ctx context.Context, a store.Authorization) error
	Authorization(ctx context.Context, id string) (store.Authorization, error)
	MoveAuthorization(ctx context.Context, before, after store.Authorization) (store.Authorization, error)
	EndAuthorization(ctx context.Context, a store.Authorization) error
}

// codeKeeper keeps what codes stand for.
type codeKeeper interface {
	AddCode(ctx context.Context, c store.AuthorizationCode) error
}

// browserSessions keeps who is signed in at which browser; see sessions.Service.
type browserSessions interface {
	sessionFinder
	NewSessionID() string
	// Open goes on with former when that is not nil.
	Open(ctx context.Context, b store.BrowserSession, former *store.BrowserSession) (store.BrowserSession, error)
	sessionUses
	// End joins the transaction of ctx.
	End(ctx context.Context, b store.BrowserSession, policy sessions.TokenPolicy) (sessions.Ended, error)
}

// sessionUses is what happens to a live session. Errors: store.ErrNotFound.
type sessionUses interface {
	Join(ctx context.Context, b store.BrowserSession, clientID string) error
	StepUp(ctx context.Context, b store.BrowserSession) error
}

// sessionFinder errors: store.ErrNotFound.
type sessionFinder interface {
	Find(ctx context.Context, hash []byte) (store.BrowserSession, error)
	// SignedOut tells whether a session has ended before its time.
	SignedOut(sessionID string) bool
	// Use moves the end of a session.
	Use(ctx context.Context, b store.BrowserSession) (used store.BrowserSession, moved bool, err error)
}

// consents keeps what users have agreed to.
type consents interface {
	GiveConsent(ctx context.Context, consents []store.Consent) error
	Consents(ctx context.Context, userID, clientID string) ([]store.Consent, error)
}

// installations knows the registered copies of apps.
type installations interface {
	Installation(ctx context.Context, clientID string) (store.Installation, error)
}

// Routes adds the endpoints that browsers call. g is the group /oauth.
func (b *Browser) Routes(g *echo.Group) {
	pages := web.RenderFailuresWith(b.ErrorPage)
	for _, path := range []string{"/authorize", "/v1/authorize"} {
		g.GET(path, b.authorize, pages)
		g.POST(path, b.authorize, pages)
		g.HEAD(path, b.authorize, pages)
	}
	g.GET(continuePath, b.goOn, pages)
	g.GET(forwardPath, b.forward, pages)
	g.GET(appToWebPath, b.webEntryPage, pages)
	g.POST(appToWebPath+"/enter", b.enterWeb, pages)
	g.GET(verificationPath, b.userCodePage, pages)
	g.POST(verificationPath, b.enterUserCode, pages)
	g.GET(stepUpPath, b.stepUpPage, pages)
	g.POST(stepUpPath, b.stepUp, pages)
	g.GET(consentPath, b.consentPage, pages)
	g.POST(consentPath, b.decide, pages)
	b.logoutRoutes(g, pages)
	g.GET(checkSessionPath, b.checkSession, pages)
}

// The paths of the journey, below the issuer.
const (
	continuePath = "/authorize/continue"
	stepUpPath   = "/sms-step-up"
	consentPath  = "/consent"
)

// at returns the address of one step of the journey of a transaction: path and query on this server.
func (b *Browser) at(path, transactionID string) string {
	return publicPath(b.Issuer) + path + "?t=" + transactionID
}
