package saml_test

import (
	"encoding/xml"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"testing"

	crewjam "github.com/crewjam/saml"
	"github.com/crewjam/saml/logger"

	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
)

// foreign is an identity provider that somebody else wrote.
type foreign struct {
	*crewjam.IdentityProvider
	ours *crewjam.EntityDescriptor
}

func (f *foreign) GetServiceProvider(_ *http.Request, id string) (*crewjam.EntityDescriptor, error) {
	if f.ours == nil || f.ours.EntityID != id {
		return nil, os.ErrNotExist
	}
	return f.ours, nil
}

func (f *foreign) GetSession(http.ResponseWriter, *http.Request, *crewjam.IdpAuthnRequest) *crewjam.Session {
	return &crewjam.Session{
		ID: "session", Index: "index-7", NameID: "ann", UserEmail: "ann@bank.example", UserGivenName: "Ann", Groups: []string{"a", "b"},
		CreateTime: crewjam.TimeNow(), ExpireTime: crewjam.TimeNow().Add(3600e9),
	}
}

// newForeign serves the provider on loopback.
func newForeign(t *testing.T, e *audittest.Env) (*foreign, string) {
	t.Helper()
	before := crewjam.TimeNow
	crewjam.TimeNow = e.Now
	t.Cleanup(func() { crewjam.TimeNow = before })
	f := &foreign{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.Handler().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	f.IdentityProvider = &crewjam.IdentityProvider{
		Key: idpKeys().key, Certificate: idpKeys().certificate, Logger: logger.DefaultLogger, ServiceProviderProvider: f, SessionProvider: f,
		MetadataURL: *at.JoinPath("/metadata"), SSOURL: *at.JoinPath("/sso"), SignatureMethod: "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
	}
	return f, server.URL
}

// TestForeignProvider: metadata, request and response understood by software that is not ours, encrypted and not.
func TestForeignProvider(t *testing.T) {
	for name, encrypts := range map[string]bool{"plain": false, "encrypted": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			f, at := newForeign(t, w.Env)
			w.doc.IdentityProviders[0].SAML = &settings.SAMLSection{EntityID: at + "/metadata", MetadataURL: at + "/metadata"}
			w.doc.IdentityProviders[0].AttributeMappings = []settings.AttributeMapping{{From: "givenName", To: "firstName"}}
			if encrypts {
				w.doc.SAML.EncryptAssertions = true
				w.doc.SAML.DecryptionKey, w.doc.SAML.DecryptionCertificate = ourSecrets().private(), ourSecrets().public()
			}
			w.Settings.Set(w.doc)
			ours := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/metadata"})
			f.ours = &crewjam.EntityDescriptor{}
			if err := xml.Unmarshal([]byte(ours.Body), f.ours); err != nil {
				t.Fatal(err)
			}
			a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/start?t=t1", Header: browser()})
			jar, _ := cookiejar.New(nil)
			answer, err := (&http.Client{Jar: jar}).Get(a.Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = answer.Body.Close() }()
			page, err := io.ReadAll(answer.Body)
			if err != nil || answer.StatusCode != http.StatusOK {
				t.Fatalf("%d %s %v", answer.StatusCode, page, err)
			}
			form := url.Values{}
			for _, name := range []string{"SAMLResponse", "RelayState"} {
				_, rest, _ := strings.Cut(string(page), `name="`+name+`" value="`)
				value, _, _ := strings.Cut(rest, `"`)
				form.Set(name, strings.ReplaceAll(value, "&#43;", "+"))
			}
			got := audittest.Do(t, w.handler, audittest.Request{Path: "/oauth/saml/acs", Form: form, Header: browser()})
			events := w.Events(t)
			if got.Header.Get("Location") != "/oauth/on?t=t1" || len(w.lobby.identified) != 1 {
				t.Fatalf("%d %v %v", got.Status, got.Header, events)
			}
			id := w.lobby.identified[0]
			if id.UserID != "ann" || id.ProviderSession != "index-7" || id.Attributes.Text("givenName") != "Ann" || !id.AuthTime.Equal(w.Now()) || len(events) != 0 {
				t.Errorf("identified %+v, events %v", id, events)
			}
		})
	}
}
