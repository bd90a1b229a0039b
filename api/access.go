package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/url"
	"slices"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
)

// Access lets API clients in to the server-to-server APIs. Every field is required.
type Access struct {
	Settings settingsSource
	Clients  *clientauth.Service
	Audit    *audit.Recorder
}

// settingsSource serves the settings; each request works on one snapshot.
type settingsSource interface {
	Current() *settings.Snapshot
}

// How access is refused. The answers come in the form of the family: OAuth or API style.
var (
	accessBadCredentials = outcome.Failure{
		Code: outcome.InvalidClient, Audit: audit.APIAccessNotAllowedInvalidCredentials,
		Text: "the API client could not be authenticated",
	}
	accessGrantOff = outcome.Failure{
		Code: outcome.UnauthorizedClient, Audit: audit.APIAccessNotAllowedDisabledGrantType,
		Text: "the client may not call server APIs",
	}
	accessBadScope = outcome.Failure{
		Code: outcome.InvalidScope, Audit: audit.APIAccessNotAllowedInvalidScopes,
		Text: "the API client may not call this API",
	}
)

// Require is middleware that lets through API clients with the given API scope, and records API_ACCESS_GRANTED. The
// handlers behind it find the client with clientauth.APIClientOf. A client with a former name of the scope is let in too.
func (a *Access) Require(scope string, former ...string) echo.MiddlewareFunc {
	return a.require(styleOf(scope), scope, former...)
}

// RequireAPIStyle is Require for endpoints that answer in API style although their family does not: devices v3 and v4.
func (a *Access) RequireAPIStyle(scope string) echo.MiddlewareFunc {
	return a.require(style{render: apiAnswer, denied: "insufficient_permissions", signIn: styleOf(scope).signIn}, scope)
}

func (a *Access) require(s style, scope string, former ...string) echo.MiddlewareFunc {
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		return func(c echo.Context) error {
			client, err := a.admit(c, s, scope, former)
			var failure outcome.Failure
			if errors.As(err, &failure) {
				return web.RenderFailuresWith(func(c echo.Context, f outcome.Failure) error {
					return s.render(c, f, s)
				})(func(echo.Context) error { return failure })(c)
			}
			if err != nil {
				return err
			}
			ctx := clientauth.WithAPIClient(c.Request().Context(), client)
			audit.Know(ctx, audit.APIAgent(client.ID))
			a.Audit.Record(ctx, audit.APIAccessGranted, audit.Detail("scope", scope))
			c.SetRequest(c.Request().WithContext(ctx))
			return next(c)
		}
	}
}

// admit runs the checks in their order: who is it, is it an API client, has it the scope.
func (a *Access) admit(c echo.Context, s style, scope string, former []string) (*settings.APIClient, error) {
	credentials, err := accessCredentials(c)
	if err != nil {
		return nil, accessBadCredentials.Because(err).About(audit.Reason(string(clientauth.Malformed)))
	}
	client, err := a.Clients.AuthenticateAPI(c.Request().Context(), a.Settings.Current(), credentials, web.BearerToken(c))
	var refused *clientauth.Refused
	if errors.As(err, &refused) {
		failure := accessBadCredentials.Because(refused).About(audit.Reason(string(refused.Reason)))
		if refused.ClientID != "" {
			failure = failure.About(audit.Detail("client_id", refused.ClientID))
		}
		failure.Audit = s.signIn
		return nil, failure
	}
	if err != nil {
		return nil, err
	}
	if !client.Public() { // anybody may say the id of a public one
		audit.Admit(c.Request().Context())
	}
	about := audit.APIAgent(client.ID)
	switch {
	case client.API != nil:
	case client.Web != nil && client.Web.Allows(settings.ClientCredentials) && !client.Web.Public(),
		client.Installation != nil && client.Application.CallsAnonymously():
		return nil, s.scopeFailure(scope).About(about)
	default:
		return nil, accessGrantOff.About(about)
	}
	has := func(name string) bool { return slices.Contains(client.API.Scopes, name) }
	if !has(scope) && !slices.ContainsFunc(former, has) {
		return nil, s.scopeFailure(scope).About(about)
	}
	return client.API, nil
}

// accessCredentials reads the credentials of the header, or of a form body; the body stays readable for the handler.
func accessCredentials(c echo.Context) (clientauth.Credentials, error) {
	request := c.Request()
	id, password, basic := web.BasicCredentials(request)
	out := clientauth.Credentials{Basic: basic, BasicID: id, BasicSecret: password}
	kind, _, err := mime.ParseMediaType(request.Header.Get(echo.HeaderContentType))
	if err != nil || kind != echo.MIMEApplicationForm {
		return out, nil //nolint:nilerr // no form, no credentials in it
	}
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return out, fmt.Errorf("read body: %w", err)
	}
	request.Body = io.NopCloser(bytes.NewReader(body))
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return out, nil //nolint:nilerr // the handler says so, once the caller is known
	}
	for name, into := range map[string]*string{
		"client_id": &out.ID, "client_secret": &out.Secret, "client_assertion_type": &out.AssertionType,
		"client_assertion": &out.Assertion,
	} {
		if values := form[name]; len(values) > 1 {
			return out, web.ErrRepeated
		}
		*into = form.Get(name)
	}
	return out, nil
}
