package saml_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/keys"
	"tokenserver/internal/sessions"
	"tokenserver/internal/settings"
	"tokenserver/internal/token"
	"tokenserver/store"
)

const (
	slo     = audittest.Issuer + "/saml/slo"
	idpSLO  = "https://idp.example/slo"
	sha256N = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
)

// newSessions is the kernel of browser sessions, on the real stores.
func newSessions(t *testing.T, e *audittest.Env) *sessions.Service {
	t.Helper()
	ring := &keys.Ring{Store: e.Store, Keys: e.Keys, Algorithm: keys.ES256, Now: e.Now, NewID: e.NewID}
	revocations := &token.Revocations{Store: e.Store, Hints: e.Redis, Now: e.Now}
	if err := errors.Join(ring.Load(t.Context()), revocations.Load(t.Context())); err != nil {
		t.Fatal(err)
	}
	tokens := &token.Service{
		Access: e.Redis, Families: e.Store, Search: e.Store, Profiles: e.Store, Installations: e.Store, Revocations: revocations,
		Keys: e.Keys, Ring: ring, Issuer: e.Issuer, Now: e.Now, NewID: e.NewID,
	}
	return &sessions.Service{
		Store: e.Redis, Jobs: e.Store, Tokens: tokens, Marks: revocations, Settings: e.Settings, Wake: func(string) {}, Now: e.Now, NewID: e.NewID,
	}
}

func withLogout(d *settings.Document) { d.IdentityProviders[0].SAML.SingleLogout = true }

// redirected is a message as the redirect binding carries it.
func redirected(t *testing.T, parameter, document, relay string, with keyPair) string {
	t.Helper()
	var small bytes.Buffer
	deflate, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deflate.Write([]byte(document)); err != nil {
		t.Fatal(err)
	}
	if err := deflate.Close(); err != nil {
		t.Fatal(err)
	}
	query := parameter + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(small.Bytes()))
	if relay != "" {
		query += "&RelayState=" + url.QueryEscape(relay)
	}
	query += "&SigAlg=" + url.QueryEscape(sha256N)
	digest := sha256.Sum256([]byte(query))
	signature, err := rsa.SignPKCS1v15(rand.Reader, with.key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature))
}

const protocols = ` xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`

func logoutRequest(id, issuer, to, issued, name string, sessions ...string) string {
	s := `<samlp:LogoutRequest` + protocols + ` ID="` + id + `" Version="2.0" IssueInstant="` + issued + `" Destination="` + to + `"><saml:Issuer>` + issuer +
		`</saml:Issuer><saml:NameID>` + name + `</saml:NameID>`
	for _, index := range sessions {
		s += `<samlp:SessionIndex>` + index + `</samlp:SessionIndex>`
	}
	return s + `</samlp:LogoutRequest>`
}

func logoutResponse(inResponseTo, to, status string) string {
	return `<samlp:LogoutResponse` + protocols + ` ID="_lr" Version="2.0" IssueInstant="2026-11-20T12:00:00Z" Destination="` + to + `" InResponseTo="` + inResponseTo +
		`"><saml:Issuer>` + idpEntity + `</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:` + status + `"/></samlp:Status></samlp:LogoutResponse>`
}

// session opens a browser session that came from the provider.
func (w *world) session(userID, nameID, index string) store.BrowserSession {
	w.t.Helper()
	b, err := w.sessions.Open(w.t.Context(), store.BrowserSession{
		Hash: []byte(secretText()), ID: w.NewID(), UserID: userID, Provider: "bank", AuthTime: w.Now(), ProviderSession: index,
		ProviderToken: `{"name_id":{"value":"` + nameID + `"},"entity_id":"` + ourEntity + `"}`,
	}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

func (w *world) live(userID string) int {
	w.t.Helper()
	all, err := w.sessions.Of(w.t.Context(), userID)
	if err != nil {
		w.t.Fatal(err)
	}
	return len(all)
}

// forward begins a logout at the provider, in a request that is audited.
func (w *world) forward(b store.BrowserSession) (address string, ok bool) {
	w.t.Helper()
	ctx := w.Context(w.t)
	err := w.Store.InTx(ctx, func(ctx context.Context) error {
		address, ok = w.sp.LogoutURL(ctx, b, audittest.Issuer+"/v1/logout/complete?state=abc")
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return address, ok
}

func (w *world) codes(want ...audit.Code) []audittest.Event {
	w.t.Helper()
	events := w.Events(w.t)
	if len(events) != len(want) {
		w.t.Fatalf("events %v, want %v", events, want)
	}
	for i, e := range events {
		if e.Code != want[i] {
			w.t.Errorf("event %s, want %s", e.Code, want[i])
		}
	}
	return events
}

// purse counts what was spent of the budget for garbage.
type purse int

func (*purse) Exhausted(context.Context, string) bool { return false }
func (p *purse) Spend(context.Context, string)        { *p++ }

func TestLogoutGoesOnToTheProvider(t *testing.T) {
	w := newWorld(t, withLogout)
	b := w.session("ann", "ann@bank", "s-1")
	address, ok := w.forward(b)
	if !ok || !strings.HasPrefix(address, idpSLO+"?SAMLRequest=") {
		t.Fatalf("%s %v", address, ok)
	}
	if details := w.codes(audit.IDPSamlSingleLogoutInitiated)[0].Details; details != `{"idp":"bank"}` {
		t.Errorf("details %s", details)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	request := inflated(t, u.Query().Get("SAMLRequest"))
	id := request.SelectAttrValue("ID", "")
	want := `<samlp:LogoutRequest` + protocols + ` ID="` + id + `" Version="2.0" IssueInstant="2026-11-20T12:00:00Z" Destination="` + idpSLO +
		`" NotOnOrAfter="2026-11-20T12:05:00Z"><saml:Issuer>` + ourEntity + `</saml:Issuer><saml:NameID>ann@bank</saml:NameID><samlp:SessionIndex>s-1</samlp:SessionIndex></samlp:LogoutRequest>`
	if got := text(t, request); got != want {
		t.Errorf("request\n%s\nwant\n%s", got, want)
	}
	relay := u.Query().Get("RelayState")
	if relay != "/v1/logout/complete?state=abc" {
		t.Errorf("relay state %s", relay)
	}
	const on = audittest.Issuer + "/v1/logout/complete?state=abc"
	for _, tc := range []struct {
		name, document, relay string
		with                  keyPair
		status                int
		location, body        string
		audit                 audit.Code
		details               string
	}{
		{
			"done", logoutResponse(id, slo, "Success"), relay, idpKeys(), 302, on, "",
			audit.IDPSamlSingleLogoutSuccess, `{"idp":"bank","started_by":"us"}`,
		},
		{
			"not done", logoutResponse(id, slo, "Responder"), relay, idpKeys(), 302, on, "",
			audit.IDPSamlSingleLogoutNotSuccessful, `{"idp":"bank","reason":"urn:oasis:names:tc:SAML:2.0:status:Responder"}`,
		},
		{
			"signed by another key", logoutResponse(id, slo, "Success"), relay, otherKeys(), 302, on, "",
			audit.IDPSamlSingleLogoutNotSuccessful, `{"idp":"bank","reason":"signature is not valid"}`,
		},
		{
			"wrong destination", logoutResponse(id, acs, "Success"), relay, idpKeys(), 302, on, "",
			audit.IDPSamlSingleLogoutNotSuccessful, `{"idp":"bank","reason":"destination"}`,
		},
		{
			"another request", logoutResponse("_1", slo, "Success"), relay, idpKeys(), 400, "", "page: the logout message is not usable",
			audit.IDPSamlSingleLogoutNotSuccessful, `{"idp":"bank","reason":"in response to another request"}`,
		},
		{
			"another way back", logoutResponse(id, slo, "Success"), ".evil.example", idpKeys(), 400, "", "page: the logout message is not usable",
			audit.IDPSamlSingleLogoutNotSuccessful, `{"idp":"bank","reason":"in response to another request"}`,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w.t = t
			var spent purse
			w.Shell.Budget = &spent
			a := audittest.Do(t, w.handler, audittest.Request{
				Method: http.MethodGet, Path: "/oauth/saml/slo?" + redirected(t, "SAMLResponse", tc.document, tc.relay, tc.with),
			})
			if proved := tc.name == "done" || tc.name == "not done"; proved != (spent == 0) {
				t.Errorf("spent %d of the budget for garbage", spent)
			}
			if events := w.want(a, tc.status, tc.location, tc.body, tc.audit); events[0].Details != tc.details {
				t.Errorf("details %s, want %s", events[0].Details, tc.details)
			}
		})
	}
}

func TestLogoutThatCannotGoOn(t *testing.T) {
	for _, tc := range []struct {
		name   string
		doc    func(*settings.Document)
		change func(*store.BrowserSession)
		reason string // "" = no event
	}{
		{name: "single logout is off", doc: func(d *settings.Document) { d.IdentityProviders[0].SAML.SingleLogout = false }},
		{name: "session of another provider", change: func(b *store.BrowserSession) { b.Provider = "else" }},
		{name: "no name id", change: func(b *store.BrowserSession) { b.ProviderToken = "" }, reason: "session has no name id"},
		{name: "no key", doc: func(d *settings.Document) { d.SAML.SigningKey = settings.Secret{} }, reason: "no signing key"},
		{name: "no metadata", doc: func(d *settings.Document) { d.IdentityProviders[0].SAML.Metadata = "<x/>" }, reason: "no metadata"},
		{
			name: "no service", doc: func(d *settings.Document) {
				s := d.IdentityProviders[0].SAML
				s.Metadata = strings.Replace(s.Metadata, "SingleLogoutService", "ManageNameIDService", 1)
			}, reason: "provider has no single logout service by redirect",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, withLogout)
			if tc.doc != nil {
				tc.doc(&w.doc)
				w.Settings.Set(w.doc)
			}
			b := w.session("ann", "ann", "s-1")
			if tc.change != nil {
				tc.change(&b)
			}
			if address, ok := w.forward(b); ok || address != "" {
				t.Errorf("address %s", address)
			}
			if tc.reason == "" {
				w.codes()
				return
			}
			events := w.codes(audit.IDPSamlSingleLogoutInitiationSkipped)
			if want := `{"idp":"bank","reason":"` + tc.reason + `"}`; events[0].Details != want || events[0].UserID != "ann" {
				t.Errorf("%+v, want details %s", events[0], want)
			}
		})
	}
}

func TestProviderEndsSessions(t *testing.T) {
	w := newWorld(t, withLogout)
	w.session("ann", "ann", "s-1")
	w.session("ann", "ann", "s-2")
	w.session("bob", "bob", "s-3")
	request := logoutRequest("_1", idpEntity, slo, at(w.Now()), "ann", "s-1")
	query := redirected(t, "SAMLRequest", request, "r-9", idpKeys())
	a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/slo?" + query})
	events := w.want(a, http.StatusFound, a.Header.Get("Location"), "", audit.IDPSamlSingleLogoutSuccess)
	if events[0].Details != `{"idp":"bank","started_by":"provider","sessions":1,"token_families":0}` || events[0].UserID != "ann" {
		t.Errorf("%+v", events[0])
	}
	if w.live("ann") != 1 || w.live("bob") != 1 {
		t.Errorf("ann %d, bob %d", w.live("ann"), w.live("bob"))
	}
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil || !strings.HasPrefix(u.String(), idpSLO+"?SAMLResponse=") || u.Query().Get("RelayState") != "r-9" || u.Query().Get("Signature") == "" {
		t.Fatalf("%s %v", u, err)
	}
	got := regexp.MustCompile(` ID="[^"]*"`).ReplaceAllString(text(t, inflated(t, u.Query().Get("SAMLResponse"))), "")
	want := `<samlp:LogoutResponse` + protocols + ` Version="2.0" IssueInstant="2026-11-20T12:00:00Z" Destination="` + idpSLO + `" InResponseTo="_1"><saml:Issuer>` + ourEntity +
		`</saml:Issuer><samlp:Status><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status></samlp:LogoutResponse>`
	if got != want {
		t.Errorf("response\n%s\nwant\n%s", got, want)
	}

	a = audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/slo?" + query}) // once more
	if events = w.want(a, 400, "", "page: the logout message is not usable", audit.IDPSamlSingleLogoutNotSuccessful); events[0].Details != `{"idp":"bank","reason":"request was used before"}` {
		t.Errorf("details %s", events[0].Details)
	}
	everything := element(t, logoutRequest("_2", idpEntity, slo, at(w.Now()), "ann"))
	signed := reply{with: idpKeys(), method: sha256N}.signed(t, everything)
	a = audittest.Do(t, w.handler, audittest.Request{Path: "/oauth/saml/slo", Form: url.Values{"SAMLRequest": {encode(text(t, signed))}}})
	w.want(a, http.StatusSeeOther, a.Header.Get("Location"), "", audit.IDPSamlSingleLogoutSuccess)
	if w.live("ann") != 0 || w.live("bob") != 1 {
		t.Errorf("ann %d, bob %d", w.live("ann"), w.live("bob"))
	}
}

// TestProviderThatCallsPeopleOtherwise: the user id comes from an attribute, the logout request has the name id.
func TestProviderThatCallsPeopleOtherwise(t *testing.T) {
	w := newWorld(t, withLogout, func(d *settings.Document) {
		d.IdentityProviders[0].AttributeMappings = []settings.AttributeMapping{{From: "employee", To: "userId"}}
	})
	request := w.start("t1")
	r := w.reply(request.SelectAttrValue("ID", ""))
	r.nameID, r.sessionIndex, r.attributes = "transient-1", "s-7", attribute("employee", "", "e-7")
	w.want(w.post("t1", r.encoded(t)), http.StatusSeeOther, "/oauth/on?t=t1", "")
	w.session("e-7", "transient-1", "s-7")
	query := redirected(t, "SAMLRequest", logoutRequest("_1", idpEntity, slo, at(w.Now()), "transient-1", "s-7"), "", idpKeys())
	a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/slo?" + query})
	w.want(a, http.StatusFound, a.Header.Get("Location"), "", audit.IDPSamlSingleLogoutSuccess)
	if n := w.live("e-7"); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestRefusedLogoutRequests(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	good := logoutRequest("_1", idpEntity, slo, at(now), "ann")
	bomb := "<a>" + strings.Repeat(" ", 1<<24) + "</a>"
	for _, tc := range []struct {
		name   string
		query  func(t *testing.T) string
		reason string
		idp    bool // the event names the provider
	}{
		{"signed by another key", func(t *testing.T) string { return redirected(t, "SAMLRequest", good, "", otherKeys()) }, "signature is not valid", true},
		{"not signed", func(t *testing.T) string {
			s, _, _ := strings.Cut(redirected(t, "SAMLRequest", good, "", idpKeys()), "&SigAlg")
			return s
		}, "not signed", true},
		{"relay state added", func(t *testing.T) string { return redirected(t, "SAMLRequest", good, "", idpKeys()) + "&RelayState=x" }, "signature is not valid", true},
		{"SHA-1", func(t *testing.T) string {
			return strings.Replace(redirected(t, "SAMLRequest", good, "", idpKeys()), url.QueryEscape(sha256N), url.QueryEscape("http://www.w3.org/2000/09/xmldsig#rsa-sha1"), 1)
		}, "signature algorithm is not accepted", true},
		{"wrong destination", func(t *testing.T) string {
			return redirected(t, "SAMLRequest", logoutRequest("_1", idpEntity, acs, at(now), "ann"), "", idpKeys())
		}, "destination", true},
		{"old", func(t *testing.T) string {
			return redirected(t, "SAMLRequest", logoutRequest("_1", idpEntity, slo, at(now.Add(-5*time.Minute-time.Second)), "ann"), "", idpKeys())
		}, "not issued just now", true},
		{"of the future", func(t *testing.T) string {
			return redirected(t, "SAMLRequest", logoutRequest("_1", idpEntity, slo, at(now.Add(61*time.Second)), "ann"), "", idpKeys())
		}, "not issued just now", true},
		{"over", func(t *testing.T) string {
			return redirected(t, "SAMLRequest", strings.Replace(good, " Version", ` NotOnOrAfter="2026-11-20T11:59:00Z" Version`, 1), "", idpKeys())
		}, "expired", true},
		{"another issuer", func(t *testing.T) string {
			return redirected(t, "SAMLRequest", logoutRequest("_1", "urn:else", slo, at(now), "ann"), "", idpKeys())
		}, "issuer", false},
		{"response where a request belongs", func(t *testing.T) string {
			return redirected(t, "SAMLRequest", logoutResponse("_1", slo, "Success"), "", idpKeys())
		}, "not a logout message", true},
		{"nobody named", func(t *testing.T) string {
			return redirected(t, "SAMLRequest", logoutRequest("_1", idpEntity, slo, at(now), ""), "", idpKeys())
		}, "no name id", true},
		{"deflate bomb", func(t *testing.T) string { return redirected(t, "SAMLRequest", bomb, "", idpKeys()) }, "document is not acceptable", false},
		{"document type", func(t *testing.T) string { return redirected(t, "SAMLRequest", "<!DOCTYPE x>"+good, "", idpKeys()) }, "document is not acceptable", false},
		{"twice the same parameter", func(t *testing.T) string {
			return redirected(t, "SAMLRequest", good, "", idpKeys()) + "&SAMLRequest=x"
		}, "document is not acceptable", false},
		{"request and response", func(t *testing.T) string {
			return redirected(t, "SAMLRequest", good, "", idpKeys()) + "&SAMLResponse=x"
		}, "document is not acceptable", false},
		{"not deflated", func(*testing.T) string { return "SAMLRequest=" + url.QueryEscape(encode(good)) }, "document is not acceptable", false},
		{"nothing", func(*testing.T) string { return "" }, "document is not acceptable", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, withLogout)
			w.session("ann", "ann", "s-1")
			a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/slo?" + tc.query(t)})
			events := w.want(a, 400, "", "page: the logout message is not usable", audit.IDPSamlSingleLogoutNotSuccessful)
			want := `{"reason":"` + tc.reason + `"}`
			if tc.idp {
				want = `{"idp":"bank","reason":"` + tc.reason + `"}`
			}
			if events[0].Details != want {
				t.Errorf("details %s, want %s", events[0].Details, want)
			}
			if w.live("ann") != 1 {
				t.Error("the session has ended")
			}
		})
	}
}

func TestLogoutOfSomebodyWhoIsNotHere(t *testing.T) {
	w := newWorld(t, withLogout)
	w.session("bob", "bob", "s-3")
	query := redirected(t, "SAMLRequest", logoutRequest("_1", idpEntity, slo, at(w.Now()), "ann", "s-1"), "", idpKeys())
	a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/slo?" + query})
	events := w.want(a, http.StatusFound, a.Header.Get("Location"), "", audit.IDPSamlSingleLogoutUserNotFound)
	if events[0].Details != `{"idp":"bank"}` || w.live("bob") != 1 {
		t.Errorf("%+v", events[0])
	}
	u, _ := url.Parse(a.Header.Get("Location"))
	if got := text(t, inflated(t, u.Query().Get("SAMLResponse"))); !strings.Contains(got,
		`<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Requester"><samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:UnknownPrincipal"/></samlp:StatusCode>`) {
		t.Errorf("response %s", got)
	}
}
