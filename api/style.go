package api

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
)

// challenge is what every 401 of the server APIs carries.
const challenge = `Basic realm="token-server-api"`

// style is how a family of APIs refuses access.
type style struct {
	render func(echo.Context, outcome.Failure, style) error
	denied string     // API style: the code of a 403
	signIn audit.Code // event of failed authentication
}

// styleOf returns the style of the family that a scope opens.
func styleOf(scope string) style {
	s := style{render: oauthAnswer, signIn: audit.APIAccessNotAllowedInvalidCredentials}
	switch scope {
	case settings.APIEndUser:
		s.signIn = audit.APIAuthenticationFailed
	case settings.APIUserRegistration:
		s.render = registrationAnswer
	case settings.APIEvents, settings.APIConfig, settings.APIAdmin:
		s.render, s.denied = apiAnswer, "forbidden"
	}
	return s
}

// scopeFailure: introspection calls a missing scope insufficient_scope with 403, the other families invalid_scope.
func (s style) scopeFailure(scope string) outcome.Failure {
	f := accessBadScope
	if scope == settings.APITokenIntrospection {
		f.Code = outcome.InsufficientScope
	}
	return f.About(audit.Detail("scope", scope))
}

// oauthAnswer is the body of RFC 6749 §5.2.
func oauthAnswer(c echo.Context, f outcome.Failure, _ style) error {
	if err := web.JSONFailure(c, f); err != nil {
		return err
	}
	authenticateHeader(c, f)
	return nil
}

// registrationAnswer is oauthAnswer with the words and statuses of registration by API.
func registrationAnswer(c echo.Context, f outcome.Failure, _ style) error {
	if f.Code == outcome.InvalidClient {
		f.Code = outcome.RefusedClient
	}
	if f.Code == outcome.InvalidScope {
		f.Code = outcome.InsufficientPermissions
	}
	return web.JSONFailure(c, f)
}

// apiAnswer is the body {code, message, details}.
func apiAnswer(c echo.Context, f outcome.Failure, s style) error {
	code, status := s.denied, http.StatusForbidden
	if f.Code == outcome.InvalidClient {
		code, status = "unauthorized", http.StatusUnauthorized
	}
	authenticateHeader(c, f)
	return web.JSON(c, status, struct {
		Code    string   `json:"code"`
		Message string   `json:"message"`
		Details []string `json:"details"`
	}{code, f.Text, []string{}})
}

// authenticateHeader asks for Basic credentials with every 401.
func authenticateHeader(c echo.Context, f outcome.Failure) {
	if f.Code == outcome.InvalidClient {
		c.Response().Header().Set(echo.HeaderWWWAuthenticate, challenge)
	} else {
		c.Response().Header().Del(echo.HeaderWWWAuthenticate)
	}
}
