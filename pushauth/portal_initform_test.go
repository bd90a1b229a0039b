package pushauth

import (
	"net/url"
	"strings"
	"testing"

	"tokenserver/internal/settings"
)

// FuzzCallbackAddress: whatever is accepted leads to one host over TLS, and with the list on it is on the list, byte
// for byte.
func FuzzCallbackAddress(f *testing.F) {
	const listed = "https://portal.example.org/ma/cb?x=1"
	for _, seed := range []string{
		listed, listed + "#", "https://portal.example.org/ma/cb?x=1%20", "HTTPS://portal.example.org", "https://", "//host/x",
		"https://user:pass@host/", "http://host/", "https://[::1]:443/", "https:opaque", "https://host\x00/", "https://:443/",
	} {
		f.Add(seed)
	}
	off := false
	open := settings.NewSnapshot(1, settings.Document{MobileAuthentication: settings.MobileAuthentication{PreconfiguredCallbacksOnly: &off}})
	closed := settings.NewSnapshot(2, settings.Document{Callbacks: []settings.Callback{{URL: listed}}})
	p := &Portal{Limits: DefaultLimits()}
	f.Fuzz(func(t *testing.T, address string) {
		if p.refuseCallback(closed, address) == "" && address != listed {
			t.Errorf("%q is not on the list", address)
		}
		if p.refuseCallback(open, address) != "" {
			return
		}
		u, err := url.Parse(address)
		if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Fragment != "" ||
			strings.ContainsAny(address, "#\x00\n\r") || len(address) > 2048 {
			t.Errorf("%q was accepted", address)
		}
	})
}
