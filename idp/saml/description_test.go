package saml_test

import (
	"crypto/x509"
	"net/http"
	"regexp"
	"testing"

	dsig "github.com/russellhaering/goxmldsig"

	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
)

func TestDescriptions(t *testing.T) {
	perClient := func(d *settings.Document) { d.SAML.PerClient, d.SAML.EntityID = true, "oneginiTokenServerEntityId" }
	for _, tc := range []struct {
		name, path string
		doc        func(*settings.Document)
		status     int
		entityID   string
	}{
		{name: "plain", path: "/metadata", status: 200, entityID: ourEntity},
		{name: "name from the settings", path: "/metadata", doc: func(d *settings.Document) { d.SAML.EntityID = "urn:us" }, status: 200, entityID: "urn:us"},
		{name: "a client has none of its own", path: "/shop/metadata", status: 404},
		{name: "per client: plain", path: "/metadata", doc: perClient, status: 404},
		{name: "per client: client", path: "/shop/metadata", doc: perClient, status: 200, entityID: "oneginiTokenServerEntityId-shop"},
		{name: "per client: application", path: "/wallet/metadata", doc: perClient, status: 200, entityID: "oneginiTokenServerEntityId-wallet"},
		{name: "per client: nobody's", path: "/SHOP/metadata", doc: perClient, status: 404},
		{name: "disabled", path: "/metadata", doc: func(d *settings.Document) { d.SAML.Enabled = false }, status: 404},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, func(d *settings.Document) {
				d.Applications = []settings.Application{{ID: "wallet"}}
				if tc.doc != nil {
					tc.doc(d)
				}
			})
			a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml" + tc.path})
			w.want(a, tc.status, "", "*")
			if tc.status != 200 {
				return
			}
			if a.Header.Get("Content-Type") != "application/samlmetadata+xml" {
				t.Errorf("type %s", a.Header.Get("Content-Type"))
			}
			if got := element(t, a.Body).SelectAttrValue("entityID", ""); got != tc.entityID {
				t.Errorf("entity id %s", got)
			}
		})
	}
}

func TestDescriptionIsSignedAndWhole(t *testing.T) {
	w := newWorld(t, func(d *settings.Document) {
		d.SAML.DecryptionKey, d.SAML.DecryptionCertificate = ourSecrets().private(), ourSecrets().public()
		d.SAML.Organisation, d.SAML.SupportContact, d.SAML.MetadataDays = "Bank <Ltd>", "help@bank.example", 7
	})
	a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/metadata"})
	check := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{ourKeys().certificate}})
	check.Clock = dsig.NewFakeClockAt(w.Now())
	signed, err := check.Validate(element(t, a.Body))
	if err != nil {
		t.Fatalf("signature: %v", err)
	}
	got := text(t, without(signed))
	for _, cut := range []string{` ID="[^"]*"`, `<ds:X509Certificate>[^<]*</ds:X509Certificate>`} {
		got = regexp.MustCompile(cut).ReplaceAllString(got, "")
	}
	key := func(use, methods string) string {
		return `<md:KeyDescriptor use="` + use + `"><ds:KeyInfo xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:X509Data></ds:X509Data></ds:KeyInfo>` + methods + `</md:KeyDescriptor>`
	}
	methods := ""
	for _, m := range []string{
		"http://www.w3.org/2009/xmlenc11#aes256-gcm", "http://www.w3.org/2009/xmlenc11#aes128-gcm", "http://www.w3.org/2009/xmlenc11#rsa-oaep",
		"http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
	} {
		methods += `<md:EncryptionMethod Algorithm="` + m + `"></md:EncryptionMethod>`
	}
	want := `<md:EntityDescriptor xmlns:md="urn:oasis:names:tc:SAML:2.0:metadata" entityID="` + ourEntity + `" validUntil="2026-11-27T12:00:00Z">` +
		`<md:SPSSODescriptor AuthnRequestsSigned="true" WantAssertionsSigned="true" protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` +
		key("signing", "") + key("encryption", methods) +
		`<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="` + audittest.Issuer + `/saml/slo"></md:SingleLogoutService>` +
		`<md:SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="` + audittest.Issuer + `/saml/slo"></md:SingleLogoutService>` +
		`<md:AssertionConsumerService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST" Location="` + acs + `" index="0" isDefault="true"></md:AssertionConsumerService></md:SPSSODescriptor>` +
		`<md:Organization><md:OrganizationName xml:lang="en">Bank &lt;Ltd&gt;</md:OrganizationName><md:OrganizationDisplayName xml:lang="en">Bank &lt;Ltd&gt;</md:OrganizationDisplayName>` +
		`<md:OrganizationURL xml:lang="en">` + audittest.Issuer + `</md:OrganizationURL></md:Organization>` +
		`<md:ContactPerson contactType="support"><md:EmailAddress>mailto:help@bank.example</md:EmailAddress></md:ContactPerson></md:EntityDescriptor>`
	got = regexp.MustCompile(`<([A-Za-z0-9:]+)([^<>]*)/>`).ReplaceAllString(got, "<$1$2></$1>")
	if got != want {
		t.Errorf("metadata\n%s\nwant\n%s", got, want)
	}
}
