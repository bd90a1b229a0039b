package saml

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/labstack/echo/v4"

	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
)

// defaultMetadataDays is how long our metadata hold.
const defaultMetadataDays = 1

// metadata answers with the description of this service provider (SAML Metadata §2.4.4), signed when there is a key. With
// an entity id for every client only the addresses that name one answer, else only the plain one. It leaves no event.
func (p *ServiceProvider) metadata(c echo.Context) error {
	s := p.Settings.Current()
	us, identifier := &s.Document.SAML, c.Param("identifier")
	known := identifier == ""
	if us.PerClient {
		known = s.Application(identifier) != nil || s.WebClient(identifier) != nil
	}
	if !us.Enabled || !known {
		return echo.ErrNotFound
	}
	e, err := p.description(us, identifier)
	if err != nil {
		return err
	}
	text, err := bytesOf(e)
	if err != nil {
		return err
	}
	web.NoStore(c)
	return c.Blob(http.StatusOK, "application/samlmetadata+xml", text)
}

func (p *ServiceProvider) description(us *settings.SAMLServiceProvider, identifier string) (*etree.Element, error) {
	days := us.MetadataDays
	if days == 0 {
		days = defaultMetadataDays
	}
	e := etree.NewElement("md:EntityDescriptor")
	for _, a := range [][2]string{
		{"xmlns:md", nsMetadata},
		{"xmlns:ds", nsSignature},
		{"ID", "_" + secret.NewChallenge()},
		{"entityID", p.entityID(us, identifier)},
		{"validUntil", stamp(p.Now().Add(time.Duration(days) * 24 * time.Hour))},
	} {
		e.CreateAttr(a[0], a[1])
	}
	role := element(e, "md:SPSSODescriptor", "AuthnRequestsSigned", "true", "WantAssertionsSigned", "true", "protocolSupportEnumeration", nsProtocol)
	signing, err := signingPair(us)
	signs := err == nil
	switch {
	case signs:
		showKey(role, "signing", signing)
	case !errors.Is(err, errNoKey):
		return nil, fmt.Errorf("describe service provider: signing: %w", err)
	}
	switch keys, err := decryptionPair(us); {
	case err == nil:
		shown := showKey(role, "encryption", keys)
		for _, method := range []string{aes256GCM, aes128GCM, oaep11, oaepMGF1P} {
			element(shown, "md:EncryptionMethod", "Algorithm", method)
		}
	case !errors.Is(err, errNoKey):
		return nil, fmt.Errorf("describe service provider: decryption: %w", err)
	}
	for _, binding := range []string{bindingRedirect, bindingPost} {
		element(role, "md:SingleLogoutService", "Binding", binding, "Location", p.slo())
	}
	element(role, "md:AssertionConsumerService", "Binding", bindingPost, "Location", p.acs(), "index", strconv.Itoa(0), "isDefault", "true")
	describePeople(e, us, p.Issuer)
	if !signs {
		return e, nil
	}
	return sign(e, signing.key, signing.certificate)
}

// showKey adds the public half of a key pair.
func showKey(role *etree.Element, use string, keys pair) *etree.Element {
	descriptor := element(role, "md:KeyDescriptor", "use", use)
	data := element(element(descriptor, "ds:KeyInfo"), "ds:X509Data")
	element(data, "ds:X509Certificate").SetText(base64.StdEncoding.EncodeToString(keys.certificate.Raw))
	return descriptor
}

// describePeople says who runs the service, and whom to ask.
func describePeople(e *etree.Element, us *settings.SAMLServiceProvider, address string) {
	if us.Organisation != "" {
		organisation := element(e, "md:Organization")
		element(organisation, "md:OrganizationName", "xml:lang", "en").SetText(us.Organisation)
		element(organisation, "md:OrganizationDisplayName", "xml:lang", "en").SetText(us.Organisation)
		element(organisation, "md:OrganizationURL", "xml:lang", "en").SetText(address)
	}
	if us.SupportContact == "" {
		return
	}
	contact := element(e, "md:ContactPerson", "contactType", "support")
	if strings.Contains(us.SupportContact, "@") {
		element(contact, "md:EmailAddress").SetText("mailto:" + strings.TrimPrefix(us.SupportContact, "mailto:"))
		return
	}
	element(contact, "md:GivenName").SetText(us.SupportContact)
}
