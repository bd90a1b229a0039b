package ratelimit_test

import (
	"testing"

	"tokenserver/internal/audittest"
	"tokenserver/internal/ratelimit"
)

func TestNetwork(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1":               "192.0.2.1",
		"::ffff:192.0.2.1":        "192.0.2.1",
		"2001:db8:1:2:3:4:5:6":    "2001:db8:1:2::/64",
		"2001:db8:1:2::":          "2001:db8:1:2::/64",
		"fe80::1:2:3:4%eth0":      "fe80::/64",
		"":                        "",
		"not an address, but all": "not an address, but all",
	} {
		if got := ratelimit.Network(address); got != want {
			t.Errorf("%q: %q, want %q", address, got, want)
		}
	}
}

// TestAddressesOfOneSubscriber: who has a whole network of IPv6 addresses has one budget.
func TestAddressesOfOneSubscriber(t *testing.T) {
	env := audittest.New(t)
	a := &ratelimit.Addresses{Limiter: newLimiter(env), Audit: env.Recorder}
	ctx := env.Context(t)
	for _, address := range []string{"2001:db8::1", "2001:db8::2", "2001:db8::3:0:0:0"} {
		a.Spend(ctx, address)
	}
	for address, want := range map[string]bool{"2001:db8::9": true, "2001:db8:0:1::1": false} {
		if got := a.Exhausted(ctx, address); got != want {
			t.Errorf("%s: exhausted %v, want %v", address, got, want)
		}
	}
}
