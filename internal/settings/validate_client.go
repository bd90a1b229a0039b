package settings

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"tokenserver/internal/phc"
)

var (
	clientShape = shape{regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`), "1 to 64 letters, digits, _ -"}

	// installationID is what the server gives to installations; an administrator's client must not look like one.
	installationID = regexp.MustCompile(`^[0-9A-F]{64}$`)
)

const (
	minClientSecret = 32
	maxClientSecret = 1024
)

// ApproveDevices is the scope of apps that may approve the sign-in of another device.
const ApproveDevices = "access:device-authorization:approve"

// standardScope tells whether a scope may be used without being listed in scopes.
func standardScope(id string) bool {
	return slices.Contains([]string{"openid", "profile", "email", "address", "phone", "offline_access", ApproveDevices}, id)
}

func (c *checker) apiClients() {
	for i := range c.d.APIClients {
		a, path := &c.d.APIClients[i], fmt.Sprintf("api_clients[%d]", i)
		c.clientID(path, a.ID)
		c.title(path+".name", a.Name)
		oneOf(c, path+".authentication_method", a.Authentication, SecretBasic, PrivateKeyJWT)
		c.clientCredentials(path, machineCredentials{a.Authentication, a.Secret, a.HashedSecret, a.PublicKey, a.JWKSURI})
		c.distinct(path+".scopes", a.Scopes)
		for j, scope := range a.Scopes {
			oneOf(c, fmt.Sprintf("%s.scopes[%d]", path, j), scope, APIMobileAuthentication, APITokenIntrospection, APIEvents,
				APIEndUser, APIConfig, APIAdmin, APIUserRegistration, APITwoWayOTP)
		}
	}
}

func (c *checker) clientID(path, id string) {
	c.identifier(path+".client_id", id, clientShape)
	if installationID.MatchString(id) {
		c.add(path+".client_id", "64 upper-case hex digits name installations: choose another")
	}
}

// clientIDs refuses one id for two clients of whatever kind, and for a client and a user: a client's own token has its id
// as subject (RFC 9700 §4.15).
func (c *checker) clientIDs() {
	first := map[string]string{}
	claim := func(path, id string) {
		if id == "" {
			return
		}
		if at, taken := first[id]; taken {
			c.add(path+".client_id", "%q is used by %s already: client ids are unique over all kinds of clients", clip(id), at)
			return
		}
		first[id] = path
	}
	for i := range c.d.WebClients {
		claim(fmt.Sprintf("web_clients[%d]", i), c.d.WebClients[i].ID)
	}
	for i := range c.d.APIClients {
		claim(fmt.Sprintf("api_clients[%d]", i), c.d.APIClients[i].ID)
	}
	for i := range c.d.Users {
		if at, taken := first[c.d.Users[i].ID]; taken && c.d.Users[i].ID != "" {
			c.add(fmt.Sprintf("users[%d].id", i), "%q is the client_id of %s: nobody may be taken for a client", clip(c.d.Users[i].ID), at)
		}
	}
}

// machineCredentials is what a document says about how a client proves itself.
type machineCredentials struct {
	method    ClientAuthentication
	secret    ClientSecret
	hashed    Secret
	publicKey string
	jwksURI   string
}

// clientCredentials checks that a client has what its method of authentication needs, and nothing else. A missing
// secret is no problem: it is made, or the stored one stays.
func (c *checker) clientCredentials(path string, m machineCredentials) {
	c.clientSecret(path, m)
	if m.method != PrivateKeyJWT {
		if m.publicKey != "" {
			c.add(path+".public_key", "is not used with %s: remove it", m.method)
		}
		if m.jwksURI != "" {
			c.add(path+".jwks_uri", "is not used with %s: remove it", m.method)
		}
		return
	}
	if m.publicKey == "" && m.jwksURI == "" {
		c.add(path+".public_key", "is missing: PRIVATE_KEY_JWT needs a public key in PEM, or a jwks_uri")
	}
	c.outboundURL(path+".jwks_uri", m.jwksURI)
	if m.publicKey == "" {
		return
	}
	if _, err := ParsePublicKey(m.publicKey); err != nil {
		c.add(path+".public_key", "%v", err)
	}
}

// clientSecret checks the secret of a client, or the imported hash that stands for it.
func (c *checker) clientSecret(path string, m machineCredentials) {
	if m.method == SecretBasic && !m.secret.Empty() {
		if n := len(m.secret.Reveal()); n < minClientSecret || n > maxClientSecret {
			c.add(path+".client_secret", "has %d characters: want %d to %d, or leave it out to have one made", n, minClientSecret, maxClientSecret)
		} else if strings.ContainsFunc(m.secret.Reveal(), func(r rune) bool { return r < ' ' || r > '~' }) {
			c.add(path+".client_secret", "holds characters other than printable ASCII")
		}
	}
	if m.method == SecretBasic && !m.hashed.Empty() {
		if _, err := phc.Parse(m.hashed.Reveal()); err != nil {
			c.add(path+".hashed_client_secret", "%v", err)
		}
		if !m.secret.Secret.IsZero() {
			c.add(path+".hashed_client_secret", "stands beside client_secret: write one of them")
		}
	}
	if m.method != SecretBasic && !m.secret.Secret.IsZero() {
		c.add(path+".client_secret", "is not used with %s: remove it", m.method)
	}
	if m.method != SecretBasic && !m.hashed.IsZero() {
		c.add(path+".hashed_client_secret", "is not used with %s: remove it", m.method)
	}
}

// clientScopes checks the scopes of a client.
func (c *checker) clientScopes(path string, defaults, additional []string, format string) {
	c.distinct(path+".default_scopes", defaults)
	c.distinct(path+".additional_scopes", additional)
	check := func(at, id string) {
		scope := c.names.Scope(id)
		switch {
		case id == "":
		case scope == nil && !standardScope(id):
			c.add(at, "%q is not in scopes", clip(id))
		case scope != nil && scope.UsageLimit > 0 && format == JWT:
			c.add(at, "%q has a usage limit, which tokens of format JWT cannot keep: use OPAQUE or another scope", clip(id))
		}
	}
	for i, id := range defaults {
		check(fmt.Sprintf("%s.default_scopes[%d]", path, i), id)
	}
	for i, id := range additional {
		check(fmt.Sprintf("%s.additional_scopes[%d]", path, i), id)
		if id != "" && slices.Contains(defaults, id) {
			c.add(fmt.Sprintf("%s.additional_scopes[%d]", path, i), "%q is in default_scopes already: remove it here", clip(id))
		}
	}
}

func (c *checker) audiences(path string, audiences []string) {
	c.distinct(path, audiences)
	for i, a := range audiences {
		if len(a) > 2048 || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r > '~' }) {
			c.add(fmt.Sprintf("%s[%d]", path, i), "want printable ASCII without blanks")
		}
	}
}
