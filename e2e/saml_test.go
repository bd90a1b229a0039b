package e2e_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"html"
	"io"
	"math/big"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	crewjam "github.com/crewjam/saml"
	"github.com/crewjam/saml/logger"
	dsig "github.com/russellhaering/goxmldsig"
)

// federation is a SAML identity provider that somebody else wrote, on loopback.
type federation struct {
	crewjam.IdentityProvider
	ours *crewjam.EntityDescriptor // what our server says about itself
	user string                    // who sits there
}

// keyAndCertificate makes a key pair for signing messages.
func keyAndCertificate(t *testing.T) (*rsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "e2e"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, certificate
}

func newFederation(t *testing.T) *federation {
	t.Helper()
	f := &federation{user: "kim"}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.Handler().ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	at, err := url.Parse(server.URL + "/")
	if err != nil {
		t.Fatal(err)
	}
	key, certificate := keyAndCertificate(t)
	f.IdentityProvider = crewjam.IdentityProvider{
		Key: key, Certificate: certificate, Logger: logger.DefaultLogger, ServiceProviderProvider: f, SessionProvider: f,
		MetadataURL: *at.JoinPath("metadata"), SSOURL: *at.JoinPath("sso"), LogoutURL: *at.JoinPath("slo"), SignatureMethod: dsig.RSASHA256SignatureMethod,
	}
	return f
}

// GetServiceProvider implements the library's ServiceProviderProvider.
func (f *federation) GetServiceProvider(_ *http.Request, id string) (*crewjam.EntityDescriptor, error) {
	if f.ours == nil || f.ours.EntityID != id {
		return nil, os.ErrNotExist
	}
	return f.ours, nil
}

// GetSession implements the library's SessionProvider.
func (f *federation) GetSession(http.ResponseWriter, *http.Request, *crewjam.IdpAuthnRequest) *crewjam.Session {
	return &crewjam.Session{
		ID: "session-of-" + f.user, Index: "index-of-" + f.user, NameID: f.user, UserEmail: f.user + "@bank.example", UserGivenName: "Kim",
		CreateTime: time.Now(), ExpireTime: time.Now().Add(time.Hour),
	}
}

// settings is the part of the settings that makes our server its service provider.
func (f *federation) settings(t *testing.T, w *world) func(object) {
	t.Helper()
	described, err := xml.Marshal(f.Metadata())
	if err != nil {
		t.Fatal(err)
	}
	key, certificate := keyAndCertificate(t)
	return func(document object) {
		document["saml"] = object{
			"enabled":             true,
			"signing_key":         string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
			"signing_certificate": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw})),
		}
		document["identity_providers"] = append(document["identity_providers"].([]object), object{
			"id": "bank", "name": "Bank", "type": "SAML",
			"attribute_mappings": []object{{"from": "givenName", "to": "firstName"}},
			"saml":               object{"entity_id": f.MetadataURL.String(), "metadata": string(described), "single_logout": true},
		})
		document["web_clients"] = append(document["web_clients"].([]object), object{
			"client_id": "web-saml", "client_secret": w.secret, "grant_types": []string{"AUTHORIZATION_CODE"}, "redirect_urls": []string{webAddress},
			"default_scopes": []string{"openid"}, "identity_provider": "bank", "skip_consent": true,
		})
	}
}

// surfer is a person with a browser: it keeps cookies and follows nothing by itself.
type surfer struct {
	*actor
	http *http.Client
}

func newSurfer(t *testing.T, a *actor) *surfer {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := a.client()
	client.Jar = jar
	return &surfer{a, client}
}

// visit sends a GET, or a POST when there is a form, and returns where it leads and the page.
func (s *surfer) visit(ctx context.Context, client *http.Client, address string, form url.Values) (status int, location *url.URL, page string) {
	s.t.Helper()
	base, err := url.Parse(s.d.base)
	if err != nil {
		s.t.Fatal(err)
	}
	target, err := base.Parse(address)
	if err != nil {
		s.t.Fatal(err)
	}
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	request, err := http.NewRequestWithContext(ctx, method, target.String(), body)
	if err != nil {
		s.t.Fatal(err)
	}
	if form != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	response, err := client.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if next := response.Header.Get("Location"); next != "" {
		if location, err = target.Parse(next); err != nil {
			s.t.Fatal(err)
		}
	}
	return response.StatusCode, location, string(text)
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

// atProvider begins a sign-in and returns the form with which the identity provider sends the person back.
func (s *surfer) atProvider(ctx context.Context) url.Values {
	s.t.Helper()
	query := url.Values{
		"response_type": {"code"}, "client_id": {"web-saml"}, "redirect_uri": {webAddress}, "scope": {"openid"}, "state": {"s"}, "nonce": {"n"},
	}
	_, start, _ := s.visit(ctx, s.http, s.d.base+"/v1/authorize?"+query.Encode(), nil)
	if start == nil || !strings.HasSuffix(start.Path, "/saml/start") {
		s.t.Fatalf("authorize leads to %v", start)
	}
	_, provider, _ := s.visit(ctx, s.http, start.String(), nil)
	if provider == nil {
		s.t.Fatal("the way to the identity provider leads nowhere")
	}
	_, _, page := s.visit(ctx, http.DefaultClient, provider.String(), nil)
	form := fieldsOf(page)
	if form.Get("SAMLResponse") == "" {
		s.t.Fatalf("the identity provider shows %s", page)
	}
	return form
}

func fieldsOf(page string) url.Values {
	form := url.Values{}
	for _, m := range hiddenField.FindAllStringSubmatch(page, -1) {
		form.Set(m[1], html.UnescapeString(m[2]))
	}
	return form
}

// back posts the provider's form as browsers do: without cookies at first, because it comes from another site, and then
// again from the page of ours that is the answer. It returns where the browser ends up.
func (s *surfer) back(ctx context.Context, form url.Values) *url.URL {
	s.t.Helper()
	acs := s.d.base + "/saml/acs"
	status, _, page := s.visit(ctx, s.client(), acs, form)
	if status != http.StatusOK {
		s.t.Fatalf("first post: %d %s", status, page)
	}
	_, next, page := s.visit(ctx, s.http, acs, fieldsOf(page))
	for next != nil && strings.HasPrefix(next.String(), s.d.base) {
		_, next, page = s.visit(ctx, s.http, next.String(), nil)
	}
	if next == nil {
		s.t.Fatalf("ended at %s", page)
	}
	return next
}

// redeemed is the subject of the ID token for a code.
func (s *surfer) redeemed(ctx context.Context, code string) string {
	s.t.Helper()
	got, err := s.try(ctx, request{
		path: "/v1/token", basic: []string{"web-saml", s.d.world.secret},
		form: url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {webAddress}},
	})
	if err != nil {
		s.t.Fatal(err)
	}
	parts := strings.Split(got.member("id_token"), ".")
	if got.status != http.StatusOK || len(parts) != 3 {
		s.t.Fatalf("token: %d %s", got.status, got.body)
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		s.t.Fatal(err)
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	if err := json.Unmarshal(text, &claims); err != nil {
		s.t.Fatal(err)
	}
	return claims.Subject
}

// TestSAML signs people in through a SAML identity provider: the right way, the wrong ways, and out again.
func TestSAML(t *testing.T) {
	t.Parallel()
	d := own(t, startEmbedded)
	f := newFederation(t)
	d.apply(t, f.settings(t, d.world))
	a := newActor(t, d)
	s := newSurfer(t, a)
	ctx, deadline := t.Context(), time.Now().Add(spreadTime)
	var described string
	for status := 0; status != http.StatusOK; time.Sleep(pollEvery) {
		if status, _, described = s.visit(ctx, s.http, d.base+"/saml/metadata", nil); time.Now().After(deadline) {
			t.Fatalf("metadata: %d %s", status, described)
		}
	}
	f.ours = &crewjam.EntityDescriptor{}
	if err := xml.Unmarshal([]byte(described), f.ours); err != nil {
		t.Fatal(err)
	}

	a.step("signed in", "AUTHZ_REQUEST_GRANT_CREATED TOKEN_REQUEST_ACCESS_TOKEN_CREATED", func(ctx context.Context) error {
		end := s.back(ctx, s.atProvider(ctx))
		if got := s.redeemed(ctx, end.Query().Get("code")); got != "kim" || end.Query().Get("state") != "s" {
			return fmt.Errorf("subject %s at %s", got, end)
		}
		return nil
	})
	a.step("silently, because there is a session", "AUTHZ_REQUEST_GRANT_CREATED", func(ctx context.Context) error {
		if end := s.silently(ctx); end == nil || end.Query().Get("code") == "" {
			return fmt.Errorf("leads to %v", end)
		}
		return nil
	})
	a.step("response changed on the way", "IDP_SAML_LOGIN_FAILED", func(ctx context.Context) error {
		other := newSurfer(t, a)
		form := other.atProvider(ctx)
		text, err := base64.StdEncoding.DecodeString(form.Get("SAMLResponse"))
		if err != nil {
			return err
		}
		form.Set("SAMLResponse", base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(string(text), ">kim<", ">lou<"))))
		query := other.back(ctx, form).Query()
		if query.Get("error") != "server_error" || query.Get("onegini_saml_error") != "urn:oasis:names:tc:SAML:2.0:status:Responder" {
			return fmt.Errorf("answer %v", query)
		}
		return nil
	})
	a.step("response for the sign-in of somebody else", "IDP_SAML_LOGIN_TRANSACTION_ID_MISSING", func(ctx context.Context) error {
		victim, attacker := newSurfer(t, a), newSurfer(t, a)
		form := attacker.atProvider(ctx)
		form.Set("again", "1")
		status, _, page := victim.visit(ctx, victim.http, d.base+"/saml/acs", form)
		if status != http.StatusBadRequest {
			return fmt.Errorf("%d %s", status, page)
		}
		return nil
	})
	a.step("a built-in account keeps its user id", "IDP_USER_REFUSED", func(ctx context.Context) error {
		f.user = "u-lou"
		defer func() { f.user = "kim" }()
		other := newSurfer(t, a)
		if query := other.back(ctx, other.atProvider(ctx)).Query(); query.Get("error") != "access_denied" {
			return fmt.Errorf("answer %v", query)
		}
		return nil
	})
	a.step("signed out by the provider", "IDP_SAML_SINGLE_LOGOUT_SUCCESS", func(ctx context.Context) error {
		_, location, page := s.visit(ctx, s.client(), d.base+"/saml/slo", f.logoutRequest(t, d.base+"/saml/slo"))
		if location == nil || !strings.HasPrefix(location.String(), f.LogoutURL.String()+"?SAMLResponse=") {
			return fmt.Errorf("leads to %v: %s", location, page)
		}
		return nil
	})
	a.step("silently, when the provider has nobody signed in either", "AUTHN_REQUEST_LOGIN_REQUIRED", func(ctx context.Context) error {
		start := s.silently(ctx)
		if start == nil || !strings.HasSuffix(start.Path, "/saml/start") {
			return fmt.Errorf("leads to %v", start)
		}
		_, provider, _ := s.visit(ctx, s.http, start.String(), nil)
		query := s.back(ctx, f.noPassive(t, provider.Query(), d.base+"/saml/acs")).Query()
		if query.Get("error") != "login_required" || query.Get("onegini_saml_error") != "urn:oasis:names:tc:SAML:2.0:status:NoPassive" {
			return fmt.Errorf("answer %v", query)
		}
		return nil
	})
}

// silently asks for an answer without pages and returns where that leads.
func (s *surfer) silently(ctx context.Context) *url.URL {
	s.t.Helper()
	query := url.Values{
		"response_type": {"code"}, "client_id": {"web-saml"}, "redirect_uri": {webAddress}, "scope": {"openid"}, "prompt": {"none"},
	}
	_, end, _ := s.visit(ctx, s.http, s.d.base+"/v1/authorize?"+query.Encode(), nil)
	return end
}

// samlNames are the namespaces of the messages that are written here by hand.
const samlNames = ` xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"`

// logoutRequest is the form with which the provider asks to sign kim out.
func (f *federation) logoutRequest(t *testing.T, to string) url.Values {
	t.Helper()
	doc := etree.NewDocument()
	err := doc.ReadFromString(`<samlp:LogoutRequest` + samlNames + ` ID="_` + randomHex(16) + `" Version="2.0" IssueInstant="` + time.Now().UTC().Format(time.RFC3339) +
		`" Destination="` + to + `"><saml:Issuer>` + f.MetadataURL.String() + `</saml:Issuer><saml:NameID>kim</saml:NameID></samlp:LogoutRequest>`)
	if err != nil {
		t.Fatal(err)
	}
	signing, err := dsig.NewSigningContext(f.Key.(*rsa.PrivateKey), [][]byte{f.Certificate.Raw})
	if err != nil {
		t.Fatal(err)
	}
	signing.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signed, err := signing.SignEnveloped(doc.Root())
	if err != nil {
		t.Fatal(err)
	}
	text, err := etree.NewDocumentWithRoot(signed).WriteToBytes()
	if err != nil {
		t.Fatal(err)
	}
	return url.Values{"SAMLRequest": {base64.StdEncoding.EncodeToString(text)}}
}

// noPassive is the form with which the provider says that nobody is signed in. The request must have asked for silence.
func (f *federation) noPassive(t *testing.T, query url.Values, to string) url.Values {
	t.Helper()
	small, err := base64.StdEncoding.DecodeString(query.Get("SAMLRequest"))
	if err != nil {
		t.Fatal(err)
	}
	asked := etree.NewDocument()
	if _, err := asked.ReadFrom(flate.NewReader(bytes.NewReader(small))); err != nil {
		t.Fatal(err)
	}
	if asked.Root().SelectAttrValue("IsPassive", "") != "true" {
		t.Error("the request is not passive")
	}
	const status = "urn:oasis:names:tc:SAML:2.0:status:"
	text := `<samlp:Response` + samlNames + ` ID="_` + randomHex(16) + `" Version="2.0" IssueInstant="` + time.Now().UTC().Format(time.RFC3339) +
		`" Destination="` + to + `" InResponseTo="` + asked.Root().SelectAttrValue("ID", "") + `"><saml:Issuer>` + f.MetadataURL.String() + `</saml:Issuer>` +
		`<samlp:Status><samlp:StatusCode Value="` + status + `Responder"><samlp:StatusCode Value="` + status + `NoPassive"/></samlp:StatusCode></samlp:Status></samlp:Response>`
	return url.Values{"SAMLResponse": {base64.StdEncoding.EncodeToString([]byte(text))}, "RelayState": {query.Get("RelayState")}}
}
