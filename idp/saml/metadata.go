package saml

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// The bindings (SAML Bindings §3.4, §3.5).
const (
	bindingRedirect = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
	bindingPost     = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
)

// errMetadata is returned for metadata that say nothing usable about the identity provider.
var errMetadata = errors.New("metadata of the identity provider are not usable")

// metadata is what an identity provider says about itself (SAML Metadata §2.4.3).
type metadata struct {
	certificates []*x509.Certificate // of its signing keys; several while it changes them
	signOn       endpoint
	logout       endpoint // location "" = none
	validUntil   time.Time
	cacheFor     time.Duration // 0 = not said
}

// endpoint is where messages of one kind go.
type endpoint struct {
	binding  string
	location string
	answers  string // where answers go, when that is somewhere else
}

// readMetadata reads the description of one entity, alone or among others.
func readMetadata(text []byte, entityID string, now time.Time) (metadata, error) {
	root, err := parse(text, maxMetadata, true)
	if err != nil {
		return metadata{}, fmt.Errorf("%w: %w", errMetadata, err)
	}
	entity := findEntity(root, entityID)
	if entity == nil {
		return metadata{}, fmt.Errorf("%w: they do not describe the configured entity id", errMetadata)
	}
	var found *etree.Element
	for _, role := range children(entity, nsMetadata, "IDPSSODescriptor") {
		if strings.Contains(" "+attribute(role, "protocolSupportEnumeration")+" ", " "+nsProtocol+" ") {
			found = role
			break
		}
	}
	if found == nil {
		return metadata{}, fmt.Errorf("%w: no identity provider for SAML 2.0", errMetadata)
	}
	var m metadata
	for _, e := range []*etree.Element{root, entity, found} {
		if err := m.limit(e); err != nil {
			return metadata{}, err
		}
	}
	if !m.validUntil.IsZero() && !now.Before(m.validUntil) {
		return metadata{}, fmt.Errorf("%w: they have expired", errMetadata)
	}
	if m.certificates, err = signingCertificates(found); err != nil {
		return metadata{}, err
	}
	m.signOn = endpointOf(found, "SingleSignOnService")
	m.logout = endpointOf(found, "SingleLogoutService")
	if m.signOn.location == "" {
		return metadata{}, fmt.Errorf("%w: no single sign-on service by redirect or POST", errMetadata)
	}
	return m, nil
}

// findEntity looks for an entity by its id.
func findEntity(e *etree.Element, id string) *etree.Element {
	if is(e, nsMetadata, "EntityDescriptor") && attribute(e, "entityID") == id {
		return e
	}
	if !is(e, nsMetadata, "EntitiesDescriptor") {
		return nil
	}
	for _, child := range e.ChildElements() {
		if found := findEntity(child, id); found != nil {
			return found
		}
	}
	return nil
}

// limit takes in how long an element may be kept: the shortest of all counts.
func (m *metadata) limit(e *etree.Element) error {
	until, err := moment(e, "validUntil")
	if err != nil {
		return fmt.Errorf("%w: %w", errMetadata, err)
	}
	if !until.IsZero() && (m.validUntil.IsZero() || until.Before(m.validUntil)) {
		m.validUntil = until
	}
	if life := attribute(e, "cacheDuration"); life != "" {
		if d, ok := duration(life); ok && d > 0 && (m.cacheFor == 0 || d < m.cacheFor) {
			m.cacheFor = d
		}
	}
	return nil
}

// signingCertificates returns those of keys whose use is signing, or not said.
func signingCertificates(role *etree.Element) ([]*x509.Certificate, error) {
	var all []*x509.Certificate
	for _, key := range children(role, nsMetadata, "KeyDescriptor") {
		if use := attribute(key, "use"); use != "" && use != "signing" {
			continue
		}
		for _, data := range children(only(key, nsSignature, "KeyInfo"), nsSignature, "X509Data") {
			for _, e := range children(data, nsSignature, "X509Certificate") {
				text, _ := content(e)
				der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
				if err != nil {
					return nil, fmt.Errorf("%w: certificate: %w", errMetadata, err)
				}
				certificate, err := x509.ParseCertificate(der)
				if err != nil {
					return nil, fmt.Errorf("%w: certificate: %w", errMetadata, err)
				}
				if strongKey(certificate) {
					all = append(all, certificate)
				}
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("%w: no certificate of a signing key", errMetadata)
	}
	return all, nil
}

// strongKey tells whether signatures of a key can be trusted at all.
func strongKey(c *x509.Certificate) bool {
	const leastRSA = 2048 // bits
	switch key := c.PublicKey.(type) {
	case *rsa.PublicKey:
		return key.N.BitLen() >= leastRSA
	case *ecdsa.PublicKey:
		return true
	}
	return false
}

// endpointOf chooses redirect before POST: the address bar then shows where the user is going.
func endpointOf(role *etree.Element, service string) endpoint {
	for _, binding := range []string{bindingRedirect, bindingPost} {
		for _, e := range children(role, nsMetadata, service) {
			location := attribute(e, "Location")
			if attribute(e, "Binding") != binding || !webAddress(location) {
				continue
			}
			answers := attribute(e, "ResponseLocation")
			if !webAddress(answers) {
				answers = location
			}
			return endpoint{binding: binding, location: location, answers: answers}
		}
	}
	return endpoint{}
}

// webAddress keeps addresses out that a browser would execute.
func webAddress(location string) bool {
	u, err := url.Parse(location)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil && u.Fragment == ""
}

// duration reads an xs:duration of days, hours, minutes and seconds; months and years are no fixed time.
func duration(text string) (time.Duration, bool) {
	rest, ok := strings.CutPrefix(text, "P")
	if !ok {
		return 0, false
	}
	days, clock, _ := strings.Cut(rest, "T")
	var total time.Duration
	if days != "" {
		n, ok := strings.CutSuffix(days, "D")
		d, err := time.ParseDuration(n + "h")
		if !ok || err != nil {
			return 0, false
		}
		total = 24 * d
	}
	if clock != "" {
		d, err := time.ParseDuration(strings.ToLower(clock))
		if err != nil {
			return 0, false
		}
		total += d
	}
	return total, true
}

func sameCertificate(a, b *x509.Certificate) bool { return a.Equal(b) }
