package e2e_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"time"
)

// proxy is the balancer in front of a cluster: round robin over the servers, whether they are alive or not. What a dead server
// does not answer is 502, so that a client can tell it from an answer of the product.
type proxy struct {
	server  *http.Server
	address string
	next    atomic.Uint64
}

// startProxy starts a proxy on a free port.
func startProxy(backends ...string) (*proxy, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("start proxy: %w", err)
	}
	targets := make([]*url.URL, len(backends))
	for i, backend := range backends {
		targets[i] = &url.URL{Scheme: "http", Host: backend}
	}
	p := &proxy{address: listener.Addr().String()}
	reverse := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(targets[p.next.Add(1)%uint64(len(targets))])
			r.Out.Host = r.In.Host
			// The servers trust this proxy, and the proxy trusts its callers, so that each test can have an address of its own.
			r.Out.Header["X-Forwarded-For"] = r.In.Header["X-Forwarded-For"]
			r.SetXForwarded()
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	p.server = &http.Server{Handler: reverse, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(listener) }()
	return p, nil
}

func (p *proxy) url() string { return "http://" + p.address }

func (p *proxy) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if p.server.Shutdown(ctx) != nil {
		_ = p.server.Close()
	}
}
