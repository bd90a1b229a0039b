package idp_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/idp"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// gatehouse is a server behind a reverse proxy that signs users in.
type gatehouse struct {
	*audittest.Env
	hall    *hall
	handler http.Handler
	header  *idp.Header
}

func newGatehouse(t *testing.T, section *settings.HeaderSection) *gatehouse {
	t.Helper()
	e := audittest.New(t)
	e.Shell.TrustedProxies = nil
	g := &gatehouse{Env: e, hall: newHall(e.Now)}
	g.header = &idp.Header{Now: e.Now, Issuer: e.Issuer, Settings: e.Settings, Journey: g.hall}
	g.handler = e.Handler(g.header.Routes)
	e.Settings.Set(settings.Document{IdentityProviders: []settings.IdentityProvider{{ID: "gate", Type: settings.HeaderProvider, Header: section}}})
	return g
}

func (g *gatehouse) visit(t *testing.T, from string, headers ...string) audittest.Answer {
	t.Helper()
	all := http.Header{"Cookie": {"browser=ann's"}}
	for i := 0; i < len(headers); i += 2 {
		all.Add(headers[i], headers[i+1])
	}
	return audittest.Do(t, g.handler, audittest.Request{Method: http.MethodGet, Path: g.header.SignInURL("t1"), From: from, Header: all})
}

const proxy = "10.1.2.3"

func usual() *settings.HeaderSection {
	return &settings.HeaderSection{TrustedProxies: []string{"10.0.0.0/8", "fd00::/8"}}
}

func TestHeaderSignIn(t *testing.T) {
	const (
		denied = "client access_denied the user is not signed in"
		silent = "client login_required the user is not signed in"
		stale  = "client login_required the user has to sign in again"
	)
	isSilent := func(a *store.Authorization) { a.Silent = true }
	for _, tc := range []struct {
		name    string
		section *settings.HeaderSection
		change  func(*store.Authorization)
		from    string // "" = the proxy
		headers []string
		want    string
		code    audit.Code
		reason  string
		id      store.Identity
	}{
		{name: "a user", headers: []string{"iv-user", "ann"}, want: "on", id: store.Identity{UserID: "ann"}},
		{name: "a user with a level", headers: []string{"iv-user", " ann ", "authentication-level", "2"}, want: "on", id: store.Identity{UserID: "ann", Level: "2"}},
		{name: "a blank that belongs to the user", headers: []string{"iv-user", "ann\u00a0"}, want: "on", id: store.Identity{UserID: "ann\u00a0"}},
		{name: "a level that is none", headers: []string{"iv-user", "ann", "authentication-level", "-1x"}, want: "on", id: store.Identity{UserID: "ann", Level: "-1x"}},
		{name: "two levels", headers: []string{"iv-user", "ann", "authentication-level", "1", "authentication-level", "4"}, want: "on", id: store.Identity{UserID: "ann", Level: "unreadable"}},
		{name: "silently", change: isSilent, headers: []string{"iv-user", "ann"}, want: "on", id: store.Identity{UserID: "ann"}},
		{name: "proxy by IPv6", from: "[fd00::7]", headers: []string{"iv-user", "ann"}, want: "on", id: store.Identity{UserID: "ann"}},

		{name: "no header", want: denied, code: audit.IDPHeaderUserMissing, reason: "no user header"},
		{name: "empty header", headers: []string{"iv-user", "  "}, want: denied, code: audit.IDPHeaderUserMissing, reason: "no user header"},
		{name: "no header, silently", change: isSilent, want: silent, code: audit.AuthnRequestLoginRequired, reason: "no user header"},
		{name: "two users", headers: []string{"iv-user", "ann", "iv-user", "eve"}, want: denied, code: audit.IDPHeaderUserMissing, reason: "user header repeated or malformed"},
		{name: "no text", headers: []string{"iv-user", "a\xffn"}, want: denied, code: audit.IDPHeaderUserMissing, reason: "user header repeated or malformed"},
		{name: "endless user", headers: []string{"iv-user", strings.Repeat("x", 4<<10+1)}, want: denied, code: audit.IDPHeaderUserMissing, reason: "user header repeated or malformed"},
		{name: "forged", from: "192.0.2.9", headers: []string{"iv-user", "ann"}, want: denied, code: audit.IDPHeaderUserMissing, reason: "not from a trusted proxy"},
		{name: "forged way", from: "192.0.2.9", headers: []string{"iv-user", "ann", "X-Forwarded-For", "10.1.2.3", "Forwarded", "for=10.1.2.3", "X-Real-Ip", "10.1.2.3"}, want: denied, code: audit.IDPHeaderUserMissing, reason: "not from a trusted proxy"},
		{name: "forged, silently", change: isSilent, from: "192.0.2.9", headers: []string{"iv-user", "ann"}, want: silent, code: audit.AuthnRequestLoginRequired, reason: "not from a trusted proxy"},
		{name: "nobody is trusted", section: &settings.HeaderSection{}, headers: []string{"iv-user", "ann"}, want: denied, code: audit.IDPHeaderUserMissing, reason: "not from a trusted proxy"},
		{name: "an unreadable network trusts nobody", section: &settings.HeaderSection{TrustedProxies: []string{"all"}}, headers: []string{"iv-user", "ann"}, want: denied, code: audit.IDPHeaderUserMissing, reason: "not from a trusted proxy"},

		{name: "login without a time", change: func(a *store.Authorization) { a.ForceLogin = true }, headers: []string{"iv-user", "ann"}, want: stale, code: audit.AuthnRequestLoginRequired, reason: "sign-in is not fresh"},
		{name: "max_age without a time", change: func(a *store.Authorization) { a.MaxAge = 9999 }, headers: []string{"iv-user", "ann"}, want: stale, code: audit.AuthnRequestLoginRequired, reason: "sign-in is not fresh"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.section == nil {
				tc.section = usual()
			}
			if tc.from == "" {
				tc.from = proxy
			}
			g := newGatehouse(t, tc.section)
			g.hall.open("t1", "gate", tc.change)
			answered(t, g.visit(t, tc.from, tc.headers...), tc.want)
			if tc.want == "on" {
				recorded(t, g.Env, codes())
				if id := g.hall.identity(t); !reflect.DeepEqual(id, tc.id) {
					t.Errorf("%+v", id)
				}
				return
			}
			recorded(t, g.Env, codes(tc.code), "reason", tc.reason, "idp", "gate")
			g.hall.nobodyKnown(t)
		})
	}
}

// TestHeaderTime: with a header that says when the user signed in, prompt=login and max_age can be satisfied.
// TestHeaderNames: the proxy, and nobody else, says in each request who is there.
func TestHeaderNames(t *testing.T) {
	g := newGatehouse(t, usual())
	p := g.Settings.Current().IdentityProvider("gate")
	for _, tc := range []struct {
		name, from string
		users      []string
		want       bool
	}{
		{"named", proxy, []string{"ann"}, true},
		{"somebody else", proxy, []string{"bob"}, false},
		{"nobody", proxy, nil, false},
		{"two", proxy, []string{"ann", "ann"}, false},
		{"not the proxy", "192.0.2.1", []string{"ann"}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = tc.from + ":1234"
			for _, user := range tc.users {
				r.Header.Add("Iv-User", user)
			}
			if got := g.header.Names(r, p, "ann"); got != tc.want {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestHeaderTime(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*store.Authorization)
		ago    time.Duration
		want   bool
	}{
		{"any time", nil, 24 * time.Hour, true},
		{"login just before", func(a *store.Authorization) { a.ForceLogin = true }, time.Minute, true},
		{"login long before", func(a *store.Authorization) { a.ForceLogin = true }, time.Minute + time.Second, false},
		{"young enough", func(a *store.Authorization) { a.MaxAge = 600 }, 10 * time.Minute, true},
		{"too old", func(a *store.Authorization) { a.MaxAge = 600 }, 10*time.Minute + time.Second, false},
		{"clock of the proxy is ahead", func(a *store.Authorization) { a.MaxAge = 0 }, -time.Minute, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			section := usual()
			section.TimeHeader = "X-Signed-In"
			g := newGatehouse(t, section)
			g.hall.open("t1", "gate", tc.change)
			at := g.Now().Add(-tc.ago)
			a := g.visit(t, proxy, "iv-user", "ann", "x-signed-in", fmt.Sprint(at.Unix()))
			if !tc.want {
				answered(t, a, "client login_required the user has to sign in again")
				recorded(t, g.Env, codes(audit.AuthnRequestLoginRequired))
				return
			}
			answered(t, a, "on")
			if at.After(g.Now()) {
				at = g.Now()
			}
			if id := g.hall.identity(t); !id.AuthTime.Equal(at) {
				t.Errorf("auth time %s, want %s", id.AuthTime, at)
			}
		})
	}
}

// TestHeaderAttributes: only what the white list names is taken, and a parameter of the request never for a header.
func TestHeaderAttributes(t *testing.T) {
	section := usual()
	section.UserIDHeader, section.LevelHeader = "X-User", "X-Level"
	section.Attributes = []settings.AttributeMapping{
		{From: "X-Mail", To: "email"}, {From: "x-groups", To: "groups"}, {From: "query:device", To: "device"}, {From: "X-Twice", To: "twice"},
	}
	g := newGatehouse(t, section)
	g.hall.open("t1", "gate", func(a *store.Authorization) {
		a.ProviderQuery = map[string]string{"device": "phone", "x-groups": "admin", "X-Mail": "eve@example.org"}
	})
	answered(t, g.visit(t, proxy, "iv-user", "eve", "X-User", "ann", "X-Level", "3", "x-mail", "ann@example.org", "X-Other", "no", "X-Twice", "a", "X-Twice", "b"), "on")
	want := store.Identity{UserID: "ann", Level: "3", Attributes: store.Attributes{"email": "ann@example.org", "device": "phone"}}
	if id := g.hall.identity(t); !reflect.DeepEqual(id, want) {
		t.Errorf("%+v", id)
	}
}

func TestHeaderStart(t *testing.T) {
	g := newGatehouse(t, usual())
	answered(t, g.visit(t, proxy, "iv-user", "ann"), pageGone)
	recorded(t, g.Env, codes(audit.AuthzRequestInvalid), "reason", "no transaction")
	g.hall.open("t1", "gate", nil)
	answered(t, g.visit(t, proxy, "iv-user", "ann"), "on")
	answered(t, g.visit(t, proxy, "iv-user", "eve"), "on") // again: it was decided
	if id := g.hall.identity(t); id.UserID != "ann" {
		t.Errorf("%+v", id)
	}
	recorded(t, g.Env, codes())
	g.Settings.Set(settings.Document{})
	g.hall.open("t1", "gate", nil)
	answered(t, g.visit(t, proxy, "iv-user", "ann"), providerAway)
	recorded(t, g.Env, codes(audit.UnableToDetermineIdentityProvider), "reason", "no longer enabled")
}
