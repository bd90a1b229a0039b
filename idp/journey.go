package idp

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

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

// settingsSource is the settings that administrators edit.
type settingsSource interface{ Current() *settings.Snapshot }

// How outside providers fail before they are asked.
var (
	providerGone = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.UnableToDetermineIdentityProvider,
		Text: "the identity provider is not available any more",
	}
	silentLogin = outcome.Failure{
		Code: outcome.LoginRequired, Audit: audit.AuthnRequestLoginRequired, Text: "the user is not signed in",
	}
)

// configured returns the provider of a transaction as it is now. Errors: outcome.Failure for Fail.
func configured(s settingsSource, a store.Authorization, types ...settings.IdentityProviderType) (*settings.IdentityProvider, error) {
	p := s.Current().IdentityProvider(a.Provider)
	if p == nil || p.Disabled {
		return nil, providerGone.About(audit.Detail("idp", a.Provider), audit.Reason("no longer enabled"))
	}
	for _, t := range types {
		if p.Type == t {
			return p, nil
		}
	}
	return nil, providerGone.About(audit.Detail("idp", a.Provider), audit.Reason("of another type now"))
}

// welcome hands the user over and sends the browser on. Of several answers to one transaction the first counts, and all
// browsers go on.
func welcome(c echo.Context, j journey, a store.Authorization, id store.Identity) error {
	err := j.Identified(c, a, id)
	var refused outcome.Failure
	switch {
	case errors.As(err, &refused):
		return j.Fail(c, a, refused)
	case err != nil && !errors.Is(err, store.ErrConflict):
		return fmt.Errorf("hand over the user: %w", err)
	}
	return onward(c, j.GoOnURL(a.ID))
}

// onward redirects without leaving a trace of this address.
func onward(c echo.Context, address string) error {
	web.NoStore(c)
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	return c.Redirect(http.StatusFound, address)
}

// failed hands a failure to Fail; what is no failure stays a fault of ours.
func failed(c echo.Context, j journey, a store.Authorization, err error) error {
	var failure outcome.Failure
	if errors.As(err, &failure) {
		return j.Fail(c, a, failure)
	}
	return err
}

// level returns the authentication level that a provider states, as it writes it: the attribute authenticationLevel, or
// whatever is mapped to it; "" when it states none.
func level(p *settings.IdentityProvider, attributes store.Attributes) string {
	const name = "authenticationLevel"
	from := name
	if len(p.AttributeMappings) > 0 {
		from = ""
		for _, m := range p.AttributeMappings {
			if m.To == name {
				from = m.From
			}
		}
	}
	value, given := attributes[from]
	if !given || value == "" {
		return ""
	}
	if text := attributes.Text(from); text != "" {
		return text
	}
	return "unreadable" // stated, and no number
}
