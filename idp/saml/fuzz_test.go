package saml

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"
	"testing"
	"time"
)

// FuzzResponse: nothing that no key of the provider has signed is believed, and nothing makes the reader fall over.
func FuzzResponse(f *testing.F) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		f.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		f.Fatal(err)
	}
	const (
		open   = `<p:Response xmlns:p="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:a="urn:oasis:names:tc:SAML:2.0:assertion" xmlns:d="http://www.w3.org/2000/09/xmldsig#" ID="_r" Version="2.0" InResponseTo="_q" Destination="acs">`
		status = `<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>`
		sig    = `<d:Signature><d:SignedInfo><d:CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/><d:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"/>` +
			`<d:Reference URI="#_r"><d:Transforms><d:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/><d:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"/></d:Transforms>` +
			`<d:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"/><d:DigestValue>AA==</d:DigestValue></d:Reference></d:SignedInfo><d:SignatureValue>AA==</d:SignatureValue></d:Signature>`
		said = `<a:Assertion ID="_a" Version="2.0"><a:Issuer>idp</a:Issuer><a:Subject><a:NameID>ann</a:NameID></a:Subject></a:Assertion>`
		shut = `</p:Response>`
	)
	for _, seed := range []string{
		"", open + shut, open + status + said + shut, open + sig + status + said + shut, open + status + strings.Replace(said, "<a:Subject>", strings.Replace(sig, "#_r", "#_a", 1)+"<a:Subject>", 1) + shut,
		open + `<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Responder"/></p:Status>` + shut,
		open + status + `<a:EncryptedAssertion><e:EncryptedData xmlns:e="http://www.w3.org/2001/04/xmlenc#"/></a:EncryptedAssertion>` + shut,
		`<!DOCTYPE x [<!ENTITY y "z">]><x>&y;</x>`, `<?xml version="1.0" encoding="UTF-16"?><x/>`, "<a xmlns:b='c' b:ID='1' ID='2'/>",
	} {
		f.Add([]byte(seed))
	}
	x := expectation{
		issuer: "idp", audience: "us", acs: "acs", answers: func(id string) bool { return id == "_q" },
		certificates: []*x509.Certificate{certificate}, decryption: key, now: now, maxAge: -1,
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if said, err := x.read(base64.StdEncoding.EncodeToString(text)); err == nil {
			t.Errorf("believed %+v in %q", said, text)
		}
	})
}

// FuzzMetadata: metadata of a provider make the reader fall over in no way.
func FuzzMetadata(f *testing.F) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	f.Add([]byte(`<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="idp" validUntil="2027-01-01T00:00:00Z" cacheDuration="PT1H">` +
		`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor/><SingleSignOnService Binding="x" Location="y"/></IDPSSODescriptor></EntityDescriptor>`))
	f.Add([]byte(`<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata"><EntityDescriptor entityID="idp"/></EntitiesDescriptor>`))
	f.Fuzz(func(t *testing.T, text []byte) {
		if m, err := readMetadata(text, "idp", now); err == nil && (len(m.certificates) == 0 || m.signOn.location == "") {
			t.Errorf("usable without key or address: %q", text)
		}
	})
}

func TestDurations(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"PT1H": time.Hour, "P1D": 24 * time.Hour, "P1DT30M": 24*time.Hour + 30*time.Minute, "PT5M30S": 5*time.Minute + 30*time.Second,
		"": 0, "1H": 0, "P1M": 0, "P1Y": 0, "PTx": 0, "P": 0,
	} {
		if got, _ := duration(text); got != want {
			t.Errorf("%q is %s, want %s", text, got, want)
		}
	}
}
