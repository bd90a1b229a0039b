package saml_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/labstack/echo/v4"
	dsig "github.com/russellhaering/goxmldsig"

	"tokenserver/audit"
	"tokenserver/idp/saml"
	"tokenserver/internal/audittest"
	"tokenserver/internal/outbound"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/sessions"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

const (
	idpEntity = "https://idp.example/saml"
	idpSignOn = "https://idp.example/sso"
	acs       = audittest.Issuer + "/saml/acs"
	ourEntity = audittest.Issuer + "/saml/metadata"
)

// keyPair is a key with its self-signed certificate.
type keyPair struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

func newPair(name string, bits int) keyPair {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		panic(err)
	}
	return keyPair{key, certificate}
}

// Keys take a while to make, so all tests share them.
var (
	idpKeys     = sync.OnceValue(func() keyPair { return newPair("idp", 2048) })
	nextIDPKeys = sync.OnceValue(func() keyPair { return newPair("idp, next", 2048) })
	otherKeys   = sync.OnceValue(func() keyPair { return newPair("somebody else", 2048) })
	ourKeys     = sync.OnceValue(func() keyPair { return newPair("service provider", 2048) })
	ourSecrets  = sync.OnceValue(func() keyPair { return newPair("service provider, encryption", 2048) })
)

func (k keyPair) private() settings.Secret {
	return settings.NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k.key)})))
}

func (k keyPair) public() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: k.certificate.Raw}))
}

// idpMetadata describes the identity provider with these keys.
func idpMetadata(binding string, keys ...keyPair) string {
	var shown strings.Builder
	for _, k := range keys {
		fmt.Fprintf(&shown, `<KeyDescriptor use="signing"><ds:KeyInfo><ds:X509Data><ds:X509Certificate>%s</ds:X509Certificate></ds:X509Data></ds:KeyInfo></KeyDescriptor>`,
			base64.StdEncoding.EncodeToString(k.certificate.Raw))
	}
	return `<?xml version="1.0" encoding="UTF-8"?><!-- ours --><EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" xmlns:ds="http://www.w3.org/2000/09/xmldsig#" entityID="` + idpEntity + `">` +
		`<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">` + shown.String() +
		`<SingleLogoutService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="https://idp.example/slo"/>` +
		`<SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:` + binding + `" Location="` + idpSignOn + `"/></IDPSSODescriptor></EntityDescriptor>`
}

// lobby is the authorization requests that wait for users, as far as identity providers know them.
type lobby struct {
	mu         sync.Mutex
	waiting    map[string]store.Authorization
	identified []store.Identity
	failed     []string // ids
	refuse     error    // what Identified says
	stay       bool     // a transaction waits on after Identified
}

func (l *lobby) Waiting(c echo.Context, id string) (store.Authorization, string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	a, ok := l.waiting[id]
	if !ok {
		return a, "", store.ErrNotFound
	}
	if cookie, err := c.Cookie("browser"); err != nil || cookie.Value != string(a.Browser) {
		return a, "", store.ErrRevoked
	}
	if !a.ExpiresAt.IsZero() {
		return a, "", store.ErrExpired
	}
	if a.State != store.AtProvider {
		return a, "", store.ErrConflict
	}
	return a, "The Client", nil
}

func (l *lobby) Identified(_ echo.Context, a store.Authorization, id store.Identity) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	l.identified = append(l.identified, id)
	if !l.stay {
		a.State = store.Identified
		l.waiting[a.ID] = a
	}
	return nil
}

// Fail tells the client as the authorization endpoint does.
func (l *lobby) Fail(c echo.Context, a store.Authorization, f outcome.Failure) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed = append(l.failed, a.ID)
	delete(l.waiting, a.ID)
	web.AnswerFailuresBy(c, func(c echo.Context, f outcome.Failure) error {
		answer := url.Values{"error": {f.Code.String()}, "error_description": {f.Text}}
		for _, m := range f.Members() {
			if text, ok := m.Value.(string); ok && strings.HasPrefix(m.Name, "onegini_") {
				answer.Set(m.Name, text)
			}
		}
		return c.Redirect(http.StatusSeeOther, "https://client.example/back?"+answer.Encode())
	})
	return f
}

func (l *lobby) GoOnURL(id string) string { return "/oauth/on?t=" + id }

func (l *lobby) ErrorPage(c echo.Context, f outcome.Failure) error {
	return c.String(f.Code.Status(), "page: "+f.Text)
}

// world is a service provider with one waiting transaction, "t1", at one browser.
type world struct {
	*audittest.Env
	t       *testing.T
	handler http.Handler
	lobby   *lobby
	doc     settings.Document

	sp       *saml.ServiceProvider
	sessions *sessions.Service
}

func newWorld(t *testing.T, change ...func(*settings.Document)) *world {
	t.Helper()
	e := audittest.New(t)
	set, err := pages.New(e.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{Env: e, t: t, lobby: &lobby{waiting: map[string]store.Authorization{}}}
	w.doc = settings.Document{
		SAML: settings.SAMLServiceProvider{Enabled: true, SigningKey: ourKeys().private(), SigningCertificate: ourKeys().public()},
		IdentityProviders: []settings.IdentityProvider{{
			ID: "bank", Type: settings.SAMLProvider,
			SAML: &settings.SAMLSection{EntityID: idpEntity, Metadata: idpMetadata("HTTP-Redirect", idpKeys())},
		}},
		WebClients: []settings.WebClient{{ID: "shop"}},
	}
	for _, f := range change {
		f(&w.doc)
	}
	e.Settings.Set(w.doc)
	w.sessions = newSessions(t, e)
	client := outbound.New(outbound.Config{AllowPrivate: outbound.Loopback()})
	sp := &saml.ServiceProvider{
		Audit: e.Recorder, Now: e.Now, Keys: e.Keys, Issuer: e.Issuer, Settings: e.Settings,
		Source: saml.NewSource(client, e.Now, e.Log), Once: e.Redis, Store: e.Store, Sessions: w.sessions, Journey: w.lobby, Pages: set,
	}
	w.sp = sp
	w.handler = e.Handler(sp.Routes)
	w.wait("t1", nil)
	return w
}

// wait adds a transaction.
func (w *world) wait(id string, change func(*store.Authorization)) {
	a := store.Authorization{
		ID: id, State: store.AtProvider, Browser: []byte("ann's"), ClientID: "shop", Provider: "bank", MaxAge: -1, Language: "en", CreatedAt: w.Now(),
	}
	if change != nil {
		change(&a)
	}
	w.lobby.waiting[id] = a
}

// browser is what every request of ann's browser carries.
func browser() http.Header { return http.Header{"Cookie": {"browser=ann's"}} }

// start goes to the identity provider and returns the request that arrives there.
func (w *world) start(id string) *etree.Element {
	w.t.Helper()
	a := audittest.Do(w.t, w.handler, audittest.Request{Method: http.MethodGet, Path: "/oauth/saml/start?t=" + id, Header: browser()})
	if a.Status != http.StatusFound {
		w.t.Fatalf("start: %d %s", a.Status, a.Body)
	}
	u, err := url.Parse(a.Header.Get("Location"))
	if err != nil {
		w.t.Fatal(err)
	}
	return inflated(w.t, u.Query().Get("SAMLRequest"))
}

// post sends a response to the assertion consumer service.
func (w *world) post(relayState, response string) audittest.Answer {
	w.t.Helper()
	return audittest.Do(w.t, w.handler, audittest.Request{
		Path: "/oauth/saml/acs", Header: browser(), Form: url.Values{"SAMLResponse": {response}, "RelayState": {relayState}},
	})
}

// reply is a response of the identity provider. The zero value of a field leaves the thing out.
type reply struct {
	id, assertionID                        string
	issuer, assertionIssuer                string
	destination, inResponseTo              string
	status, substatus, message             string
	nameID, recipient, confirmInResponseTo string
	notBefore, notOnOrAfter, confirmUntil  string
	audience                               string
	authnInstant, sessionIndex, class      string
	attributes                             string // XML
	noAssertion                            bool

	sign   string // "assertion", "response", "both", ""
	with   keyPair
	method string
}

func at(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// reply is a good response to a request.
func (w *world) reply(requestID string) reply {
	now := w.Now()
	return reply{
		id: "_response" + secretText(), assertionID: "_assertion" + secretText(), issuer: idpEntity, assertionIssuer: idpEntity,
		destination: acs, inResponseTo: requestID, status: "Success", nameID: "ann", recipient: acs, confirmInResponseTo: requestID,
		notBefore: at(now.Add(-time.Minute)), notOnOrAfter: at(now.Add(5 * time.Minute)), confirmUntil: at(now.Add(5 * time.Minute)),
		audience: ourEntity, authnInstant: at(now), sessionIndex: "s-1", class: "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport",
		sign: "assertion", with: idpKeys(), method: dsig.RSASHA256SignatureMethod,
	}
}

func secretText() string {
	random := make([]byte, 8)
	rand.Read(random)
	return fmt.Sprintf("%x", random)
}

func attr(name, value string) string {
	if value == "" {
		return ""
	}
	return " " + name + `="` + value + `"`
}

// assertion writes the assertion alone.
func (r reply) assertion() string {
	var b strings.Builder
	b.WriteString(`<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" IssueInstant="2026-11-20T12:00:00Z"` + attr("ID", r.assertionID) + `>`)
	b.WriteString(`<saml:Issuer>` + r.assertionIssuer + `</saml:Issuer><saml:Subject>`)
	if r.nameID != "" {
		b.WriteString(`<saml:NameID>` + r.nameID + `</saml:NameID>`)
	}
	b.WriteString(`<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData` +
		attr("Recipient", r.recipient) + attr("InResponseTo", r.confirmInResponseTo) + attr("NotOnOrAfter", r.confirmUntil) + `/></saml:SubjectConfirmation></saml:Subject>`)
	b.WriteString(`<saml:Conditions` + attr("NotBefore", r.notBefore) + attr("NotOnOrAfter", r.notOnOrAfter) + `>`)
	if r.audience != "" {
		b.WriteString(`<saml:AudienceRestriction><saml:Audience>` + r.audience + `</saml:Audience></saml:AudienceRestriction>`)
	}
	b.WriteString(`</saml:Conditions><saml:AuthnStatement` + attr("AuthnInstant", r.authnInstant) + attr("SessionIndex", r.sessionIndex) +
		`><saml:AuthnContext><saml:AuthnContextClassRef>` + r.class + `</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>`)
	if r.attributes != "" {
		b.WriteString(`<saml:AttributeStatement>` + r.attributes + `</saml:AttributeStatement>`)
	}
	b.WriteString(`</saml:Assertion>`)
	return b.String()
}

// document writes and signs the response.
func (r reply) document(t *testing.T) *etree.Element {
	t.Helper()
	response := element(t, `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" Version="2.0" IssueInstant="2026-11-20T12:00:00Z"`+
		attr("ID", r.id)+attr("Destination", r.destination)+attr("InResponseTo", r.inResponseTo)+`>`+issuerElement(r.issuer)+r.statusElement()+`</samlp:Response>`)
	if !r.noAssertion {
		a := element(t, r.assertion())
		if r.sign == "assertion" || r.sign == "both" {
			a = r.signed(t, a)
		}
		response.AddChild(a)
	}
	if r.sign == "response" || r.sign == "both" {
		response = r.signed(t, response)
	}
	return response
}

func issuerElement(name string) string {
	if name == "" {
		return ""
	}
	return `<saml:Issuer>` + name + `</saml:Issuer>`
}

func (r reply) statusElement() string {
	const prefix = "urn:oasis:names:tc:SAML:2.0:status:"
	inner := ""
	if r.substatus != "" {
		inner = `<samlp:StatusCode Value="` + prefix + r.substatus + `"/>`
	}
	message := ""
	if r.message != "" {
		message = `<samlp:StatusMessage>` + r.message + `</samlp:StatusMessage>`
	}
	return `<samlp:Status><samlp:StatusCode Value="` + prefix + r.status + `">` + inner + `</samlp:StatusCode>` + message + `</samlp:Status>`
}

// signed puts the signature behind the Issuer.
func (r reply) signed(t *testing.T, e *etree.Element) *etree.Element {
	t.Helper()
	ctx, err := dsig.NewSigningContext(r.with.key, [][]byte{r.with.certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	if err := ctx.SetSignatureMethod(r.method); err != nil {
		t.Fatal(err)
	}
	if r.method == dsig.RSASHA1SignatureMethod {
		ctx.Hash = crypto.SHA1
	}
	ctx.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signature, err := ctx.ConstructSignature(e, true)
	if err != nil {
		t.Fatal(err)
	}
	out := e.Copy()
	out.InsertChildAt(1, signature)
	return out
}

// encoded is the response as the browser carries it.
func (r reply) encoded(t *testing.T) string {
	t.Helper()
	return encode(text(t, r.document(t)))
}

func encode(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

func element(t *testing.T, s string) *etree.Element {
	t.Helper()
	doc := etree.NewDocument()
	if err := doc.ReadFromString(s); err != nil {
		t.Fatalf("%v in %s", err, s)
	}
	return doc.Root()
}

func text(t *testing.T, e *etree.Element) string {
	t.Helper()
	s, err := etree.NewDocumentWithRoot(e.Copy()).WriteToString()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// want compares an answer, where it leads and the whole list of events.
func (w *world) want(got audittest.Answer, status int, location, body string, codes ...audit.Code) []audittest.Event {
	w.t.Helper()
	if got.Status != status || got.Header.Get("Location") != location || body != "*" && got.Body != body {
		w.t.Errorf("%d %s %q\nwant %d %s %q", got.Status, got.Header.Get("Location"), got.Body, status, location, body)
	}
	events := w.Events(w.t)
	if len(events) != len(codes) {
		w.t.Fatalf("events %v, want %v", events, codes)
	}
	for i, e := range events {
		if e.Code != codes[i] {
			w.t.Errorf("event %s, want %s", e.Code, codes[i])
		}
	}
	return events
}

// page serves an identity provider's address on loopback.
func page(t *testing.T, serve http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(serve)
	t.Cleanup(server.Close)
	return server.URL
}
