package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"syscall"
	"time"
)

// UserAgent is sent with every request, whatever the caller set.
const UserAgent = "tokenserver"

// What a zero field of Config means.
const (
	DefaultTimeout        = 10 * time.Second
	DefaultConnectTimeout = 5 * time.Second
	DefaultMaxIdlePerHost = 16
	DefaultMaxPerHost     = 64
	DefaultMaxBody        = 1 << 20
)

const (
	idleTimeout       = 90 * time.Second
	keepAlive         = 30 * time.Second
	maxRedirects      = 5
	maxIdle           = 256
	maxResponseHeader = 64 << 10
)

// Config says what one purpose may do. The zero value is the strictest client: public addresses only, no redirects.
type Config struct {
	Timeout        time.Duration // of a whole exchange, body included; 0 means DefaultTimeout
	ConnectTimeout time.Duration // of the dial, and of the TLS handshake; 0 means DefaultConnectTimeout
	MaxIdlePerHost int           // kept-alive connections per host; 0 means DefaultMaxIdlePerHost
	MaxPerHost     int           // open connections per host, further requests wait; 0 means DefaultMaxPerHost
	MaxBody        int64         // bytes of a response body after decompression; 0 means DefaultMaxBody

	// AllowPrivate lists the otherwise refused networks that this purpose may reach.
	AllowPrivate []netip.Prefix

	RootCAs         *x509.CertPool    // nil means those of the system
	Certificates    []tls.Certificate // shown to servers that ask for a client certificate
	FollowRedirects bool              // at most five, never from https to http; otherwise the 3xx answer is returned
}

// New returns a client for one purpose. Make one per purpose and keep it: the connections belong to it.
//
// Errors of its methods match ErrForbidden when an address was refused and ErrTooLarge when a response was over the
// cap; pass them through WithoutQuery before they are logged or wrapped.
func New(cfg Config) *http.Client {
	cfg = cfg.withDefaults()
	dialer := &net.Dialer{
		Timeout:   cfg.ConnectTimeout,
		KeepAlive: keepAlive,
		ControlContext: func(_ context.Context, network, address string, _ syscall.RawConn) error {
			return judge(network, address, cfg.AllowPrivate)
		},
	}
	transport := &http.Transport{
		Proxy:                  nil,
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.RootCAs, Certificates: cfg.Certificates},
		TLSHandshakeTimeout:    cfg.ConnectTimeout,
		ResponseHeaderTimeout:  cfg.Timeout,
		IdleConnTimeout:        idleTimeout,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    cfg.MaxIdlePerHost,
		MaxConnsPerHost:        cfg.MaxPerHost,
		MaxResponseHeaderBytes: maxResponseHeader,
		ForceAttemptHTTP2:      true,
	}
	return &http.Client{
		Transport:     &guard{next: transport, maxBody: cfg.MaxBody},
		Timeout:       cfg.Timeout,
		CheckRedirect: redirectPolicy(cfg.FollowRedirects),
	}
}

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = DefaultTimeout
	}
	if c.ConnectTimeout <= 0 {
		c.ConnectTimeout = DefaultConnectTimeout
	}
	if c.MaxIdlePerHost <= 0 {
		c.MaxIdlePerHost = DefaultMaxIdlePerHost
	}
	if c.MaxPerHost <= 0 {
		c.MaxPerHost = DefaultMaxPerHost
	}
	if c.MaxBody <= 0 {
		c.MaxBody = DefaultMaxBody
	}
	return c
}

// errRedirect ends a chain of redirects that is too long or leaves TLS.
var errRedirect = errors.New("outbound: redirect refused")

func redirectPolicy(follow bool) func(*http.Request, []*http.Request) error {
	return func(next *http.Request, via []*http.Request) error {
		switch {
		case !follow:
			return http.ErrUseLastResponse
		case len(via) > maxRedirects:
			return errRedirect
		case via[len(via)-1].URL.Scheme == "https" && next.URL.Scheme != "https":
			return errRedirect
		}
		return nil
	}
}
