package saml

import (
	"strings"
	"time"

	"github.com/beevik/etree"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

// assertion is what an identity provider says about the user, after all checks.
type assertion struct {
	id    string
	until time.Time // it may not be used from then on

	nameID       nameID
	sessionIndex string
	context      string // AuthnContextClassRef
	authTime     time.Time
	attributes   []samlAttribute
}

// nameID is how the provider calls the user; its parts are repeated in a logout request.
type nameID struct {
	Value           string `json:"value"`
	Format          string `json:"format,omitempty"`
	NameQualifier   string `json:"name_qualifier,omitempty"`
	SPNameQualifier string `json:"sp_name_qualifier,omitempty"`
}

// samlAttribute is one attribute with its values, in order.
type samlAttribute struct {
	name, friendly string
	values         []any
}

// statements reads who the user is, and how and when she proved it.
func (x expectation) statements(e *etree.Element) (assertion, error) {
	var a assertion
	if name := only(only(e, nsAssertion, "Subject"), nsAssertion, "NameID"); name != nil {
		text, ok := exact(name)
		if !ok {
			return assertion{}, refusal("name id is no text")
		}
		a.nameID = nameID{
			Value: text, Format: attribute(name, "Format"), NameQualifier: attribute(name, "NameQualifier"),
			SPNameQualifier: attribute(name, "SPNameQualifier"),
		}
	}
	authn := only(e, nsAssertion, "AuthnStatement")
	if authn == nil {
		return assertion{}, refusal("not exactly one authentication statement")
	}
	ends, err := moment(authn, "SessionNotOnOrAfter")
	if err != nil {
		return assertion{}, err
	}
	if err := x.within(time.Time{}, ends); err != nil {
		return assertion{}, err
	}
	if a.authTime, err = moment(authn, "AuthnInstant"); err != nil {
		return assertion{}, err
	}
	if err := x.checkAge(a.authTime); err != nil {
		return assertion{}, err
	}
	a.sessionIndex = attribute(authn, "SessionIndex")
	a.context, _ = content(only(only(authn, nsAssertion, "AuthnContext"), nsAssertion, "AuthnContextClassRef"))
	for _, statement := range children(e, nsAssertion, "AttributeStatement") {
		for _, attr := range children(statement, nsAssertion, "Attribute") {
			read, err := readAttribute(attr)
			if err != nil {
				return assertion{}, err
			}
			a.attributes = append(a.attributes, read)
		}
	}
	return a, nil
}

// checkAge checks when the user proved herself. A provider that ignores ForceAuthn must not pass for one that obeyed.
func (x expectation) checkAge(authTime time.Time) error {
	switch {
	case authTime.IsZero():
		return refusal("no time of authentication")
	case authTime.After(x.now.Add(clockSkew)):
		return refusal("not yet valid")
	case authTime.Add(clockSkew).Before(x.notBefore):
		return refusedStale
	case x.maxAge >= 0 && authTime.Add(x.maxAge).Add(clockSkew).Before(x.now):
		return refusedStale
	}
	return nil
}

// readAttribute reads values that are texts; others, such as XML, are left out.
func readAttribute(e *etree.Element) (samlAttribute, error) {
	a := samlAttribute{name: attribute(e, "Name"), friendly: attribute(e, "FriendlyName")}
	if a.name == "" {
		return a, refusal("attribute without name")
	}
	for _, value := range children(e, nsAssertion, "AttributeValue") {
		if text, ok := exact(value); ok && strings.TrimSpace(text) != "" {
			a.values = append(a.values, text)
		}
	}
	return a, nil
}

// byName returns the attributes under their names and, where the settings ask for one, under their friendly names: a
// text, or a list when there are several values. A name always wins over a friendly name.
func (a assertion) byName(p *settings.IdentityProvider) store.Attributes {
	all := store.Attributes{}
	put := func(name string, values []any) {
		switch {
		case name == "" || len(values) == 0:
		case len(values) == 1:
			all[name] = values[0]
		default:
			all[name] = values
		}
	}
	for _, m := range p.AttributeMappings {
		for _, attr := range a.attributes {
			if attr.friendly == m.From {
				put(attr.friendly, attr.values)
			}
		}
	}
	for _, attr := range a.attributes {
		put(attr.name, attr.values)
	}
	return all
}

// mapped returns what a provider calls the attribute that is called name here.
func mapped(p *settings.IdentityProvider, name string) (from string, found bool) {
	for _, m := range p.AttributeMappings {
		if m.To == name {
			return m.From, true
		}
	}
	return name, false
}
