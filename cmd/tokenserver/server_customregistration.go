package main

import (
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/api"
	"tokenserver/internal/pages"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/settings"
	"tokenserver/oauth"
	"tokenserver/oauth/customregistration"
)

// unknownCodesPerMinute is how many unknown client codes of two-way OTP a portal may ask about each minute.
const unknownCodesPerMinute = 10

// routeCustomRegistration connects registration by API, and the page of two-way OTP, with the token endpoint.
func (s *server) routeCustomRegistration(e *echo.Echo, k kernels, access *api.Access, tokens *oauth.Handler) {
	h := &customregistration.Handler{
		Settings: s.settings, Tokens: tokens, Accounts: s.sql, Registrations: s.sql, Entitlement: k.scopes, Hooks: k.hooks,
		People: k.people,
		Misses: &ratelimit.Limiter{Counts: s.redis, Name: "client-code", Limit: unknownCodesPerMinute, Window: time.Minute, Now: s.now},
		Keys:   s.keys, Audit: s.recorder, Now: s.now,
	}
	h.Routes(group(e))
	behind(e, root, access.Require(settings.APIUserRegistration), h.BackChannelRoutes)
	behind(e, root, access.Require(settings.APIUserRegistration, settings.APITwoWayOTP), h.PortalRoutes)
}

// twoWayOTP is the identity provider of two codes on a page.
func (s *server) twoWayOTP(browser *oauth.Browser, pages *pages.Pages) *customregistration.Page {
	return &customregistration.Page{
		Settings: s.settings, Registrations: s.sql, Journey: browser, Pages: pages, Keys: s.keys, Audit: s.recorder, Now: s.now,
	}
}
