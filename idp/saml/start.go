package saml

import (
	"errors"
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How the way to the identity provider fails, apart from the lack of a transaction. It succeeds with 302 to the identity
// provider, or with a page that posts the request there.
var (
	startNoKey = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPSamlLoginMissingSamlSigningCredentials, Text: "the identity provider cannot be asked",
	}
	startBadClass = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestInvalid, Text: "acr_values names no authentication level, or more than one",
	}
)

// start sends the browser to the identity provider.
func (p *ServiceProvider) start(c echo.Context) error {
	a, _, err := p.Journey.Waiting(c, c.QueryParam("t"))
	if errors.Is(err, store.ErrConflict) {
		return c.Redirect(http.StatusFound, p.Journey.GoOnURL(c.QueryParam("t")))
	}
	if err != nil {
		return gone(err)
	}
	ctx := c.Request().Context()
	audit.Admit(ctx)
	about := audit.Detail("idp", a.Provider)
	x, err := p.sidesOf(a)
	if err != nil {
		return p.fail(c, a, err)
	}
	request, ok := x.ask(a)
	if !ok {
		return p.fail(c, a, startBadClass.About(about))
	}
	keys, err := signingPair(x.us)
	if err != nil {
		return p.fail(c, a, startNoKey.Because(err).About(about))
	}
	idp, err := p.Source.of(ctx, x.provider.SAML, false)
	if err != nil {
		return p.fail(c, a, notSetUp.Because(err).About(about, audit.Reason("no metadata")))
	}
	request.id, request.issued, request.acs, request.destination = p.newRequestID(a), p.Now(), p.acs(), idp.signOn.location
	web.NoStore(c)
	message := outgoing{document: request.document(), parameter: parameterRequest, relayState: a.ID}
	return p.send(c, message, idp.signOn.binding, idp.signOn.location, keys, a.Language)
}

// fail ends the transaction with a failure that its client is told; what is no failure stays what it is.
func (p *ServiceProvider) fail(c echo.Context, a store.Authorization, err error) error {
	var failure outcome.Failure
	if errors.As(err, &failure) {
		return p.Journey.Fail(c, a, failure) //nolint:wrapcheck // a Failure already
	}
	return err
}

// send delivers a signed message through the browser.
func (p *ServiceProvider) send(c echo.Context, m outgoing, binding, to string, keys pair, language string) error {
	if binding == bindingPost {
		fields, err := m.fields(keys)
		if err != nil {
			return err
		}
		return p.Pages.Post(c, http.StatusOK, pages.Post{Language: language, Target: to, Fields: fields})
	}
	address, err := m.redirect(to, keys.key)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	status := http.StatusFound
	if c.Request().Method == http.MethodPost {
		status = http.StatusSeeOther
	}
	return c.Redirect(status, address)
}
