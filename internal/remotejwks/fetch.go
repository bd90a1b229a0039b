package remotejwks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"tokenserver/internal/outbound"
)

// ErrUnavailable is the error when there is no set to work with: unreachable, refused, too large, or not a set.
var ErrUnavailable = errors.New("JWK set is unavailable")

const (
	fetchTimeout = 5 * time.Second
	maxSet       = 256 << 10 // bytes
)

// fetch gets a set and how long it may be kept.
func (s *Sets) fetch(ctx context.Context, uri string) (set *jose.JSONWebKeySet, life time.Duration, err error) {
	defer func() { // nobody else would catch it: this is not the goroutine of a request
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: panic: %v", ErrUnavailable, r)
		}
	}()
	set, life, err = s.call(ctx, uri)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", ErrUnavailable, outbound.WithoutQuery(err))
	}
	return set, life, nil
}

func (s *Sets) call(ctx context.Context, uri string) (*jose.JSONWebKeySet, time.Duration, error) {
	if err := s.allowed(uri); err != nil {
		return nil, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, http.NoBody)
	if err != nil {
		return nil, 0, err
	}
	req.Header.Set("Accept", "application/jwk-set+json, application/json")
	resp, err := s.Client.Do(req)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return nil, 0, fmt.Errorf("status %d", resp.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxSet+1))
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("read JWK set: %w", err)
	case len(text) > maxSet:
		return nil, 0, fmt.Errorf("%w: more than %d bytes", outbound.ErrTooLarge, maxSet)
	}
	set, err := Parse(text)
	return set, life(resp.Header), err
}

// allowed refuses whatever is not https, except plain http to a loopback address that the configuration allows.
func (s *Sets) allowed(uri string) error {
	u, err := url.Parse(uri)
	if err != nil {
		return errors.New("the address of the JWK set is no URL")
	}
	if u.Scheme == "https" && u.Host != "" && u.User == nil {
		return nil
	}
	host, err := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && u.User == nil && err == nil && host.IsLoopback() {
		for _, network := range s.Private {
			if network.Contains(host.Unmap()) {
				return nil
			}
		}
	}
	return errors.New("the address of the JWK set is not https")
}

// life is how long a set may be kept: max-age of Cache-Control (RFC 9111 §5.2.2.1) within limits.
func life(header http.Header) time.Duration {
	for directive := range strings.SplitSeq(strings.Join(header.Values("Cache-Control"), ","), ",") {
		name, value, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
		switch name {
		case "no-store", "no-cache":
			return shortestLife
		case "max-age":
			seconds, err := strconv.ParseUint(strings.Trim(value, `"`), 10, 31)
			if errors.Is(err, strconv.ErrRange) {
				return longestLife
			}
			if err != nil {
				return shortestLife // a life that cannot be read is no life (RFC 9111 §4.2.1)
			}
			return min(max(time.Duration(seconds)*time.Second, shortestLife), longestLife)
		}
	}
	return usualLife
}
