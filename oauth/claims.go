package oauth

import (
	"slices"
	"strings"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

// claimNames says which claims a scope carries (OpenID Connect Core §5.4), and under which further names of a person
// source an account may have them.
var claimNames = []struct {
	scope, claim string
	aliases      []string
}{
	{scopeProfile, "name", []string{"displayName", "display_name"}},
	{scopeProfile, "given_name", []string{"first_name", "firstName"}},
	{scopeProfile, "family_name", []string{"last_name", "lastName"}},
	{scopeProfile, "nickname", nil},
	{scopeProfile, "preferred_username", nil},
	{scopeProfile, "gender", nil},
	{scopeProfile, "birthdate", []string{"birth_date"}},
	{scopeProfile, "locale", []string{"languageCode"}},
	{scopeEmail, "email", nil},
	{scopeEmail, "email_verified", nil},
	{scopePhone, "phone_number", []string{"phoneNumber"}},
	{scopePhone, "phone_number_verified", nil},
}

// scopeClaims are the names of the claims that a scope carries, for example in the discovery document.
func scopeClaims(scope string) []string {
	var names []string
	for _, n := range claimNames {
		if n.scope == scope {
			names = append(names, n.claim)
		}
	}
	if scope == scopeAddress {
		names = append(names, "address")
	}
	return names
}

// claimsOf returns the claims about a person that the scopes carry, and the custom attributes: for ID token and userinfo.
// Claims without a value are left out.
func claimsOf(s *settings.Snapshot, a store.Account, scopes []string) map[string]any {
	claims := customAttributes(s, a)
	for _, n := range claimNames {
		if !slices.Contains(scopes, n.scope) {
			continue
		}
		value := attribute(a, append([]string{n.claim}, n.aliases...)...)
		switch {
		case value == "":
		case strings.HasSuffix(n.claim, "_verified"):
			claims[n.claim] = value == "true"
		default:
			claims[n.claim] = value
		}
	}
	if slices.Contains(scopes, scopeProfile) {
		if _, named := claims["name"]; !named {
			name := strings.TrimSpace(attribute(a, "given_name", "first_name", "firstName") + " " +
				attribute(a, "family_name", "last_name", "lastName"))
			if name != "" {
				claims["name"] = name
			}
		}
		if _, named := claims["preferred_username"]; !named {
			claims["preferred_username"] = a.Username
		}
	}
	if slices.Contains(scopes, scopeAddress) {
		if address := addressOf(a); len(address) > 0 {
			claims["address"] = address
		}
	}
	return claims
}

// productClaims is the prefix of the claims of the product itself.
const productClaims = "urn:onegini.com:oidc:"

// customAttributes are the attributes that no scope carries and that an administrator meant for clients: what is typed
// with a built-in account, and what a mapping of the person's identity provider names. Whatever else a provider says
// stays between this server and its gateways.
func customAttributes(s *settings.Snapshot, a store.Account) map[string]any {
	custom := map[string]any{}
	for name, value := range a.Attributes {
		if value != nil && !carried(name) && (a.Namespace == "" || mappedBy(s, a.Namespace, name)) {
			custom[name] = value
		}
	}
	return custom
}

// carried tells whether an attribute has a meaning of its own: a scope carries it, or the protocol or the product says
// what it is, so that no attribute can take its name.
func carried(name string) bool {
	switch name {
	case "address", "street_address", "street_name", "house_number", "house_number_addition", "locality", "city", "region",
		"postal_code", "country":
		return true
	case "iss", "sub", "aud", "exp", "nbf", "iat", "jti", "nonce", "auth_time", "acr", "amr", "azp", "sid", "at_hash", "c_hash",
		"s_hash", "cnf", "act", "verified_claims", "group_permissions", "userId", "authenticationLevel":
		return true
	}
	for _, n := range claimNames {
		if name == n.claim || slices.Contains(n.aliases, name) {
			return true
		}
	}
	return strings.HasPrefix(name, productClaims)
}

// mappedBy tells whether a provider of a namespace gives an attribute its name.
func mappedBy(s *settings.Snapshot, namespace, name string) bool {
	for i := range s.Document.IdentityProviders {
		p := &s.Document.IdentityProviders[i]
		if p.UserNamespace() != namespace {
			continue
		}
		for _, m := range p.AttributeMappings {
			if m.To == name {
				return true
			}
		}
	}
	return false
}

// attribute returns the first attribute that has a value.
func attribute(a store.Account, names ...string) string { return a.Attributes.Text(names...) }

// addressOf builds the address claim (OpenID Connect Core §5.1.1).
func addressOf(a store.Account) map[string]string {
	address := map[string]string{}
	street := attribute(a, "street_address")
	if street == "" {
		street = strings.Join(strings.Fields(attribute(a, "street_name")+" "+attribute(a, "house_number")+" "+
			attribute(a, "house_number_addition")), " ")
	}
	for member, value := range map[string]string{
		"street_address": street, "locality": attribute(a, "locality", "city"), "region": attribute(a, "region"),
		"postal_code": attribute(a, "postal_code"), "country": attribute(a, "country"),
	} {
		if value != "" {
			address[member] = value
		}
	}
	return address
}
