package settings

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
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

// standardScopes of OpenID Connect may be used without being listed in scopes.
func standardScope(id string) bool {
	return slices.Contains([]string{"openid", "profile", "email", "address", "phone", "offline_access"}, id)
}

func (c *checker) webClients() {
	for i := range c.d.WebClients {
		c.webClient(fmt.Sprintf("web_clients[%d]", i), &c.d.WebClients[i])
	}
}

func (c *checker) webClient(path string, w *WebClient) {
	c.clientID(path, w.ID)
	c.title(path+".name", w.Name)
	oneOf(c, path+".client_authentication_method", w.Authentication, SecretBasic, PrivateKeyJWT, PKCEOnly, PublicClient)
	c.clientCredentials(path, w.Authentication, w.Secret, w.PublicKey)
	oneOf(c, path+".access_token_format", w.AccessTokenFormat, Opaque, JWT)
	if len(w.Grants) == 0 {
		c.add(path+".grant_types", "is empty: want AUTHORIZATION_CODE, CLIENT_CREDENTIALS or both")
	}
	for i, g := range w.Grants {
		oneOf(c, fmt.Sprintf("%s.grant_types[%d]", path, i), g, AuthorizationCode, ClientCredentials)
		if slices.Contains(w.Grants[:i], g) {
			c.add(fmt.Sprintf("%s.grant_types[%d]", path, i), "%s is in the list twice: remove one", g)
		}
	}
	if w.Authentication == PKCEOnly && w.Allows(ClientCredentials) {
		c.add(path+".grant_types", "a client with authentication PKCE may only have AUTHORIZATION_CODE")
	}
	if w.Authentication == PublicClient && w.Allows(ClientCredentials) {
		c.add(path+".grant_types", "CLIENT_CREDENTIALS needs a client that authenticates: a PUBLIC one cannot have it")
	}
	if w.Allows(AuthorizationCode) && len(w.RedirectURLs) == 0 {
		c.add(path+".redirect_urls", "is empty: AUTHORIZATION_CODE needs at least one")
	}
	c.distinct(path+".redirect_urls", w.RedirectURLs)
	for i, u := range w.RedirectURLs {
		c.redirectURL(fmt.Sprintf("%s.redirect_urls[%d]", path, i), u)
	}
	if w.RefreshTokenEnabled && !w.Allows(AuthorizationCode) {
		c.add(path+".refresh_token_enabled", "needs AUTHORIZATION_CODE among the grant_types")
	}
	c.between(path+".access_grant_expires_in", w.AccessGrantExpiresIn, 1, maxAccessGrantLife)
	c.between(path+".access_token_expires_in", w.AccessTokenExpiresIn, 1, maxTokenLife)
	c.between(path+".id_token_expires_in", w.IDTokenExpiresIn, 1, maxTokenLife)
	c.between(path+".refresh_token_expires_in", w.RefreshTokenExpiresIn, 0, maxLongLife)
	c.between(path+".max_refresh_token_validity", w.MaxRefreshValidity, 0, maxLongLife)
	c.audiences(path, w.AdditionalAudiences)
	c.clientScopes(path, w.DefaultScopes, w.AdditionalScopes, w.AccessTokenFormat)
	c.providers(path, w.IdentityProvider, w.AdditionalProviders)
}

func (c *checker) apiClients() {
	for i := range c.d.APIClients {
		a, path := &c.d.APIClients[i], fmt.Sprintf("api_clients[%d]", i)
		c.clientID(path, a.ID)
		c.title(path+".name", a.Name)
		oneOf(c, path+".authentication_method", a.Authentication, SecretBasic, PrivateKeyJWT)
		c.clientCredentials(path, a.Authentication, a.Secret, a.PublicKey)
		c.distinct(path+".scopes", a.Scopes)
		for j, scope := range a.Scopes {
			oneOf(c, fmt.Sprintf("%s.scopes[%d]", path, j), scope, APIMobileAuthentication, APITokenIntrospection, APIEvents,
				APIEndUser, APIConfig, APIAdmin)
		}
	}
}

func (c *checker) clientID(path, id string) {
	c.identifier(path+".client_id", id, clientShape)
	if installationID.MatchString(id) {
		c.add(path+".client_id", "64 upper-case hex digits name installations: choose another")
	}
}

// clientIDs refuses one id for two clients of whatever kind.
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
}

// clientCredentials checks that a client has what its method of authentication needs, and nothing else. A missing
// secret is no problem: it is made, or the stored one stays.
func (c *checker) clientCredentials(path string, method ClientAuthentication, secret ClientSecret, publicKey string) {
	if method == SecretBasic && !secret.Empty() {
		if n := len(secret.Reveal()); n < minClientSecret || n > maxClientSecret {
			c.add(path+".client_secret", "has %d characters: want %d to %d, or leave it out to have one made", n, minClientSecret, maxClientSecret)
		} else if strings.ContainsFunc(secret.Reveal(), func(r rune) bool { return r < ' ' || r > '~' }) {
			c.add(path+".client_secret", "holds characters other than printable ASCII")
		}
	}
	if method != SecretBasic && !secret.Secret.IsZero() {
		c.add(path+".client_secret", "is not used with %s: remove it", method)
	}
	if method != PrivateKeyJWT {
		if publicKey != "" {
			c.add(path+".public_key", "is not used with %s: remove it", method)
		}
		return
	}
	if publicKey == "" {
		c.add(path+".public_key", "is missing: PRIVATE_KEY_JWT needs a public key in PEM")
		return
	}
	if _, err := ParsePublicKey(publicKey); err != nil {
		c.add(path+".public_key", "%v", err)
	}
}

const (
	minRSABits = 2048
	maxRSABits = 4096
)

// ParsePublicKey reads the public key of a client: one PEM block, PUBLIC KEY or CERTIFICATE, with an RSA key of 2048 to
// 4096 bits or an elliptic one of 256 or more. It returns *rsa.PublicKey or *ecdsa.PublicKey.
func ParsePublicKey(text string) (any, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("want one PEM block: -----BEGIN PUBLIC KEY-----")
	}
	var public any
	switch block.Type {
	case "PUBLIC KEY":
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the PEM block holds no public key that can be read")
		}
		public = parsed
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("the PEM block holds no certificate that can be read")
		}
		public = certificate.PublicKey
	default:
		return nil, fmt.Errorf("a PEM block %q is not accepted: want PUBLIC KEY", clip(block.Type))
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("an RSA key of %d bits is not accepted: want %d to %d", bits, minRSABits, maxRSABits)
		}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return nil, errors.New("want an elliptic key on P-256 or larger")
		}
	default:
		return nil, errors.New("want an RSA or an elliptic (P-256 or larger) key")
	}
	return public, nil
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
	c.distinct(path+".additional_audiences", audiences)
	for i, a := range audiences {
		if len(a) > 2048 || strings.ContainsFunc(a, func(r rune) bool { return r <= ' ' || r > '~' }) {
			c.add(fmt.Sprintf("%s.additional_audiences[%d]", path, i), "want printable ASCII without blanks")
		}
	}
}

// redirectURL accepts https, http on loopback (RFC 8252 §7.3) and private-use schemes (§7.1); never a fragment.
func (c *checker) redirectURL(path, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }):
		c.add(path, "%q is no URL", clip(text))
	case !u.IsAbs():
		c.add(path, "%q is not absolute: want https://…, or the private scheme of an app such as myapp://…", clip(text))
	case strings.Contains(text, "#"):
		c.add(path, "%q has a fragment: remove what follows #", clip(text))
	case u.User != nil:
		c.add(path, "the URL holds a user name: remove it")
	case u.Scheme == "https" && u.Hostname() == "":
		c.add(path, "%q names no host", clip(text))
	case u.Scheme == "http" && !loopback(u.Hostname()):
		c.add(path, "%q sends codes in clear: want https (http only for loopback addresses)", clip(text))
	case slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about", "ftp", "ws", "wss", "mailto", "tel"}, u.Scheme):
		c.add(path, "scheme %q cannot receive codes: want https, or the private scheme of an app", u.Scheme)
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
