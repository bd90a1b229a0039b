package settings

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"tokenserver/store"
)

var (
	pushShape     = shape{regexp.MustCompile(`^[A-Za-z0-9_.\-]{1,64}$`), "1 to 64 letters, digits, _ . -"}
	appleShape    = shape{regexp.MustCompile(`^[A-Z0-9]{10}$`), "10 upper-case letters and digits, as Apple shows it"}
	subjectShape  = shape{regexp.MustCompile(`^[\x21-\x7e]{1,255}$`), "1 to 255 printable ASCII characters without blanks"}
	attributeName = regexp.MustCompile(`^[A-Za-z0-9_.:/\-]{1,64}$`)
)

const (
	maxPassword       = 1024
	minPersonPassword = 8
	maxAttribute      = 4096
	maxURL            = 2048
)

func (c *checker) pushConfigurations() {
	c.unique("push_configurations", "id", len(c.d.PushConfigurations), func(i int) string { return c.d.PushConfigurations[i].ID })
	for i := range c.d.PushConfigurations {
		p, path := &c.d.PushConfigurations[i], fmt.Sprintf("push_configurations[%d]", i)
		c.identifier(path+".id", p.ID, pushShape)
		c.title(path+".name", p.Name)
		oneOf(c, path+".platform", p.Platform, Android, IOS)
		switch p.Platform {
		case IOS:
			c.identifier(path+".team_id", p.TeamID, appleShape)
			c.identifier(path+".key_id", p.KeyID, appleShape)
			c.required(path+".signing_key", p.SigningKey, "the .p8 file of the APNs key", func(text string) error {
				_, err := ParseAPNsKey(text)
				return err
			})
			if !p.ServiceAccount.IsZero() {
				c.add(path+".service_account", "exists for android only: remove it")
			}
		case Android:
			c.required(path+".service_account", p.ServiceAccount, "the JSON key of the FCM service account", func(text string) error {
				_, err := ParseServiceAccount(text)
				return err
			})
			if p.TeamID != "" || p.KeyID != "" || !p.SigningKey.IsZero() {
				c.add(path, "team_id, key_id and signing_key exist for ios only: remove them")
			}
		}
	}
}

// required checks a secret that must be there; a kept one was checked when it was stored.
func (c *checker) required(path string, s Secret, what string, parse func(string) error) {
	switch {
	case s.Kept():
	case s.Empty():
		c.add(path, "is missing: want %s, for example {file: PATH}", what)
	default:
		if err := parse(s.Reveal()); err != nil {
			c.add(path, "%v", err)
		}
	}
}

// ParseAPNsKey reads a .p8 file: PKCS#8 in PEM, an elliptic key on P-256.
func ParseAPNsKey(text string) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, errors.New("is no .p8 file: want PEM that begins with -----BEGIN PRIVATE KEY-----")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errors.New("is no .p8 file: the PEM block holds no PKCS#8 key")
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, errors.New("is no .p8 file of Apple: want an elliptic key on P-256")
	}
	return private, nil
}

// ServiceAccount is what a service account key of Google says.
type ServiceAccount struct {
	Type        string `json:"type"`
	ProjectID   string `json:"project_id"`
	ClientEmail string `json:"client_email"`
	PrivateKey  string `json:"private_key"` // PEM
	TokenURI    string `json:"token_uri"`
}

// ParseServiceAccount reads the JSON key of a service account and checks what FCM needs of it.
func ParseServiceAccount(text string) (ServiceAccount, error) {
	var a ServiceAccount
	if err := json.Unmarshal([]byte(text), &a); err != nil {
		return ServiceAccount{}, errors.New("is no JSON: want the key file of the service account as Google gives it out")
	}
	var missing []string
	for name, value := range map[string]string{"project_id": a.ProjectID, "client_email": a.ClientEmail, "private_key": a.PrivateKey} {
		if value == "" {
			missing = append(missing, name)
		}
	}
	if len(missing) > 0 {
		slices.Sort(missing)
		return ServiceAccount{}, fmt.Errorf("lacks %s: the legacy server key of FCM is not accepted; want a service account key", strings.Join(missing, ", "))
	}
	if a.Type != "" && a.Type != "service_account" {
		return ServiceAccount{}, fmt.Errorf("has type %q: want service_account", clip(a.Type))
	}
	block, _ := pem.Decode([]byte(a.PrivateKey))
	if block == nil {
		return ServiceAccount{}, errors.New("private_key is no PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	}
	if _, isRSA := parsed.(*rsa.PrivateKey); err != nil || !isRSA {
		return ServiceAccount{}, errors.New("private_key holds no RSA key")
	}
	return a, nil
}

func (c *checker) callbacks() {
	c.unique("callbacks", "url", len(c.d.Callbacks), func(i int) string { return c.d.Callbacks[i].URL })
	for i := range c.d.Callbacks {
		b, path := &c.d.Callbacks[i], fmt.Sprintf("callbacks[%d]", i)
		c.callbackURL(path+".url", b.URL)
		c.basicCredentials(path, b.Username, b.Password)
		c.signingSecret(path+".signing_secret", b.SigningSecret)
	}
}

func (c *checker) callbackURL(path, text string) {
	u, err := url.Parse(text)
	switch {
	case text == "":
		c.add(path, "is missing: want https://…")
	case err != nil, len(text) > maxURL, strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }):
		c.add(path, "%q is no URL", clip(text))
	case (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "":
		c.add(path, "%q is no absolute web address: want https://…", clip(text))
	case u.User != nil:
		c.add(path, "holds a user name: use username and password")
	case strings.Contains(text, "#"):
		c.add(path, "%q has a fragment: remove what follows #", clip(text))
	case u.Scheme == "http" && (c.rules.Production || !c.rules.AllowHTTPCallbacks):
		c.add(path, "%q is called in clear: want https (mobile_auth.allow_http_callbacks allows http on test installations)", clip(text))
	}
}

const (
	minSigningSecret = 24
	maxSigningSecret = 64
)

// ParseSigningSecret returns the key in a secret of the Standard Webhooks form: whsec_ and base64 of 24 to 64 bytes.
func ParseSigningSecret(text string) ([]byte, error) {
	encoded, found := strings.CutPrefix(text, signingSecretPrefix)
	signing, err := base64.StdEncoding.DecodeString(encoded)
	if !found || err != nil || len(signing) < minSigningSecret || len(signing) > maxSigningSecret {
		return nil, fmt.Errorf("want whsec_ and base64 of %d to %d bytes, or leave it out to have one made", minSigningSecret, maxSigningSecret)
	}
	return signing, nil
}

// reserved tells whether a claim is the server's own and cannot be an attribute of a user.
func reserved(claim string) bool {
	switch claim {
	case "sub", "iss", "aud", "exp", "nbf", "iat", "jti", "nonce", "acr", "amr", "azp", "auth_time", "at_hash", "c_hash",
		"s_hash", "sid", "client_id", "scope", "cnf":
		return true
	}
	return false
}

func (c *checker) users() {
	c.unique("users", "id", len(c.d.Users), func(i int) string { return c.d.Users[i].ID })
	c.unique("users", "username", len(c.d.Users), func(i int) string { return store.UsernameKey(c.d.Users[i].Username) })
	for i := range c.d.Users {
		u, path := &c.d.Users[i], fmt.Sprintf("users[%d]", i)
		c.identifier(path+".id", u.ID, subjectShape)
		switch {
		case u.Username == "":
			c.add(path+".username", "is missing: the name to sign in with")
		case utf8.RuneCountInString(u.Username) > maxName || hasControls(u.Username) || strings.TrimSpace(u.Username) != u.Username:
			c.add(path+".username", "want at most %d characters, without blanks around them", maxName)
		}
		if !u.Password.Empty() {
			if n := utf8.RuneCountInString(u.Password.Reveal()); n < minPersonPassword || len(u.Password.Reveal()) > maxPassword {
				c.add(path+".password", "has %d characters: want at least %d", n, minPersonPassword)
			}
		}
		for _, name := range sortedKeys(u.Attributes) {
			switch {
			case !attributeName.MatchString(name):
				c.add(path+".attributes", "%q is no name of a claim: want 1 to 64 letters, digits, _ . : / -", clip(name))
			case reserved(name):
				c.add(path+".attributes", "%q is a claim that the server sets itself: remove it", name)
			case len(u.Attributes[name]) > maxAttribute || !utf8.ValidString(u.Attributes[name]):
				c.add(path+".attributes."+name, "want at most %d bytes of UTF-8", maxAttribute)
			}
		}
	}
}
