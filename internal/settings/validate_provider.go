package settings

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
)

var (
	headerShape     = shape{regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}$"), "the name of a header"}
	parameterShape  = shape{regexp.MustCompile(`^[A-Za-z0-9_.~-]{1,64}$`), "query: and the name of a parameter"}
	attributeShape  = shape{attributeName, "1 to 64 letters, digits, _ . : / -"}
	scopeTokenShape = regexp.MustCompile(`^[\x21\x23-\x5b\x5d-\x7e]{1,255}$`) // RFC 6749 §3.3
)

const (
	userIDPlace  = "{userId}" // of the user id in the address of a user-info source
	maxCacheLife = 24 * 3600
	maxMetadata  = 512 << 10 // bytes of SAML metadata
	maxDays      = 366
)

func (c *checker) identityProviders() {
	c.unique("identity_providers", "id", len(c.d.IdentityProviders), func(i int) string { return c.d.IdentityProviders[i].ID })
	var defaults []string
	for i := range c.d.IdentityProviders {
		p, path := &c.d.IdentityProviders[i], fmt.Sprintf("identity_providers[%d]", i)
		c.identifier(path+".id", p.ID, providerShape)
		c.title(path+".name", p.Name)
		oneOf(c, path+".type", p.Type, BuiltInAccounts, OIDCProvider, OAuthProvider, SAMLProvider, HeaderProvider, CustomOneStep,
			CustomTwoStep, TwoWayOTP, TwoWayOTPByAPI)
		if p.Default {
			defaults = append(defaults, path)
		}
		c.people(path, p)
		c.sections(path, p)
	}
	if len(defaults) > 1 {
		c.add("identity_providers", "%s are all the default: set default: true on one at most", strings.Join(defaults, " and "))
	}
}

// people checks what is said about the persons for whom a provider vouches.
func (c *checker) people(path string, p *IdentityProvider) {
	if p.Namespace != "" {
		c.identifier(path+".namespace", p.Namespace, providerShape)
	}
	if p.Type == BuiltInAccounts && (p.Namespace != "" || len(p.AttributeMappings) > 0) {
		c.add(path, "namespace and attribute_mappings are not used with ACCOUNTS: remove them")
	}
	c.mappings(path+".attribute_mappings", p.AttributeMappings)
	if u := p.UserInfoSource; u != nil {
		at := path + ".user_info_source"
		c.userInfoURL(at+".url", u.URL)
		c.basicCredentials(at, u.Username, u.Password)
		c.between(at+".cache_life", u.CacheLife, 0, maxCacheLife)
	}
}

// mappings checks that every attribute gets one name, and none that is the server's own.
func (c *checker) mappings(path string, mappings []AttributeMapping) {
	if len(mappings) > maxList {
		c.add(path, "has %d entries: at most %d are allowed", len(mappings), maxList)
	}
	c.unique(path, "to", len(mappings), func(i int) string { return mappings[i].To })
	for i, m := range mappings {
		at := fmt.Sprintf("%s[%d]", path, i)
		switch {
		case m.From == "":
			c.add(at+".from", "is missing: want the name that the provider uses")
		case len(m.From) > maxName || hasControls(m.From):
			c.add(at+".from", "want at most %d printable characters", maxName)
		}
		c.identifier(at+".to", m.To, attributeShape)
		if reserved(m.To) {
			c.add(at+".to", "%q is a claim that the server sets itself: choose another", m.To)
		}
	}
}

// userInfoURL checks the address of a user-info source. The user id may stand anywhere but in the host.
func (c *checker) userInfoURL(path, text string) {
	if !strings.Contains(text, userIDPlace) {
		c.add(path, "lacks %s, which stands for the user id", userIDPlace)
		return
	}
	named := strings.ReplaceAll(text, userIDPlace, "a")
	one, err := url.Parse(named)
	other, errOther := url.Parse(strings.ReplaceAll(text, userIDPlace, "b"))
	if err == nil && errOther == nil && one.Host != other.Host {
		c.add(path, "has %s in the host: want it in the path or the query", userIDPlace)
		return
	}
	c.outboundURL(path, named)
}

// section is one part of a provider that belongs to some types.
type section struct {
	name  string
	there bool
	types []IdentityProviderType
}

// sections checks that a provider has what its type needs, and nothing of another type.
func (c *checker) sections(path string, p *IdentityProvider) {
	for _, s := range []section{
		{"oauth", p.OAuth != nil, []IdentityProviderType{OIDCProvider, OAuthProvider}},
		{"saml", p.SAML != nil, []IdentityProviderType{SAMLProvider}},
		{"header", p.Header != nil, []IdentityProviderType{HeaderProvider}},
		{"custom", p.Custom != nil, []IdentityProviderType{CustomOneStep, CustomTwoStep}},
	} {
		fits := false
		for _, t := range s.types {
			fits = fits || t == p.Type
		}
		switch {
		case fits && !s.there:
			c.add(path+"."+s.name, "is missing: a provider of type %s needs it", p.Type)
		case s.there && !fits:
			c.add(path+"."+s.name, "is not used with %s: remove it", clip(string(p.Type)))
		case s.there:
			c.section(path+"."+s.name, p)
		}
	}
}

func (c *checker) section(path string, p *IdentityProvider) {
	switch p.Type {
	case OIDCProvider, OAuthProvider:
		c.oauthSection(path, p.Type, p.OAuth)
	case SAMLProvider:
		c.samlSection(path, p)
	case HeaderProvider:
		c.headerSection(path, p)
	case CustomOneStep, CustomTwoStep:
		if p.Custom.Endpoint == "" {
			c.add(path+".endpoint", "is missing: want https://…")
		}
		c.outboundURL(path+".endpoint", p.Custom.Endpoint)
		c.withoutQuery(path+".endpoint", p.Custom.Endpoint)
		c.signingSecret(path+".signing_secret", p.Custom.SigningSecret)
		c.between(path+".authentication_level", p.Custom.AuthenticationLevel, 0, maxLevel)
	case BuiltInAccounts, TwoWayOTP, TwoWayOTPByAPI:
	}
}

func (c *checker) oauthSection(path string, kind IdentityProviderType, o *OAuthSection) {
	switch {
	case o.ClientID == "":
		c.add(path+".client_id", "is missing: want the id that the provider gave to this server")
	case len(o.ClientID) > maxName || hasControls(o.ClientID):
		c.add(path+".client_id", "want at most %d printable characters", maxName)
	}
	c.outboundURL(path+".issuer", o.Issuer)
	c.withoutQuery(path+".issuer", o.Issuer)
	for _, named := range []struct {
		member, url string
		check       func(path, text string)
	}{
		{"authorization_url", o.AuthorizationURL, c.pageURL},
		{"token_url", o.TokenURL, c.outboundURL},
		{"profile_url", o.ProfileURL, c.outboundURL},
	} {
		at := path + "." + named.member
		switch {
		case kind == OAuthProvider && named.url == "":
			c.add(at, "is missing: want https://…")
		case kind == OIDCProvider && named.url != "":
			c.add(at, "is not used with OIDC: the discovery document of the issuer names it; remove it")
		default:
			named.check(at, named.url)
			c.withoutQuery(at, named.url)
		}
	}
	if kind == OIDCProvider && o.Issuer == "" {
		c.add(path+".issuer", "is missing: want https://…")
	}
	if o.UserIDClaim != "" {
		c.identifier(path+".user_id_claim", o.UserIDClaim, attributeShape)
	}
	c.distinct(path+".scopes", o.Scopes)
	for i, s := range o.Scopes {
		if s != "" && !scopeTokenShape.MatchString(s) {
			c.add(fmt.Sprintf("%s.scopes[%d]", path, i), "%q is malformed: want one scope without blanks, quotes and backslashes", clip(s))
		}
	}
	c.providerCredentials(path, o)
}

// providerCredentials checks how the server proves itself to an OAuth provider.
func (c *checker) providerCredentials(path string, o *OAuthSection) {
	oneOf(c, path+".client_authentication_method", o.Authentication, ProviderSecretBasic, ProviderSecretPost, ProviderPrivateKeyJWT)
	if o.Authentication == ProviderPrivateKeyJWT {
		c.required(path+".signing_key", o.SigningKey, "a private key in PEM", func(text string) error {
			_, err := ParsePrivateKey(text)
			return err
		})
		if !o.ClientSecret.IsZero() {
			c.add(path+".client_secret", "is not used with PRIVATE_KEY_JWT: remove it")
		}
		if len(o.SigningKeyID) > maxName || hasControls(o.SigningKeyID) {
			c.add(path+".signing_key_id", "want at most %d printable characters", maxName)
		}
		return
	}
	c.required(path+".client_secret", o.ClientSecret, "the secret that the provider gave to this server", func(string) error { return nil })
	if !o.SigningKey.IsZero() {
		c.add(path+".signing_key", "is used with PRIVATE_KEY_JWT alone: remove it")
	}
	if o.SigningKeyID != "" {
		c.add(path+".signing_key_id", "is used with PRIVATE_KEY_JWT alone: remove it")
	}
}

func (c *checker) headerSection(path string, p *IdentityProvider) {
	h := p.Header
	c.identifier(path+".user_id_header", h.UserIDHeader, headerShape)
	c.identifier(path+".authentication_level_header", h.LevelHeader, headerShape)
	if h.TimeHeader != "" {
		c.identifier(path+".authentication_time_header", h.TimeHeader, headerShape)
	}
	c.whitelist(path+".attribute_whitelist", p)
	if len(h.TrustedProxies) == 0 && !p.Disabled {
		c.add(path+".trusted_proxies", "is empty: everybody could claim to be anybody; want the networks of the reverse proxies, or disabled: true")
	}
	c.distinct(path+".trusted_proxies", h.TrustedProxies)
	for i, text := range h.TrustedProxies {
		network, err := ParseNetwork(text)
		switch {
		case text == "":
		case err != nil:
			c.add(fmt.Sprintf("%s.trusted_proxies[%d]", path, i), "%v", err)
		case network.Bits() == 0:
			c.add(fmt.Sprintf("%s.trusted_proxies[%d]", path, i), "%q is every address there is: want the networks of the reverse proxies", clip(text))
		}
	}
}

// whitelist checks what becomes of headers and of parameters of the authorization request.
func (c *checker) whitelist(path string, p *IdentityProvider) {
	c.mappings(path, p.Header.Attributes)
	for i, m := range p.Header.Attributes {
		if name, is := m.QueryParameter(); is {
			c.identifier(fmt.Sprintf("%s[%d].from", path, i), name, parameterShape)
			if trusted := p.trustedName(m.To); trusted != "" {
				c.add(fmt.Sprintf("%s[%d].from", path, i), "anybody can set a parameter: want a header for %s", trusted)
			}
		} else if m.From != "" {
			c.identifier(fmt.Sprintf("%s[%d].from", path, i), m.From, headerShape)
		}
	}
}

// trustedName returns the name under which the server acts upon an attribute that the provider calls so; "" when it only
// passes it on.
func (p *IdentityProvider) trustedName(name string) string {
	names := []string{name}
	if len(p.AttributeMappings) > 0 {
		names = nil
	}
	for _, m := range p.AttributeMappings {
		if m.From == name {
			names = append(names, m.To)
		}
	}
	for _, name := range names {
		switch name {
		case "userId", "authenticationLevel", "phoneNumber", "phone_number":
			return name
		}
	}
	return ""
}

// ParseNetwork reads a network such as 10.0.0.0/8, or one address.
func ParseNetwork(text string) (netip.Prefix, error) {
	if network, err := netip.ParsePrefix(text); err == nil {
		return network.Masked(), nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" {
		return netip.Prefix{}, fmt.Errorf("%q is no network: want one such as 10.0.0.0/8 or 127.0.0.1", clip(text))
	}
	return netip.PrefixFrom(address, address.BitLen()), nil
}
