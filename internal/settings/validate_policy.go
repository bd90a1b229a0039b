package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

var (
	scopeShape    = shape{regexp.MustCompile(`^[A-Za-z0-9_:.\-]{1,255}$`), "1 to 255 letters, digits, _ - : ."}
	policyShape   = shape{regexp.MustCompile(`^[^\x00-\x1f\x7f]{1,64}$`), "1 to 64 characters"}
	providerShape = shape{regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`), "1 to 64 letters, digits, _ -"}
	versionShape  = regexp.MustCompile(`^[0-9]{1,9}(\.[0-9]{1,9}){0,2}$`)
	languageShape = regexp.MustCompile(`^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$`)
)

const (
	maxUsageLimit    = 1_000_000
	maxDescription   = 1000
	minPINLength     = 5
	maxPINLength     = 32
	maxOSVersion     = 64
	maxTypeResends   = 100
	minTypeExpiresIn = 10
	maxTypeExpiresIn = 86400
)

func (c *checker) scopes() {
	c.unique("scopes", "id", len(c.d.Scopes), func(i int) string { return c.d.Scopes[i].ID })
	for i, s := range c.d.Scopes {
		path := fmt.Sprintf("scopes[%d]", i)
		c.identifier(path+".id", s.ID, scopeShape)
		c.between(path+".usage_limit", s.UsageLimit, 0, maxUsageLimit)
		c.between(path+".authentication_level", s.Level, 0, maxLevel)
		c.serviceEndpoint(path+".service_endpoint", s.ServiceEndpoint)
		c.pageURL(path+".verification_failed_endpoint", s.FailedEndpoint)
		c.texts(path+".descriptions", s.Descriptions, maxDescription)
	}
}

// texts checks a text for each language.
func (c *checker) texts(path string, texts map[string]string, longest int) {
	for _, language := range sortedKeys(texts) {
		if !languageShape.MatchString(language) {
			c.add(path, "%q is no language: want a code such as en, nl, de, fr or pt-BR", clip(language))
		}
		text := texts[language]
		switch {
		case text == "":
			c.add(path+"."+clip(language), "is empty: write a text or remove the language")
		case utf8.RuneCountInString(text) > longest:
			c.add(path+"."+clip(language), "has %d characters: at most %d are allowed", utf8.RuneCountInString(text), longest)
		case hasControls(text):
			c.add(path+"."+clip(language), "holds a control character or bytes that are not UTF-8")
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (c *checker) pinPolicies() {
	c.unique("pin_policies", "name", len(c.d.PINPolicies), func(i int) string { return c.d.PINPolicies[i].Name })
	var defaults []string
	for i, p := range c.d.PINPolicies {
		path := fmt.Sprintf("pin_policies[%d]", i)
		c.identifier(path+".name", p.Name, policyShape)
		c.between(path+".length", p.Length, minPINLength, maxPINLength)
		c.between(path+".max_similar_digits", p.MaxSimilarDigits, 1, max(p.Length, 1))
		c.distinct(path+".blocked_pins", p.BlockedPINs)
		for j, pin := range p.BlockedPINs {
			if pin != "" && (len(pin) != p.Length || strings.Trim(pin, "0123456789") != "") {
				c.add(fmt.Sprintf("%s.blocked_pins[%d]", path, j), "want exactly %d digits, in quotes", p.Length)
			}
		}
		if p.Default {
			defaults = append(defaults, path)
		}
	}
	switch {
	case len(defaults) == 0:
		c.add("pin_policies", "none is the default: set default: true on exactly one")
	case len(defaults) > 1:
		c.add("pin_policies", "%s are all the default: set default: true on exactly one", strings.Join(defaults, " and "))
	}
}

// providers checks what a client says about identity providers.
func (c *checker) providers(path, primary string, additional []string) {
	if primary != "" && c.names.IdentityProvider(primary) == nil {
		c.add(path+".identity_provider", "%q is not in identity_providers", clip(primary))
	}
	if primary == "" && len(additional) > 0 {
		c.add(path+".additional_identity_providers", "needs a primary one: set identity_provider")
	}
	c.distinct(path+".additional_identity_providers", additional)
	for i, id := range additional {
		if id != "" && c.names.IdentityProvider(id) == nil {
			c.add(fmt.Sprintf("%s.additional_identity_providers[%d]", path, i), "%q is not in identity_providers", clip(id))
		}
		if id != "" && id == primary {
			c.add(fmt.Sprintf("%s.additional_identity_providers[%d]", path, i), "%q is the primary one already: remove it here", clip(id))
		}
	}
}

func (c *checker) osRules() {
	c.unique("os_rules", "platform", len(c.d.OSRules), func(i int) string { return c.d.OSRules[i].Platform })
	for i, r := range c.d.OSRules {
		path := fmt.Sprintf("os_rules[%d]", i)
		oneOf(c, path+".platform", r.Platform, Android, IOS)
		if r.MinimumVersion != "" && !versionShape.MatchString(r.MinimumVersion) {
			c.add(path+".minimum_version", "%q is malformed: want up to three numbers with dots between, in quotes, such as \"14.2\"", clip(r.MinimumVersion))
		}
		c.distinct(path+".blocked_versions", r.BlockedVersions)
		for j, v := range r.BlockedVersions {
			if utf8.RuneCountInString(v) > maxOSVersion || hasControls(v) {
				c.add(fmt.Sprintf("%s.blocked_versions[%d]", path, j), "want at most %d printable characters", maxOSVersion)
			}
		}
		if r.MinimumVersion == "" && len(r.BlockedVersions) == 0 {
			c.add(path, "restricts nothing: set minimum_version or blocked_versions, or remove it")
		}
	}
}

var typeShape = shape{regexp.MustCompile(`^[A-Za-z0-9_.\-]{1,64}$`), "1 to 64 letters, digits, _ . -"}

// The methods of authentication that a type can have.
const (
	MethodPush        = "PUSH"
	MethodPushWithPIN = "PUSH_WITH_PIN"
)

func (c *checker) authenticationTypes() {
	c.unique("authentication_types", "name", len(c.d.AuthenticationTypes), func(i int) string { return c.d.AuthenticationTypes[i].Name })
	for i, t := range c.d.AuthenticationTypes {
		path := fmt.Sprintf("authentication_types[%d]", i)
		c.identifier(path+".name", t.Name, typeShape)
		oneOf(c, path+".method", t.Method, MethodPush, MethodPushWithPIN)
		c.between(path+".expires_in", t.ExpiresIn, minTypeExpiresIn, maxTypeExpiresIn)
		c.between(path+".max_resends", t.MaxResends, 0, maxTypeResends)
		c.texts(path+".default_messages", t.DefaultMessages, c.rules.MaxMessageLength)
	}
}
