package main

import (
	"crypto/x509"
	"fmt"
	"math"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/api"
	"tokenserver/internal/pages"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/settings"
	"tokenserver/oauth"
	"tokenserver/pushauth"
)

// Wrong codes of device logins that one browser, network or user may enter before a lock, and how long they count.
const (
	wrongUserCodes = 5
	userCodeWindow = 10 * time.Minute
)

// Wrong codes of text messages that one user may type before a lock, in however many sign-ins, and how long they count.
const (
	wrongStepUps = 15
	stepUpWindow = time.Hour
)

// routeOAuth connects the OAuth endpoints with the identity providers that sign users in.
func (s *server) routeOAuth(e *echo.Echo, k kernels, access *api.Access, pages *pages.Pages) {
	issuer := s.config.Issuer()
	guesses := &ratelimit.Limiter{
		Counts: s.redis, Name: "user-code", Limit: wrongUserCodes, Window: userCodeWindow, Now: s.now,
	}
	h := &oauth.Handler{
		Audit: s.recorder, Now: s.now, NewID: s.newID, Keys: s.keys, Issuer: issuer, Log: s.log, Settings: s.settings, Store: s.sql,
		Clients: k.clients, Tokens: k.tokens, Signing: s.ring, Accounts: s.sql, Profiles: k.lifecycle, Users: s.sql, Versions: k.gate,
		Codes: s.redis, Marks: s.sql, Book: s.sql, Devices: s.redis, Guesses: guesses, WebEntries: s.redis,
		Scopes: k.scopes, Hooks: k.hooks, People: k.people, Logins: s.sql,
		Starts: s.perMinute("device", s.config.Limits.AuthorizationsPerMinute),
	}
	h.Routes(group(e))
	h.WellKnownRoutes(e.Group(""))
	behind(e, root, access.Require(settings.APITokenIntrospection), h.APIRoutes)
	s.routeCustomRegistration(e, k, access, h)

	browser := &oauth.Browser{
		Audit: s.recorder, Now: s.now, Keys: s.keys, Issuer: issuer, Log: s.log, Settings: s.settings, Store: s.sql,
		Authorizations: s.redis, Codes: s.redis, Sessions: k.sessions, Logouts: s.redis, Consents: s.sql, Installations: s.sql, Pages: pages,
		People:  k.people,
		Devices: s.redis, WebEntries: s.redis, Profiles: s.sql, Marks: s.sql, Guesses: guesses, Signing: s.ring, Starts: s.perMinute("authorization", s.config.Limits.AuthorizationsPerMinute),
		Accounts: s.sql, Tokens: k.tokens, Hooks: k.hooks, Scopes: k.scopes, StepUps: s.sql, SMS: s.texts(),
		StepUpWrong: &ratelimit.Limiter{Counts: s.redis, Name: "step-up", Limit: wrongStepUps, Window: stepUpWindow, Now: s.now},
	}
	browser.Providers = s.routeProviders(e, k, browser, pages)
	h.Providers = browser.Providers
	browser.Routes(group(e))
	pages.Routes(group(e))
}

// routePushAuth connects the portal's and the phone's half of mobile authentication.
func (s *server) routePushAuth(e *echo.Echo, k kernels, access *api.Access) error {
	roots, err := s.apnsRoots()
	if err != nil {
		return err
	}
	push := pushauth.NewPusher(pushauth.PusherConfig{
		APNsProduction: s.config.Push.APNsProductionURL, APNsDevelopment: s.config.Push.APNsDevelopmentURL, APNsRoots: roots,
		FCMEndpoint: s.config.Push.FCMEndpoint, AllowPrivate: s.config.Outbound.AllowPrivate.Push, Observe: s.metrics.Push,
		Budget: s.config.Push.Timeout,
	}, s.keys, s.log, s.now)
	m := s.config.MobileAuth
	const openTransactions = 20 // of one installation
	portal := &pushauth.Portal{
		Settings: s.settings, Enrollments: s.sql, Tokens: k.tokens, Transactions: s.redis, Outcomes: s.sql, Endings: k.endings, Push: push,
		Limits: pushauth.Limits{
			Message: m.MaxMessageLength, SecureMessage: m.MaxSecureMessageLength, SigningData: m.MaxSigningDataBytes,
			Open: openTransactions, HTTPCallbacks: m.AllowHTTPCallbacks,
		},
		Audit: s.recorder, Keys: s.keys, Log: s.log, Now: s.now, NewID: s.newID,
	}
	behind(e, root, access.Require(settings.APIMobileAuthentication), portal.Routes)
	(&pushauth.Device{
		Settings: s.settings, Tokens: k.tokens, PINs: k.tokens, Gate: k.gate, Installations: s.sql, Enrollments: s.sql, Transactions: s.redis,
		Outcomes: s.sql, Endings: k.endings, Lifecycle: k.lifecycle, ServerKeys: k.server, Devices: k.devices, Audit: s.recorder,
		Keys: s.keys, Now: s.now,
	}).Routes(group(e))
	return nil
}

// apnsRoots reads the certificate authorities of a proxy or stand-in of APNs; nil = those of the system.
func (s *server) apnsRoots() (*x509.CertPool, error) {
	if s.config.Push.APNsCAFile == "" {
		return nil, nil // nil is the pool of the system
	}
	text, err := os.ReadFile(s.config.Push.APNsCAFile)
	if err != nil {
		return nil, fmt.Errorf("push.apns_ca_file: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("push.apns_ca_file: %s holds no certificate", s.config.Push.APNsCAFile)
	}
	return roots, nil
}

// perMinute bounds how often one client network may begin something each minute; 0 is no limit.
func (s *server) perMinute(name string, limit int) *ratelimit.Limiter {
	if limit == 0 {
		limit = math.MaxInt
	}
	return &ratelimit.Limiter{Counts: s.redis, Name: name, Limit: limit, Window: time.Minute, Now: s.now}
}
