package pushauth_test

import (
	"net/http"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
)

func TestAvailability(t *testing.T) {
	const (
		pixelJSON  = `{"app_id":"harbour","app_name":"Harbour Bank","device_id":"` + pixel + `","device_name":"Kim's Pixel","platform":"android"}`
		iphoneJSON = `{"app_id":"harbour","app_name":"Harbour Bank","device_id":"` + iphone + `","device_name":"Kim's iPhone","platform":"ios"}`
		disabled   = `{"error_code":"1000","description":"Mobile authentication is disabled","error":"not_found","error_description":"Mobile authentication is disabled"}`
	)
	off := false
	vendors := startVendors(t)
	for _, tc := range []struct {
		name   string
		path   string
		change func(*settings.Document)
		before func(*testing.T, *portalBench)
		status int
		want   string
	}{
		{name: "device with PIN", path: "user/u-1/device/" + pixel + "/enabled", status: 200, want: `{"enabled":["login","pay_pin"]}`},
		{name: "device without refresh token", path: "user/u-1/device/" + iphone + "/enabled", status: 200, want: `{"enabled":["login"]}`},
		{name: "unknown device", path: "user/u-1/device/X/enabled", status: 200, want: `{"enabled":[]}`},
		{name: "unknown user", path: "user/u%2F1%20x/device/" + pixel + "/enabled", status: 200, want: `{"enabled":[]}`},
		{
			name: "user with a slash", path: "user/u%2F3/device/C3/enabled", status: 200, want: `{"enabled":["login"]}`,
			before: func(t *testing.T, b *portalBench) {
				b.enroll(t, "C3", "android", "1.0", "u/3", "SLASH1", "e3", "token3", "Slash")
			},
		},
		{
			name: "push token dead", path: "user/u-1/device/" + pixel + "/enabled", status: 200, want: `{"enabled":[]}`,
			before: func(t *testing.T, b *portalBench) { b.markStale(t) },
		},
		{
			name: "PIN off", path: "user/u-1/device/" + pixel + "/enabled", status: 200, want: `{"enabled":["login"]}`,
			change: func(d *settings.Document) { d.Applications[0].PINAuthentication = &off },
		},
		{
			name: "push off", path: "user/u-1/device/" + pixel + "/enabled", status: 200, want: `{"enabled":[]}`,
			change: func(d *settings.Document) { d.MobileAuthentication.PushAuthenticationEnabled = &off },
		},
		{
			name: "no push configuration", path: "user/u-1/device/" + pixel + "/enabled", status: 200, want: `{"enabled":[]}`,
			change: func(d *settings.Document) { d.Applications[0].Versions[0].PushConfiguration = "" },
		},
		{
			name: "version disabled", path: "user/u-1/device/" + pixel + "/enabled", status: 200, want: `{"enabled":[]}`,
			change: func(d *settings.Document) { d.Applications[0].Versions[0].Status = settings.VersionDisabled },
		},
		{
			name: "all devices", path: "user/u-1/enabled", status: 200,
			want: `{"enabled":[{"type":"login","method":"PUSH","sms_fallback_allowed":false,"apps_enrolled_for_push":[` + pixelJSON + `,` + iphoneJSON + `]},` +
				`{"type":"pay_pin","method":"PUSH_WITH_PIN","sms_fallback_allowed":false,"apps_enrolled_for_push":[` + pixelJSON + `]}]}`,
		},
		{name: "all devices of nobody", path: "user/u-9/enabled", status: 200, want: `{"enabled":[]}`},
		{
			name: "mobile authentication off, device", path: "user/u-1/device/" + pixel + "/enabled", status: 404, want: disabled,
			change: func(d *settings.Document) { d.Features.MobileAuthentication = &off },
		},
		{
			name: "mobile authentication off, all", path: "user/u-1/enabled", status: 404, want: disabled,
			change: func(d *settings.Document) { d.Features.MobileAuthentication = &off },
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newPortalBenchWith(t, vendors)
			if tc.change != nil {
				b.change(tc.change)
			}
			if tc.before != nil {
				tc.before(t, b)
			}
			answer := b.call(t, audittest.Request{Method: http.MethodGet, Path: tc.path})
			if answer.Status != tc.status || answer.Body != tc.want {
				t.Errorf("%d %s, want %d %s", answer.Status, answer.Body, tc.status, tc.want)
			}
			b.wantCodes(t, audit.APIAccessGranted)
		})
	}
}
