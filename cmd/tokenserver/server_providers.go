package main

import (
	"runtime"

	"github.com/labstack/echo/v4"

	"tokenserver/idp"
	"tokenserver/idp/oidc"
	"tokenserver/idp/saml"
	"tokenserver/internal/pages"
	"tokenserver/internal/remotejwks"
	"tokenserver/internal/settings"
	"tokenserver/oauth"
)

// routeProviders builds the identity providers that sign users in for the journeys of browsers.
func (s *server) routeProviders(e *echo.Echo, k kernels, journey *oauth.Browser, pages *pages.Pages) oauth.Providers {
	issuer := s.config.Issuer()
	accounts := &idp.Accounts{
		Audit: s.recorder, Now: s.now, Keys: s.keys, Issuer: issuer, Store: s.sql, People: s.sql, Attempts: s.sql, Browsers: s.sql,
		Journey: journey, Passwords: idp.NewPasswords(runtime.GOMAXPROCS(0)), Pages: pages,
	}
	abroad := &idp.OAuth{
		Audit: s.recorder, Now: s.now, Keys: s.keys, Issuer: issuer, Settings: s.settings, Once: s.redis, Journey: journey,
		Client: &oidc.Client{
			HTTP: k.outside.provider, Directory: &oidc.Directory{HTTP: k.outside.provider, Now: s.now}, Now: s.now, NewID: s.newID,
			Keys:              &remotejwks.Sets{Client: k.outside.provider, Private: s.config.Outbound.AllowPrivate.Provider, Now: s.now},
			TransactionHeader: s.config.TransactionHeader,
		},
	}
	federated := &saml.ServiceProvider{
		Audit: s.recorder, Now: s.now, Keys: s.keys, Issuer: issuer, Settings: s.settings,
		Source: saml.NewSource(k.outside.provider, s.now, s.log), Once: s.redis, Store: s.sql, Sessions: k.sessions, Journey: journey, Pages: pages,
	}
	header := &idp.Header{Now: s.now, Issuer: issuer, Settings: s.settings, Journey: journey}
	codes := s.twoWayOTP(journey, pages)
	for _, provider := range []interface{ Routes(*echo.Group) }{accounts, abroad, federated, header, codes} {
		provider.Routes(group(e))
	}
	return oauth.Providers{
		settings.BuiltInAccounts: accounts,
		settings.OIDCProvider:    abroad,
		settings.OAuthProvider:   abroad,
		settings.SAMLProvider:    federated,
		settings.HeaderProvider:  header,
		settings.TwoWayOTP:       codes,
	}
}
