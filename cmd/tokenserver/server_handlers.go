package main

import (
	"net/http"
	"runtime"
	"time"

	"tokenserver/api"
	"tokenserver/enrollment"
	"tokenserver/internal/appgate"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/device"
	"tokenserver/internal/entitlement"
	"tokenserver/internal/hooks"
	"tokenserver/internal/jobs"
	"tokenserver/internal/lifecycle"
	"tokenserver/internal/people"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/remotejwks"
	"tokenserver/internal/sessions"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/pushauth"
	"tokenserver/registration"
)

// kernels are the rules beneath the domains.
type kernels struct {
	gate      *appgate.Gate
	clients   *clientauth.Service
	callers   *clientauth.Service // API clients, with a budget of failures of their own
	tokens    *token.Service
	endings   *pushauth.Endings
	lifecycle *lifecycle.Service
	sessions  *sessions.Service
	devices   *device.Verifier
	server    *device.ServerKeys
	outside   outside
	hooks     *hooks.Service
	scopes    *entitlement.Service
	people    *people.Service
}

// Wrong secrets that one client id has each minute, at the token endpoint and at the server APIs.
const (
	secretFailuresPerMinute    = 10
	apiSecretFailuresPerMinute = 20
)

func (s *server) kernels() kernels {
	issuer, outside := s.config.Issuer(), s.outside()
	sets := &remotejwks.Sets{Client: outside.jwks, Private: s.config.Outbound.AllowPrivate.JWKS, Now: s.now}
	k := kernels{
		gate: &appgate.Gate{Installations: s.sql, Audit: s.recorder},
		tokens: &token.Service{
			Access: s.redis, Families: s.sql, Search: s.sql, Profiles: s.sql, Installations: s.sql, Revocations: s.revocations,
			Keys: s.keys, Ring: s.ring, Encrypter: &token.Encrypter{Keys: sets}, Issuer: issuer, Now: s.now, NewID: s.newID,
		},
		endings: &pushauth.Endings{
			Decisions: s.sql, Transactions: s.redis, Wake: func(kind string) { s.jobs.Wake(kind) }, Log: s.log, Now: s.now, NewID: s.newID,
		},
		devices: &device.Verifier{Once: s.redis, Issuer: issuer, Now: s.now},
		server:  &device.ServerKeys{Store: s.sql, Keys: s.keys, Now: s.now},
		outside: outside,
	}
	slow := make(chan struct{}, max(runtime.GOMAXPROCS(0)/2, 1)) // of all clients together: the rest of the machine stays free
	k.clients = s.clientAuthentication("client-secret", secretFailuresPerMinute, sets, slow)
	k.callers = s.clientAuthentication("api-secret", apiSecretFailuresPerMinute, sets, slow)
	private := s.config.Outbound.AllowPrivate.Hook
	k.hooks = &hooks.Service{Client: hooks.NewClient(private), Sign: s.ring, Issuer: issuer, Now: s.now, NewID: s.newID, Log: s.log}
	k.scopes = &entitlement.Service{
		Settings: s.settings, Client: entitlement.NewClient(private), Now: s.now, TransactionHeader: s.config.TransactionHeader,
	}
	k.sessions = &sessions.Service{
		Store: s.redis, Jobs: s.sql, Tokens: k.tokens, Marks: s.revocations, Settings: s.settings,
		Wake: func(kind string) { s.jobs.Wake(kind) }, Now: s.now, NewID: s.newID,
	}
	k.people = &people.Service{
		Accounts: s.sql, Settings: s.settings, Clients: s.sql, Source: outside.provider, Cache: s.redis, Keys: s.keys, Log: s.log, Now: s.now,
	}
	k.lifecycle = &lifecycle.Service{
		Installations: s.sql, Enrollments: s.sql, Tokens: k.tokens, Transactions: s.redis, Endings: k.endings,
	}
	return k
}

// clientAuthentication proves who is calling; it has a budget of wrong secrets of its own.
func (s *server) clientAuthentication(name string, failures int, sets *remotejwks.Sets, slow chan struct{}) *clientauth.Service {
	return &clientauth.Service{
		Installations: s.sql, Once: s.redis, KeySets: sets, Imports: s.settings, Slow: slow, Keys: s.keys, Issuer: s.config.Issuer(), Now: s.now,
		Failures: &ratelimit.Limiter{Counts: s.redis, Name: name, Limit: failures, Window: time.Minute, Now: s.now},
	}
}

// assemble builds every handler and connects it: the only place that knows them all.
func (s *server) assemble() (http.Handler, error) {
	k := s.kernels()
	s.makeJobs(k)
	pages, err := s.config.openPages()
	if err != nil {
		return nil, err
	}
	e := s.shell().New()
	open := group(e)
	access := &api.Access{
		Settings: s.settings, Clients: k.callers, Audit: s.recorder,
	}

	s.routeOAuth(e, k, access, pages)
	(&registration.Handler{
		Settings: s.settings, Installations: s.sql, Devices: s.sql, Challenges: s.redis, Once: s.redis,
		Inits:   s.perMinute("registration", s.config.Limits.RegistrationsPerMinute),
		Clients: k.clients, Gate: k.gate, Audit: s.recorder, Keys: s.keys, Now: s.now, Issuer: s.config.Issuer(),
	}).Routes(open)
	(&enrollment.Handler{
		Settings: s.settings, Clients: k.clients, Tokens: k.tokens, Gate: k.gate, Installations: s.sql, Enrollments: s.sql, PushTokens: s.sql,
		Pending: s.redis, Lifecycle: k.lifecycle, ServerKeys: k.server, Devices: k.devices, Keys: s.keys, Audit: s.recorder, Now: s.now, NewID: s.newID,
	}).Routes(open)
	if err := s.routePushAuth(e, k, access); err != nil {
		return nil, err
	}
	events := &api.Events{Log: s.sql, Audit: s.recorder}
	behind(e, root+"/api/v1", access.Require(settings.APIEvents), events.Routes)
	return e, nil
}

// makeJobs builds the runner of the work that outlives requests.
func (s *server) makeJobs(k kernels) {
	timeout := s.config.MobileAuth.CallbackTimeout
	callbacks := &pushauth.Callbacks{Settings: s.settings, Timeout: timeout, Audit: s.recorder, Now: s.now}
	callbacks.Configured, callbacks.Strict = pushauth.NewCallbackClients(timeout, s.config.Outbound.AllowPrivate.Callback, nil)
	logouts := &sessions.BackChannel{
		Settings: s.settings, Signing: s.ring, Client: k.outside.hook, Timeout: hookTimeout, Issuer: s.config.Issuer(),
		Audit: s.recorder, Now: s.now, NewID: s.newID,
	}
	s.jobs = jobs.New(jobs.Config{
		Queue: s.sql, Kinds: []jobs.Kind{callbacks.Kind(), logouts.Kind()}, Log: s.log, Now: s.now, Instance: s.instance, Poll: jobsEvery, Observe: s.metrics.Job,
	})
}
