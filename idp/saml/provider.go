package saml

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// ServiceProvider signs users in at SAML identity providers. Every field is required.
type ServiceProvider struct {
	Audit    *audit.Recorder
	Now      func() time.Time
	Keys     *secret.Keys
	Issuer   string // public base URL and /oauth
	Settings settingsSource
	Source   *Source
	Once     once
	Store    transactor
	Sessions ender
	Journey  journey
	Pages    *pages.Pages
}

type settingsSource interface{ Current() *settings.Snapshot }

// once remembers the messages that have been used, and who is behind a name id.
type once interface {
	// ClaimOnce errors: store.ErrConflict for everybody after the first.
	ClaimOnce(ctx context.Context, scope, id, value string, until time.Time) (first string, err error)
	// Claimed returns the value of the first claim. Errors: store.ErrNotFound.
	Claimed(ctx context.Context, scope, id string) (value string, err error)
}

// journey is the authorization request that waits for the user.
type journey interface {
	// Waiting returns the transaction and the name of its client. Errors: store.ErrNotFound, store.ErrExpired,
	// store.ErrRevoked (another browser's), store.ErrConflict (the user is known already).
	Waiting(c echo.Context, transactionID string) (a store.Authorization, clientName string, err error)
	// Identified says who the user is, once. Errors: store.ErrConflict, an outcome.Failure for Fail.
	Identified(c echo.Context, a store.Authorization, id store.Identity) error
	// Fail ends the transaction and returns the failure, which is then told to the client.
	Fail(c echo.Context, a store.Authorization, f outcome.Failure) error
	// GoOnURL returns where the browser goes then.
	GoOnURL(transactionID string) string
	// ErrorPage shows a failure after which there is no way on.
	ErrorPage(c echo.Context, f outcome.Failure) error
}

// The paths, below the issuer.
const (
	startPath    = "/saml/start"
	acsPath      = "/saml/acs"
	sloPath      = "/saml/slo"
	metadataPath = "/saml/metadata"
)

// Routes adds the endpoints. g is the group /oauth.
func (p *ServiceProvider) Routes(g *echo.Group) {
	failing := web.RenderFailuresWith(p.Journey.ErrorPage)
	g.GET(metadataPath, p.metadata)
	g.GET("/saml/:identifier/metadata", p.metadata)
	g.GET(startPath, p.start, failing)
	g.POST(acsPath, p.consume, failing)
	g.GET(sloPath, p.logout, failing)
	g.POST(sloPath, p.logout, failing)
}

// SignInURL returns the address that sends the browser to the identity provider.
func (p *ServiceProvider) SignInURL(transactionID string) string {
	return p.Pages.Path(startPath) + "?t=" + url.QueryEscape(transactionID)
}

// How a sign-in fails wherever it stands.
var (
	transactionMissing = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.IDPSamlLoginTransactionIDMissing, Text: "the sign-in belongs to another browser, or to none",
	}.With("page", "error.transaction")
	transactionGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.IDPSamlLoginTransactionNotFound, Text: "the sign-in has ended",
	}.With("page", "error.transaction")
	notSetUp = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPSamlLoginFailed, Text: "the identity provider cannot be asked",
	}
)

// gone turns the lack of a transaction into a failure; other errors stay what they are.
func gone(err error) error {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return transactionGone.Because(err).About(audit.Reason("no transaction"))
	case errors.Is(err, store.ErrExpired):
		return transactionGone.Because(err).About(audit.Reason("transaction expired"))
	case errors.Is(err, store.ErrRevoked):
		return transactionMissing.Because(err).About(audit.Reason("another browser"))
	}
	return err
}

// sides are the two ends of a sign-in.
type sides struct {
	us       *settings.SAMLServiceProvider
	provider *settings.IdentityProvider
	entityID string // ours, towards the client of the transaction
}

// sidesOf finds out who talks to whom. Errors: notSetUp.
func (p *ServiceProvider) sidesOf(a store.Authorization) (sides, error) {
	s := p.Settings.Current()
	x := sides{us: &s.Document.SAML, provider: s.IdentityProvider(a.Provider)}
	about := audit.Detail("idp", a.Provider)
	switch {
	case !x.us.Enabled:
		return sides{}, notSetUp.About(about, audit.Reason("service provider is disabled"))
	case x.provider == nil || x.provider.Disabled || x.provider.Type != settings.SAMLProvider || x.provider.SAML == nil:
		return sides{}, notSetUp.About(about, audit.Reason("no longer enabled"))
	}
	x.entityID = p.entityID(x.us, identifierOf(a))
	return x, nil
}

// identifierOf names the client of a transaction in its own entity id: the application of an installation.
func identifierOf(a store.Authorization) string {
	if a.Application != "" {
		return a.Application
	}
	return a.ClientID
}

// entityID returns our entity id towards a client.
func (p *ServiceProvider) entityID(us *settings.SAMLServiceProvider, identifier string) string {
	id := us.EntityID
	if id == "" {
		id = p.Issuer + metadataPath
	}
	if us.PerClient {
		id += "-" + identifier
	}
	return id
}

func (p *ServiceProvider) acs() string { return p.Issuer + acsPath }

// requestLength is that of the random part of a request id, in hexadecimal digits.
const requestLength = 32

// newRequestID makes the id of a message for a transaction. It proves itself: whoever answers it can be matched with the
// transaction, the browser and the provider, and every message has an id of its own.
func (p *ServiceProvider) newRequestID(a store.Authorization) string {
	random := make([]byte, requestLength/2)
	rand.Read(random)
	id := hex.EncodeToString(random)
	return "_" + id + hex.EncodeToString(p.Keys.MAC(secret.ForSAMLRequest, id, a.ID, string(a.Browser), a.Provider))
}

// answers tells whether an id is one that newRequestID made for the transaction.
func (p *ServiceProvider) answers(a store.Authorization, id string) bool {
	rest, found := strings.CutPrefix(id, "_")
	if !found || len(rest) <= requestLength {
		return false
	}
	mac, err := hex.DecodeString(rest[requestLength:])
	return err == nil && p.Keys.Equal(secret.ForSAMLRequest, mac, rest[:requestLength], a.ID, string(a.Browser), a.Provider)
}
