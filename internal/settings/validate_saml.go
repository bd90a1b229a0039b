package settings

import (
	"crypto/rsa"
	"strings"
)

// samlServiceProvider checks this server's half of SAML.
func (c *checker) samlServiceProvider() {
	s := &c.d.SAML
	c.entityID("saml.entity_id", s.EntityID)
	c.between("saml.metadata_validity", s.MetadataDays, 1, maxDays)
	c.title("saml.organisation", s.Organisation)
	c.title("saml.support_contact", s.SupportContact)
	c.keyPair("saml", "signing", s.SigningKey, s.SigningCertificate)
	c.keyPair("saml", "decryption", s.DecryptionKey, s.DecryptionCertificate)
}

// entityID checks the name of a SAML party (SAML core §8.3.6); an empty one is no problem.
func (c *checker) entityID(path, id string) {
	const longest = 1024
	if len(id) > longest || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.add(path, "want at most %d printable ASCII characters without blanks", longest)
	}
}

// keyPair checks an RSA key and the certificate that goes with it: both or none.
func (c *checker) keyPair(path, use string, key Secret, text string) {
	if key.IsZero() != (text == "") {
		c.add(path, "%s_key and %s_certificate belong together: write both or none", use, use)
		return
	}
	if text == "" {
		return
	}
	certificate, err := ParseCertificate(text)
	if err != nil {
		c.add(path+"."+use+"_certificate", "%v", err)
	}
	if key.Empty() { // {redacted: true}: judged when it was stored
		return
	}
	private, keyErr := ParsePrivateKey(key.Reveal())
	pair, isRSA := private.(*rsa.PrivateKey)
	switch {
	case keyErr != nil:
		c.add(path+"."+use+"_key", "%v", keyErr)
	case !isRSA:
		c.add(path+"."+use+"_key", "want an RSA key")
	case err == nil && !pair.PublicKey.Equal(certificate.PublicKey):
		c.add(path+"."+use+"_certificate", "is of another key than %s_key", use)
	}
}

func (c *checker) samlSection(path string, p *IdentityProvider) {
	s := p.SAML
	if s.EntityID == "" {
		c.add(path+".entity_id", "is missing: want the one in the metadata of the provider")
	}
	c.entityID(path+".entity_id", s.EntityID)
	if (s.MetadataURL == "") == (s.Metadata == "") {
		c.add(path, "want metadata_url or metadata, one of them")
	}
	c.outboundURL(path+".metadata_url", s.MetadataURL)
	switch {
	case s.Metadata == "":
	case len(s.Metadata) > maxMetadata:
		c.add(path+".metadata", "has %d bytes: at most %d are allowed", len(s.Metadata), maxMetadata)
	case !strings.HasPrefix(strings.TrimSpace(s.Metadata), "<"):
		c.add(path+".metadata", "is no XML")
	}
	c.entityID(path+".authn_context", s.AuthnContext)
	if s.AuthnContextCompare != "" {
		oneOf(c, path+".authn_context_comparison", s.AuthnContextCompare, "exact", "minimum", "maximum", "better")
	}
	if s.AuthnContextCompare != "" && s.AuthnContext == "" {
		c.add(path+".authn_context_comparison", "needs an authn_context")
	}
	if !p.Disabled && !c.d.SAML.Enabled {
		c.add(path, "needs saml.enabled: true, or disabled: true")
	}
}
