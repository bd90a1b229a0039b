package outbound

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// ErrTooLarge is the error of a response whose body is larger than Config.MaxBody: of the request itself when the
// length was announced, else of the read that crosses the cap.
var ErrTooLarge = errors.New("outbound: response is too large")

// guard wraps the transport: what must hold for every request and every response.
type guard struct {
	next    *http.Transport
	maxBody int64
}

// RoundTrip implements http.RoundTripper.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := judgeHost(req.URL.Hostname()); err != nil {
		if req.Body != nil {
			_ = req.Body.Close() // a RoundTripper closes the body also when it fails
		}
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Header.Set("User-Agent", UserAgent)
	resp, err := g.next.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > g.maxBody && req.Method != http.MethodHead {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%w: %d bytes announced", ErrTooLarge, resp.ContentLength)
	}
	resp.Body = &cappedBody{body: resp.Body, left: g.maxBody}
	return resp, nil
}

// CloseIdleConnections lets http.Client.CloseIdleConnections reach the transport.
func (g *guard) CloseIdleConnections() { g.next.CloseIdleConnections() }

// cappedBody fails with ErrTooLarge, rather than ending early, so that a cut answer can never pass for a whole one.
type cappedBody struct {
	body io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1] // one more than allowed, to tell "full" from "too much"
	}
	n, err := b.body.Read(p)
	if int64(n) > b.left {
		n = int(b.left)
		b.left = 0
		return n, ErrTooLarge
	}
	b.left -= int64(n)
	return n, err
}

func (b *cappedBody) Close() error { return b.body.Close() }

// WithoutQuery returns err with query, fragment and user information cut from the URL of every *url.Error in its
// chain, because callback and gateway URLs carry keys there. Errors without a URL come back as they are.
func WithoutQuery(err error) error {
	var failed *url.Error
	if !errors.As(err, &failed) {
		return err
	}
	clean := "(unreadable URL)"
	if u, parseErr := url.Parse(failed.URL); parseErr == nil {
		clean = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	return &url.Error{Op: failed.Op, URL: clean, Err: WithoutQuery(failed.Err)}
}
