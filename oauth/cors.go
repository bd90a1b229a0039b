package oauth

import (
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// What pages of other origins may send and see. Never cookies: the endpoints know none, and without
// Access-Control-Allow-Credentials browsers keep back answers to requests that carry some.
const (
	corsRequestHeaders = "Authorization, Content-Type"
	corsAnswerHeaders  = "WWW-Authenticate, Retry-After"
	corsKept           = "600" // seconds a browser may remember a preflight
)

// crossing registers an endpoint that pages of other origins may call (Fetch Standard, CORS protocol), with its
// preflight. The authorization endpoint is none: browsers go there, pages do not call it.
func (h *Handler) crossing(g *echo.Group, path string, handler echo.HandlerFunc, methods ...string) {
	for _, method := range methods {
		g.Add(method, path, handler, h.crossOrigin)
	}
	g.OPTIONS(path, h.preflight(methods))
}

// crossOrigin lets the page of an allowed origin see the answer, failures included.
func (h *Handler) crossOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		header := c.Response().Header()
		header.Add(echo.HeaderVary, echo.HeaderOrigin)
		if origin := c.Request().Header.Get(echo.HeaderOrigin); origin != "" && h.Settings.Current().AllowsOrigin(origin) {
			header.Set(echo.HeaderAccessControlAllowOrigin, origin)
			header.Set(echo.HeaderAccessControlExposeHeaders, corsAnswerHeaders)
		}
		return next(c)
	}
}

// preflight answers OPTIONS with 204: to an allowed origin what it may send, to others nothing. What is no preflight
// learns the methods.
func (h *Handler) preflight(methods []string) echo.HandlerFunc {
	allowed := strings.Join(methods, ", ")
	return func(c echo.Context) error {
		request, header := c.Request().Header, c.Response().Header()
		origin, method := request.Get(echo.HeaderOrigin), request.Get(echo.HeaderAccessControlRequestMethod)
		if origin == "" || method == "" {
			header.Set(echo.HeaderAllow, "OPTIONS, "+allowed)
			return c.NoContent(http.StatusNoContent)
		}
		header.Add(echo.HeaderVary, echo.HeaderOrigin)
		header.Add(echo.HeaderVary, echo.HeaderAccessControlRequestMethod)
		header.Add(echo.HeaderVary, echo.HeaderAccessControlRequestHeaders)
		if h.Settings.Current().AllowsOrigin(origin) && slices.Contains(methods, method) {
			header.Set(echo.HeaderAccessControlAllowOrigin, origin)
			header.Set(echo.HeaderAccessControlAllowMethods, allowed)
			header.Set(echo.HeaderAccessControlAllowHeaders, corsRequestHeaders)
			header.Set(echo.HeaderAccessControlMaxAge, corsKept)
		}
		return c.NoContent(http.StatusNoContent)
	}
}
