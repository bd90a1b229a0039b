package settings_test

import (
	"testing"

	"tokenserver/internal/settings"
)

func TestAllowsOrigin(t *testing.T) {
	clients := []settings.WebClient{
		{ID: "spa", Authentication: settings.PKCEOnly, RedirectURLs: []string{"https://SPA.example:443/back?x=1", "http://127.0.0.1:4200/", "spa://back", "https://[2001:DB8::1]:8443/"}},
		{ID: "public", Authentication: settings.PublicClient, RedirectURLs: []string{"https://public.example/"}},
		{ID: "off", Disabled: true, Authentication: settings.PKCEOnly, RedirectURLs: []string{"https://off.example/"}},
		{ID: "secret", Authentication: settings.SecretBasic, RedirectURLs: []string{"https://secret.example/"}},
	}
	public := []string{"https://spa.example", "http://127.0.0.1:4200", "https://[2001:db8::1]:8443", "https://public.example"}
	never := []string{"", "null", "https://off.example", "https://secret.example", "spa://back", "https://spa.example/", "http://spa.example", "https://spa.example:443", "https://spa.example.evil", "https://evil.example"}
	for _, tc := range []struct {
		name string
		cors settings.CORS
		also []string // allowed beside the public clients'
	}{
		{"off", settings.CORS{Origins: []string{"https://listed.example"}}, nil},
		{"list", settings.CORS{Enabled: true, Origins: []string{"https://Listed.example", "https://two.example:8443"}}, []string{"https://listed.example", "https://two.example:8443"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := settings.NewSnapshot(1, settings.Document{OAuth: settings.OAuth{CORS: tc.cors}, WebClients: clients})
			for _, origin := range append(public, tc.also...) {
				if !s.AllowsOrigin(origin) {
					t.Errorf("%q is refused", origin)
				}
			}
			for _, origin := range append(never, "https://unlisted.example") {
				if s.AllowsOrigin(origin) {
					t.Errorf("%q is allowed", origin)
				}
			}
		})
	}
	all := settings.NewSnapshot(1, settings.Document{OAuth: settings.OAuth{CORS: settings.CORS{Enabled: true}}})
	for origin, want := range map[string]bool{
		"https://any.example": true, "http://any.example:81": true, "null": false, "": false, "https://any.example/": false, "file://": false, "https://a.example b": false,
	} {
		if got := all.AllowsOrigin(origin); got != want {
			t.Errorf("all: %q: %v", origin, got)
		}
	}
}
