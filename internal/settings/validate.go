package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Rules are the parts of validation that the process configuration decides. The zero value suits tests and tools.
type Rules struct {
	Production         bool     // refuses development mode and plain-http callbacks
	AllowHTTPCallbacks bool     // test installations only
	MaxMessageLength   int      // of default messages, in Unicode code points; 0 = 155
	TemplateSets       []string // that clients may choose; nil = not known, any will do
}

const usualMessageLength = 155

// Limits of lifetimes, in seconds, and of lists and texts.
const (
	maxAccessGrantLife = 60
	maxTokenLife       = 24 * 3600
	maxLongLife        = 10 * 366 * 24 * 3600
	maxList            = 1000
	maxName            = 255
)

// The platforms.
const (
	Android = "android"
	IOS     = "ios"
)

// Validate names every problem of a document at once, under the zero Rules. Errors: *Invalid.
func (d Document) Validate() error { return Rules{}.Validate(d) }

// Validate is Document.Validate under these rules.
func (r Rules) Validate(d Document) error { return r.check(d.Complete()).err() }

// checker collects what is wrong with one complete document.
type checker struct {
	problems
	rules Rules
	d     *Document
	names *Snapshot // of the document, to look references up
}

func (r Rules) check(d Document) problems {
	c := &checker{rules: r, d: &d, names: NewSnapshot(0, d)}
	if c.rules.MaxMessageLength == 0 {
		c.rules.MaxMessageLength = usualMessageLength
	}
	c.lengths()
	c.mobileAuthentication()
	c.oauth()
	c.samlServiceProvider()
	c.scopes()
	c.pinPolicies()
	c.identityProviders()
	c.webHooks()
	c.osRules()
	c.pushConfigurations()
	c.applications()
	c.webClients()
	c.apiClients()
	c.clientIDs()
	c.templateSets()
	c.authenticationTypes()
	c.callbacks()
	c.sms()
	c.users()
	return c.problems
}

// lengths caps every list but the users, of whom there may be many.
func (c *checker) lengths() {
	for _, list := range []struct {
		name string
		n    int
	}{
		{"scopes", len(c.d.Scopes)},
		{"pin_policies", len(c.d.PINPolicies)},
		{"identity_providers", len(c.d.IdentityProviders)},
		{"web_hooks", len(c.d.WebHooks)},
		{"push_configurations", len(c.d.PushConfigurations)},
		{"applications", len(c.d.Applications)},
		{"web_clients", len(c.d.WebClients)},
		{"api_clients", len(c.d.APIClients)},
		{"authentication_types", len(c.d.AuthenticationTypes)},
		{"callbacks", len(c.d.Callbacks)},
		{"sms_gateways", len(c.d.SMSGateways)},
	} {
		if list.n > maxList {
			c.add(list.name, "has %d entries: at most %d are allowed", list.n, maxList)
		}
	}
}

// shape is what an identifier may look like.
type shape struct {
	pattern *regexp.Regexp
	words   string
}

func (c *checker) identifier(path, value string, is shape) {
	switch {
	case value == "":
		c.add(path, "is missing: want %s", is.words)
	case !is.pattern.MatchString(value):
		c.add(path, "%q is malformed: want %s", clip(value), is.words)
	}
}

// clip shortens foreign text for a message.
func clip(s string) string {
	const most = 80
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most]) + "…"
}

// unique refuses the second of two equal names in one list.
func (c *checker) unique(list, member string, n int, name func(int) string) {
	first := make(map[string]int, n)
	for i := range n {
		value := name(i)
		if value == "" {
			continue
		}
		if j, again := first[value]; again {
			c.add(fmt.Sprintf("%s[%d].%s", list, i, member), "%q is used by %s[%d] already: choose another", clip(value), list, j)
			continue
		}
		first[value] = i
	}
}

// between checks a number.
func (c *checker) between(path string, value, least, most int) {
	if value < least || value > most {
		c.add(path, "is %d: want %d to %d", value, least, most)
	}
}

// oneOf checks a word of a fixed set.
func oneOf[T ~string](c *checker, path string, value T, allowed ...T) {
	if slices.Contains(allowed, value) {
		return
	}
	words := make([]string, len(allowed))
	for i := range allowed {
		words[i] = string(allowed[i])
	}
	c.add(path, "%q is unknown: want %s", clip(string(value)), either(words))
}

func either(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// title checks a display name.
func (c *checker) title(path, value string) {
	if utf8.RuneCountInString(value) > maxName {
		c.add(path, "is longer than %d characters", maxName)
	}
	if hasControls(value) {
		c.add(path, "holds a control character or bytes that are not UTF-8")
	}
}

func hasControls(s string) bool {
	return !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl)
}

// distinct refuses empty and repeated values of a list of texts.
func (c *checker) distinct(path string, values []string) {
	if len(values) > maxList {
		c.add(path, "has %d entries: at most %d are allowed", len(values), maxList)
	}
	seen := map[string]bool{}
	for i, v := range values {
		switch {
		case v == "":
			c.add(fmt.Sprintf("%s[%d]", path, i), "is empty: remove it")
		case seen[v]:
			c.add(fmt.Sprintf("%s[%d]", path, i), "%q is in the list twice: remove one", clip(v))
		}
		seen[v] = true
	}
}

func (c *checker) mobileAuthentication() {
	oneOf(c, "mobile_authentication.push_enrollment_mode", c.d.MobileAuthentication.PushEnrollmentMode,
		SingleDevice, OverrideAllowed, MultipleDevices)
}
