package saml_test

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"html"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// inflated reads a message of the redirect binding.
func inflated(t *testing.T, message string) *etree.Element {
	t.Helper()
	small, err := base64.StdEncoding.DecodeString(message)
	if err != nil {
		t.Fatal(err)
	}
	clear, err := io.ReadAll(flate.NewReader(bytes.NewReader(small)))
	if err != nil {
		t.Fatal(err)
	}
	return element(t, string(clear))
}

func TestStartByRedirectIsSigned(t *testing.T) {
	w := newWorld(t)
	a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/start?t=t1", Header: browser()})
	location := a.Header.Get("Location")
	w.want(a, http.StatusFound, location, "")
	signed, signature, found := strings.Cut(strings.TrimPrefix(location, idpSignOn+"?"), "&Signature=")
	if !found || !strings.HasPrefix(location, idpSignOn+"?SAMLRequest=") || !strings.Contains(signed, "&RelayState=t1&SigAlg=") {
		t.Fatalf("location %s", location)
	}
	proof, _ := url.QueryUnescape(signature)
	raw, err := base64.StdEncoding.DecodeString(proof)
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(signed))
	if err := rsa.VerifyPKCS1v15(&ourKeys().key.PublicKey, crypto.SHA256, digest[:], raw); err != nil {
		t.Errorf("signature: %v", err)
	}
	u, _ := url.Parse(location)
	got := text(t, inflated(t, u.Query().Get("SAMLRequest")))
	id := regexp.MustCompile(` ID="(_[0-9a-f]{96})"`).FindStringSubmatch(got)
	if len(id) != 2 {
		t.Fatalf("request %s", got)
	}
	want := `<samlp:AuthnRequest xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ID="` + id[1] +
		`" Version="2.0" IssueInstant="2026-11-20T12:00:00Z" Destination="` + idpSignOn + `" ProtocolBinding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"` +
		` AssertionConsumerServiceURL="` + acs + `"><saml:Issuer>` + ourEntity + `</saml:Issuer><samlp:NameIDPolicy AllowCreate="true"/></samlp:AuthnRequest>`
	if got != want {
		t.Errorf("request\n%s\nwant\n%s", got, want)
	}
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)

// fields returns the form of a page that posts itself.
func fields(page string) url.Values {
	form := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(page, -1) {
		form.Add(m[1], html.UnescapeString(m[2]))
	}
	return form
}

func TestStartByPostIsSigned(t *testing.T) {
	w := newWorld(t, func(d *settings.Document) { d.IdentityProviders[0].SAML.Metadata = idpMetadata("HTTP-POST", idpKeys()) })
	a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/start?t=t1", Header: browser()})
	w.want(a, http.StatusOK, "", "*")
	if !strings.Contains(a.Body, `action="`+idpSignOn+`"`) || !strings.Contains(a.Header.Get("Content-Security-Policy"), "form-action 'self' https://idp.example") {
		t.Errorf("%v %s", a.Header, a.Body)
	}
	form := fields(a.Body)
	clear, err := base64.StdEncoding.DecodeString(form.Get("SAMLRequest"))
	if err != nil || form.Get("RelayState") != "t1" {
		t.Fatalf("%v %v", form, err)
	}
	check := dsig.NewDefaultValidationContext(&dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{ourKeys().certificate}})
	check.Clock = dsig.NewFakeClockAt(w.Now())
	signed, err := check.Validate(element(t, string(clear)))
	if err != nil {
		t.Fatalf("signature: %v", err)
	}
	var order []string
	for _, child := range element(t, string(clear)).ChildElements() {
		order = append(order, child.Tag)
	}
	if got := strings.Join(order, " "); got != "Issuer Signature NameIDPolicy" || signed.SelectAttrValue("Destination", "") != idpSignOn {
		t.Errorf("children %s", got)
	}
}

func TestWhatIsAsked(t *testing.T) {
	const level2 = "urn:onegini.com:oidc:authentication_level:2"
	for _, tc := range []struct {
		name   string
		a      func(*store.Authorization)
		p      func(*settings.SAMLSection)
		want   []string
		absent []string
	}{
		{name: "nothing special", absent: []string{"ForceAuthn", "IsPassive", "RequestedAuthnContext", "Extensions"}},
		{name: "prompt=login", a: func(a *store.Authorization) { a.ForceLogin = true }, want: []string{`ForceAuthn="true"`}},
		{name: "max_age", a: func(a *store.Authorization) { a.MaxAge = 60 }, want: []string{`ForceAuthn="true"`}},
		{name: "prompt=none", a: func(a *store.Authorization) { a.Silent, a.MaxAge = true, 60 }, want: []string{`IsPassive="true"`}, absent: []string{"ForceAuthn"}},
		{
			name: "class of the settings", p: func(p *settings.SAMLSection) { p.AuthnContext, p.AuthnContextCompare = "urn:class", "better" },
			want: []string{`<samlp:RequestedAuthnContext Comparison="better"><saml:AuthnContextClassRef>urn:class</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`},
		},
		{
			name: "acr_values", a: func(a *store.Authorization) { a.ACRValues = level2 }, p: func(p *settings.SAMLSection) { p.AuthnContext = "urn:class" },
			want: []string{`<samlp:RequestedAuthnContext Comparison="minimum"><saml:AuthnContextClassRef>` + level2 + `</saml:AuthnContextClassRef></samlp:RequestedAuthnContext>`},
		},
		{
			name: "acr_values with an identification level", a: func(a *store.Authorization) { a.ACRValues = level2 + ":identification_level:3" },
			want: []string{level2 + ":identification_level:3</saml:AuthnContextClassRef>"},
		},
		{
			name: "essential acr", a: func(a *store.Authorization) { a.EssentialACR, a.ACRValues = []string{"urn:a", "urn:b"}, "urn:a urn:b" },
			want: []string{`Comparison="exact"><saml:AuthnContextClassRef>urn:a</saml:AuthnContextClassRef><saml:AuthnContextClassRef>urn:b</saml:AuthnContextClassRef>`},
		},
		{
			name: "central identity manager",
			a: func(a *store.Authorization) {
				a.ExternalIDP, a.AppView = "urn:com:onegini:saml:idp:eid", "mobile"
				a.ProviderParams = map[string][]string{"b": {"2"}, "a": {"1", "<x>"}}
			},
			p: func(p *settings.SAMLSection) { p.SendExternalProviders = true },
			want: []string{
				`<saml:AuthnContextClassRef>urn:com:onegini:saml:idp:eid</saml:AuthnContextClassRef>`,
				`<samlp:Extensions><ts:Parameters xmlns:ts="urn:tokenserver:saml:parameters"><ts:Parameter Name="app_view"><ts:Value>mobile</ts:Value></ts:Parameter>` +
					`<ts:Parameter Name="language"><ts:Value>en</ts:Value></ts:Parameter><ts:Parameter Name="custom.a"><ts:Value>1</ts:Value><ts:Value>&lt;x&gt;</ts:Value></ts:Parameter>` +
					`<ts:Parameter Name="custom.b"><ts:Value>2</ts:Value></ts:Parameter></ts:Parameters></samlp:Extensions>`,
			},
		},
		{
			name: "another provider is not told", a: func(a *store.Authorization) {
				a.ExternalIDP, a.ProviderParams = "urn:com:onegini:saml:idp:eid", map[string][]string{"a": {"1"}}
			}, absent: []string{"Extensions", "idp:eid"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t, func(d *settings.Document) {
				if tc.p != nil {
					tc.p(d.IdentityProviders[0].SAML)
				}
			})
			w.wait("t2", tc.a)
			request := w.start("t2")
			got := text(t, request)
			for _, want := range tc.want {
				if !strings.Contains(got, want) {
					t.Errorf("lacks %s:\n%s", want, got)
				}
			}
			for _, absent := range tc.absent {
				if strings.Contains(got, absent) {
					t.Errorf("has %s:\n%s", absent, got)
				}
			}
		})
	}
}

func TestStartFails(t *testing.T) {
	const (
		unasked = "https://client.example/back?error=server_error&error_description=the+identity+provider+cannot+be+asked"
		badACR  = "https://client.example/back?error=invalid_request&error_description=acr_values+names+no+authentication+level%2C+or+more+than+one"
	)
	for _, tc := range []struct {
		name     string
		doc      func(*settings.Document)
		a        func(*store.Authorization)
		id       string
		header   http.Header
		status   int
		location string
		body     string
		audit    audit.Code
		details  string
	}{
		{
			name: "no signing key", doc: func(d *settings.Document) { d.SAML.SigningKey = settings.Secret{} },
			status: 303, location: unasked, audit: audit.IDPSamlLoginMissingSamlSigningCredentials, details: `{"idp":"bank"}`,
		},
		{
			name: "key of another certificate", doc: func(d *settings.Document) { d.SAML.SigningCertificate = otherKeys().public() },
			status: 303, location: unasked, audit: audit.IDPSamlLoginMissingSamlSigningCredentials, details: `{"idp":"bank"}`,
		},
		{
			name: "service provider is disabled", doc: func(d *settings.Document) { d.SAML.Enabled = false },
			status: 303, location: unasked, audit: audit.IDPSamlLoginFailed, details: `{"idp":"bank","reason":"service provider is disabled"}`,
		},
		{
			name: "identity provider was disabled", doc: func(d *settings.Document) { d.IdentityProviders[0].Disabled = true },
			status: 303, location: unasked, audit: audit.IDPSamlLoginFailed, details: `{"idp":"bank","reason":"no longer enabled"}`,
		},
		{
			name: "metadata of somebody else", doc: func(d *settings.Document) { d.IdentityProviders[0].SAML.EntityID = "https://else.example" },
			status: 303, location: unasked, audit: audit.IDPSamlLoginFailed, details: `{"idp":"bank","reason":"no metadata"}`,
		},
		{
			name: "acr_values of another kind", a: func(a *store.Authorization) { a.ACRValues = "urn:mace:incommon:iap:silver" },
			status: 303, location: badACR, audit: audit.AuthzRequestInvalid, details: `{"idp":"bank"}`,
		},
		{
			name: "two acr_values", a: func(a *store.Authorization) {
				a.ACRValues = "urn:onegini.com:oidc:authentication_level:1 urn:onegini.com:oidc:authentication_level:2"
			},
			status: 303, location: badACR, audit: audit.AuthzRequestInvalid, details: `{"idp":"bank"}`,
		},
		{
			name: "level out of range", a: func(a *store.Authorization) { a.ACRValues = "urn:onegini.com:oidc:authentication_level:5" },
			status: 303, location: badACR, audit: audit.AuthzRequestInvalid, details: `{"idp":"bank"}`,
		},
		{
			name: "no such transaction", id: "t9", status: 400, body: "page: the sign-in has ended",
			audit: audit.IDPSamlLoginTransactionNotFound, details: `{"reason":"no transaction"}`,
		},
		{
			name: "expired", a: func(a *store.Authorization) { a.ExpiresAt = a.CreatedAt }, status: 400, body: "page: the sign-in has ended",
			audit: audit.IDPSamlLoginTransactionNotFound, details: `{"reason":"transaction expired"}`,
		},
		{
			name: "another browser", header: http.Header{"Cookie": {"browser=bob's"}}, status: 400, body: "page: the sign-in belongs to another browser, or to none",
			audit: audit.IDPSamlLoginTransactionIDMissing, details: `{"reason":"another browser"}`,
		},
		{
			name: "user is known already", a: func(a *store.Authorization) { a.State = store.Identified }, status: 302, location: "/oauth/on?t=t2",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			w := newWorld(t)
			if tc.doc != nil {
				tc.doc(&w.doc)
				w.Settings.Set(w.doc)
			}
			w.wait("t2", tc.a)
			if tc.id == "" {
				tc.id = "t2"
			}
			if tc.header == nil {
				tc.header = browser()
			}
			a := audittest.Do(t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/start?t=" + tc.id, Header: tc.header})
			var codes []audit.Code
			if tc.audit != "" {
				codes = append(codes, tc.audit)
			}
			events := w.want(a, tc.status, tc.location, tc.body, codes...)
			if len(events) == 1 && events[0].Details != tc.details {
				t.Errorf("details %s, want %s", events[0].Details, tc.details)
			}
		})
	}
}
