package oauth_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
)

// newCORSServer has a public client at https://asking.example and lists one origin more.
func newCORSServer(t *testing.T) *browserServer {
	t.Helper()
	s := newBrowserServer(t)
	s.document.OAuth.CORS = settings.CORS{Enabled: true, Origins: []string{"https://listed.example"}}
	s.Settings.Set(s.document)
	return s
}

func corsHeaders(h http.Header) []string {
	var lines []string
	for name, values := range h {
		if strings.HasPrefix(name, "Access-Control-") || name == "Vary" {
			lines = append(lines, name+": "+strings.Join(values, ", "))
		}
	}
	slices.Sort(lines)
	return lines
}

func TestPreflight(t *testing.T) {
	s := newCORSServer(t)
	const vary = "Vary: Origin, Access-Control-Request-Method, Access-Control-Request-Headers"
	granted := func(origin, methods string) []string {
		return []string{
			"Access-Control-Allow-Headers: Authorization, Content-Type", "Access-Control-Allow-Methods: " + methods,
			"Access-Control-Allow-Origin: " + origin, "Access-Control-Max-Age: 600", vary,
		}
	}
	for _, tc := range []struct {
		path, origin, method string
		status               int
		want                 []string
	}{
		{"/oauth/token", "https://asking.example", "POST", 204, granted("https://asking.example", "POST")},
		{"/oauth/v1/token", "https://listed.example", "POST", 204, granted("https://listed.example", "POST")},
		{"/oauth/revoke", "https://listed.example", "POST", 204, granted("https://listed.example", "POST")},
		{"/oauth/v1/revoke", "https://listed.example", "POST", 204, granted("https://listed.example", "POST")},
		{"/oauth/v1/userinfo", "https://asking.example", "GET", 204, granted("https://asking.example", "GET, POST")},
		{"/oauth/v1/keys", "https://asking.example", "GET", 204, granted("https://asking.example", "GET")},
		{"/oauth/.well-known/openid-configuration", "https://asking.example", "GET", 204, granted("https://asking.example", "GET, POST")},
		{"/oauth/token", "https://evil.example", "POST", 204, []string{vary}},
		{"/oauth/token", "null", "POST", 204, []string{vary}},
		{"/oauth/token", "https://web.example", "POST", 204, []string{vary}}, // a confidential client's
		{"/oauth/token", "https://asking.example", "DELETE", 204, []string{vary}},
		{"/oauth/token", "https://asking.example", "", 204, nil},
		{"/oauth/token", "", "POST", 204, nil},
		{"/oauth/authorize", "https://asking.example", "GET", 204, nil},
		{"/oauth/v1/authorize", "https://listed.example", "GET", 204, nil},
		{"/oauth/consent", "https://listed.example", "POST", 204, nil},
		{"/oauth/device_authorization", "https://listed.example", "POST", 204, nil},
	} {
		header := http.Header{}
		if tc.origin != "" {
			header.Set("Origin", tc.origin)
		}
		if tc.method != "" {
			header.Set("Access-Control-Request-Method", tc.method)
		}
		a := audittest.Do(t, s.handler, audittest.Request{Method: http.MethodOptions, Path: tc.path, Header: header})
		if got := corsHeaders(a.Header); a.Status != tc.status || !slices.Equal(got, tc.want) {
			t.Errorf("%s from %q: %d\n got %v\nwant %v", tc.path, tc.origin, a.Status, got, tc.want)
		}
	}
	wantCodes(t, s)
}

func TestAnswersToOtherOrigins(t *testing.T) {
	s := newCORSServer(t)
	ask := func(origin string) audittest.Answer {
		t.Helper()
		a := audittest.Do(t, s.handler, audittest.Request{
			Path: "/oauth/token", Form: pairs("grant_type", "authorization_code", "client_id", "asking"), Header: http.Header{"Origin": {origin}},
		})
		wantCodes(t, s, audit.TokenRequestInvalid)
		return a
	}
	// A page has to see why it was refused.
	a := ask("https://asking.example")
	want := []string{"Access-Control-Allow-Origin: https://asking.example", "Access-Control-Expose-Headers: WWW-Authenticate, Retry-After", "Vary: Origin"}
	if got := corsHeaders(a.Header); a.Status != 400 || !slices.Equal(got, want) {
		t.Errorf("%d %v", a.Status, got)
	}
	if got := corsHeaders(ask("https://evil.example").Header); !slices.Equal(got, []string{"Vary: Origin"}) {
		t.Errorf("%v", got)
	}
	a = audittest.Do(t, s.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/v1/userinfo", Header: http.Header{"Origin": {"https://listed.example"}}})
	if got := a.Header.Get("Access-Control-Allow-Origin"); a.Status != 401 || got != "https://listed.example" {
		t.Errorf("userinfo: %d %q", a.Status, got)
	}
	a = audittest.Do(t, s.handler, audittest.Request{
		Method: http.MethodGet, Path: "/oauth/authorize?client_id=asking", Header: http.Header{"Origin": {"https://asking.example"}},
	})
	if got := corsHeaders(a.Header); len(got) != 0 {
		t.Errorf("authorize: %v", got)
	}
}
