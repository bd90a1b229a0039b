package main

import (
	"net/http"
	"net/netip"
	"time"

	"tokenserver/internal/outbound"
)

// outside are the clients through which requests reach the outside world, one for each purpose.
type outside struct {
	jwks     *http.Client // JWK sets of clients
	provider *http.Client // identity providers
	hook     *http.Client // scope verification, web hooks, back-channel logout
	sms      *http.Client // SMS gateways
}

// How long one exchange may take, and how much may come back.
const (
	jwksTimeout     = 5 * time.Second
	jwksBytes       = 256 << 10
	providerTimeout = 10 * time.Second
	providerConnect = 2 * time.Second
	providerBytes   = 1 << 20
	hookTimeout     = 5 * time.Second
	hookBytes       = 256 << 10
	smsTimeout      = 10 * time.Second
	smsBytes        = 64 << 10
)

// outside builds the clients. None of them follows redirects.
func (s *server) outside() outside {
	client := func(timeout time.Duration, most int64, private []netip.Prefix) *http.Client {
		return outbound.New(outbound.Config{Timeout: timeout, MaxBody: most, AllowPrivate: private})
	}
	private := s.config.Outbound.AllowPrivate
	return outside{
		jwks: client(jwksTimeout, jwksBytes, private.JWKS),
		provider: outbound.New(outbound.Config{
			Timeout: providerTimeout, ConnectTimeout: providerConnect, MaxBody: providerBytes, AllowPrivate: private.Provider,
		}),
		hook: client(hookTimeout, hookBytes, private.Hook),
		sms:  client(smsTimeout, smsBytes, private.SMS),
	}
}
