package saml_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// published is the address at which a provider describes itself.
type published struct {
	text  atomic.Value
	asked atomic.Int32
	down  atomic.Bool
}

func (p *published) serve(w http.ResponseWriter, _ *http.Request) {
	p.asked.Add(1)
	if p.down.Load() {
		http.Error(w, "down", http.StatusBadGateway)
		return
	}
	_, _ = w.Write([]byte(p.text.Load().(string)))
}

func newPublished(t *testing.T, text string) (*published, func(*settings.Document)) {
	p := &published{}
	p.text.Store(text)
	url := page(t, p.serve)
	return p, func(d *settings.Document) {
		d.IdentityProviders[0].SAML.Metadata, d.IdentityProviders[0].SAML.MetadataURL = "", url+"/metadata?key=1"
	}
}

// signIn goes through one sign-in with a key and tells whether it was believed.
func (w *world) signIn(t *testing.T, with keyPair) bool {
	t.Helper()
	const id = "t2"
	w.wait(id, nil)
	request := w.start(id)
	r := w.reply(request.SelectAttrValue("ID", ""))
	r.with = with
	return w.post(id, r.encoded(t)).Header.Get("Location") == "/oauth/on?t="+id
}

func TestMetadataAreFetchedAndKept(t *testing.T) {
	p, at := newPublished(t, idpMetadata("HTTP-Redirect", idpKeys()))
	w := newWorld(t, at)
	for range 3 {
		if !w.signIn(t, idpKeys()) {
			t.Fatal("not signed in")
		}
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	w.Clock.Advance(time.Hour)
	w.start("t1")
	if n := p.asked.Load(); n != 2 {
		t.Errorf("asked %d times after an hour", n)
	}
	p.down.Store(true) // what it said last counts
	w.Clock.Advance(24 * time.Hour)
	if !w.signIn(t, idpKeys()) {
		t.Error("not signed in while the address is down")
	}
	if codes := w.Codes(t); len(codes) != 0 {
		t.Errorf("events %v", codes)
	}
}

func TestNewKeyOfTheProviderIsNoticed(t *testing.T) {
	p, at := newPublished(t, idpMetadata("HTTP-Redirect", idpKeys()))
	w := newWorld(t, at)
	if !w.signIn(t, idpKeys()) {
		t.Fatal("not signed in")
	}
	p.text.Store(idpMetadata("HTTP-Redirect", nextIDPKeys()))
	if w.signIn(t, nextIDPKeys()) { // asked again at most once a minute
		t.Error("signed in with a key that could not be known")
	}
	w.Clock.Advance(time.Minute)
	if !w.signIn(t, nextIDPKeys()) {
		t.Error("not signed in with the new key")
	}
	if n := p.asked.Load(); n != 2 {
		t.Errorf("asked %d times", n)
	}
	for range 5 {
		if w.signIn(t, otherKeys()) {
			t.Error("signed in with nobody's key")
		}
	}
	if n := p.asked.Load(); n != 2 {
		t.Errorf("asked %d times: forged responses make requests", n)
	}
	if w.signIn(t, idpKeys()) {
		t.Error("signed in with the former key")
	}
}

func TestUnusableMetadata(t *testing.T) {
	good := idpMetadata("HTTP-Redirect", idpKeys())
	weak := newPair("weak", 1024)
	for _, tc := range []struct {
		name, text string
		ok         bool
	}{
		{"good", good, true},
		{"among others", `<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"><EntityDescriptor entityID="urn:else"/>` + good[strings.Index(good, "<EntityD"):] + `</EntitiesDescriptor>`, true},
		{"valid until tomorrow", strings.Replace(good, " entityID", ` validUntil="2026-11-21T12:00:00Z" entityID`, 1), true},
		{"valid until yesterday", strings.Replace(good, " entityID", ` validUntil="2026-11-19T12:00:00Z" entityID`, 1), false},
		{"another entity", strings.Replace(good, idpEntity, "urn:else", 1), false},
		{"no signing key", idpMetadata("HTTP-Redirect"), false},
		{"key for encryption alone", strings.Replace(good, `use="signing"`, `use="encryption"`, 1), false},
		{"weak key", idpMetadata("HTTP-Redirect", weak), false},
		{"no service that can be used", idpMetadata("SOAP", idpKeys()), false},
		{"address that runs", strings.Replace(good, idpSignOn, "javascript:alert(1)", 1), false},
		{"SAML 1.1", strings.Replace(good, `"urn:oasis:names:tc:SAML:2.0:protocol"`, `"urn:oasis:names:tc:SAML:1.1:protocol"`, 1), false},
		{"document type", strings.Replace(good, "<EntityD", "<!DOCTYPE x><EntityD", 1), false},
		{"a page", "<html><body>Log in</body></html>", false},
		{"nothing", "", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, at := newPublished(t, tc.text)
			w := newWorld(t, at)
			if tc.ok {
				if !w.signIn(t, idpKeys()) {
					t.Error("not signed in")
				}
				return
			}
			a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/start?t=t1", Header: browser()})
			events := w.want(a, http.StatusSeeOther, back("server_error", "the identity provider cannot be asked", ""), "", audit.IDPSamlLoginFailed)
			if events[0].Details != `{"idp":"bank","reason":"no metadata"}` {
				t.Errorf("details %s", events[0].Details)
			}
		})
	}
}

func TestMetadataThatNeverCameAreAskedForAgain(t *testing.T) {
	p, at := newPublished(t, idpMetadata("HTTP-Redirect", idpKeys()))
	p.down.Store(true)
	w := newWorld(t, at)
	ask := func(id string) string {
		w.wait(id, func(*store.Authorization) {})
		a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/start?t=" + id, Header: browser()})
		return a.Header.Get("Location")
	}
	failed := back("server_error", "the identity provider cannot be asked", "")
	for range 5 {
		if got := ask("t2"); got != failed {
			t.Errorf("location %s", got)
		}
	}
	if n := p.asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	p.down.Store(false)
	w.Clock.Advance(5 * time.Second)
	if got := ask("t2"); !strings.HasPrefix(got, idpSignOn) {
		t.Errorf("location %s", got)
	}
}
