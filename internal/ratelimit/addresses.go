package ratelimit

import (
	"context"

	"tokenserver/audit"
)

// Addresses limits what one client address may waste on requests that fail before anybody is identified. It is the
// budget of web.Shell.
type Addresses struct {
	Limiter *Limiter
	Audit   *audit.Recorder
}

// Exhausted tells whether requests of that address are refused for now. Once in each window it records
// RATE_LIMIT_EXCEEDED with the number of refusals since the last time.
func (a *Addresses) Exhausted(ctx context.Context, address string) bool {
	if !a.Limiter.Exceeded(address) {
		return false
	}
	if n := a.Limiter.Refused(address); n > 0 {
		a.Audit.Record(ctx, audit.RateLimitExceeded, audit.Detail("limit", a.Limiter.Name), audit.Count("refusals", n))
	}
	return true
}

// Spend counts one failed, anonymous request.
func (a *Addresses) Spend(ctx context.Context, address string) { a.Limiter.Spend(ctx, address) }
