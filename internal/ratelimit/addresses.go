package ratelimit

import (
	"context"
	"net/netip"

	"tokenserver/audit"
)

// subscriber is how long a prefix of IPv6 one subscriber has at least: all of it is at the hands of one.
const subscriber = 64

// Network returns what shares one budget: an IPv4 address, or the /64 of an IPv6 address. What is no address stays as it is.
func Network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	return netip.PrefixFrom(a, subscriber).Masked().String()
}

// Addresses limits what one client network may waste on requests that fail before anybody is identified. It is the
// budget of web.Shell.
type Addresses struct {
	Limiter *Limiter
	Audit   *audit.Recorder
}

// Exhausted tells whether requests of that address's network are refused for now. Once in each window it records
// RATE_LIMIT_EXCEEDED with the number of refusals since the last time.
func (a *Addresses) Exhausted(ctx context.Context, address string) bool {
	network := Network(address)
	if !a.Limiter.Exceeded(network) {
		return false
	}
	if n := a.Limiter.Refused(network); n > 0 {
		a.Audit.Record(ctx, audit.RateLimitExceeded, audit.Detail("limit", a.Limiter.Name), audit.Count("refusals", n))
	}
	return true
}

// Spend counts one failed, anonymous request.
func (a *Addresses) Spend(ctx context.Context, address string) {
	a.Limiter.Spend(ctx, Network(address))
}
