package saml

import (
	"strings"
	"time"

	"github.com/beevik/etree"

	"tokenserver/store"
)

// levelPrefix begins the authentication context classes that ask for a level: urn:onegini.com:oidc:authentication_level:2,
// with an identification level behind it where one is wanted.
const levelPrefix = "urn:onegini.com:oidc:authentication_level:"

// nsParameters is the namespace of the extension that carries the parameters of the client to the identity provider.
const nsParameters = "urn:tokenserver:saml:parameters"

// authnRequest is what is asked of an identity provider (SAML Core §3.4.1).
type authnRequest struct {
	id, issuer, acs, destination string
	issued                       time.Time

	force, passive bool
	contexts       []string // authentication context classes; none = whatever it has
	comparison     string
	parameters     []parameter
}

// parameter is one of the client's for the identity provider, with its values.
type parameter struct {
	name   string
	values []string
}

// ask decides what to ask for, from the transaction and the settings of the provider.
func (x sides) ask(a store.Authorization) (r authnRequest, ok bool) {
	p := x.provider.SAML
	r = authnRequest{
		issuer: x.entityID,
		// When the user proved herself there last is not known here, so an age limit asks for a new proof.
		force: (a.ForceLogin || a.MaxAge >= 0) && !a.Silent, passive: a.Silent,
		comparison: p.AuthnContextCompare,
	}
	switch classes := strings.Fields(a.ACRValues); {
	case len(classes) == 1 && isLevel(classes[0]):
		r.contexts, r.comparison = classes, "minimum"
	case len(a.EssentialACR) > 0: // of the claims parameter; acr_values is the same then, unless both were sent
		r.contexts, r.comparison = a.EssentialACR, "exact"
	case len(classes) > 0:
		return r, false
	case p.AuthnContext != "":
		r.contexts = []string{p.AuthnContext}
	}
	if !p.SendExternalProviders {
		return r, true
	}
	if a.ExternalIDP != "" {
		r.contexts, r.comparison = append([]string{a.ExternalIDP}, r.contexts...), "exact"
	}
	r.parameters = parametersOf(a)
	return r, true
}

// isLevel tells whether a class asks for a level from 1 to 4.
func isLevel(class string) bool {
	_, ok := levelOf(class)
	return ok
}

// levelOf returns the level that an authentication context class stands for.
func levelOf(class string) (level string, ok bool) {
	rest, found := strings.CutPrefix(class, levelPrefix)
	level, identification, more := strings.Cut(rest, ":")
	if !found || !oneToFour(level) {
		return "", false
	}
	if more {
		second, isIdentification := strings.CutPrefix(identification, "identification_level:")
		if !isIdentification || !oneToFour(second) {
			return "", false
		}
	}
	return level, true
}

func oneToFour(s string) bool { return len(s) == 1 && s[0] >= '1' && s[0] <= '4' }

// document writes the request.
func (r authnRequest) document() *etree.Element {
	e := etree.NewElement("samlp:AuthnRequest")
	for _, a := range [][2]string{
		{"xmlns:samlp", nsProtocol},
		{"xmlns:saml", nsAssertion},
		{"ID", r.id},
		{"Version", "2.0"},
		{"IssueInstant", stamp(r.issued)},
		{"Destination", r.destination},
		{"ProtocolBinding", bindingPost},
		{"AssertionConsumerServiceURL", r.acs},
	} {
		e.CreateAttr(a[0], a[1])
	}
	if r.force {
		e.CreateAttr("ForceAuthn", "true")
	}
	if r.passive {
		e.CreateAttr("IsPassive", "true")
	}
	element(e, "saml:Issuer").SetText(r.issuer)
	if len(r.parameters) > 0 {
		all := element(element(e, "samlp:Extensions"), "ts:Parameters", "xmlns:ts", nsParameters)
		for _, p := range r.parameters {
			one := element(all, "ts:Parameter", "Name", p.name)
			for _, value := range p.values {
				element(one, "ts:Value").SetText(value)
			}
		}
	}
	element(e, "samlp:NameIDPolicy", "AllowCreate", "true")
	if len(r.contexts) > 0 {
		wanted := element(e, "samlp:RequestedAuthnContext")
		if r.comparison != "" {
			wanted.CreateAttr("Comparison", r.comparison)
		}
		for _, class := range r.contexts {
			element(wanted, "saml:AuthnContextClassRef").SetText(class)
		}
	}
	return e
}
