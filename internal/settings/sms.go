package settings

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// SMS says how text messages leave the server.
type SMS struct {
	Gateway        string `yaml:"gateway" json:"gateway"`                 // id of one of sms_gateways; "" = the first
	SenderID       string `yaml:"sender_id" json:"sender_id"`             // "" = that of the gateway
	DefaultCountry string `yaml:"default_country" json:"default_country"` // ISO 3166-1, two letters: of numbers without a country code; "" = such numbers are refused
}

// SMSGatewayType names the protocol of a gateway.
type SMSGatewayType string

// The gateways.
const (
	SMSOverHTTP SMSGatewayType = "HTTP" // POST of JSON; see package sms
	SMSByTwilio SMSGatewayType = "TWILIO"
)

// SMSGateway is a provider that sends text messages.
type SMSGateway struct {
	ID       string         `yaml:"id" json:"id"`
	Name     string         `yaml:"name" json:"name"`
	Type     SMSGatewayType `yaml:"type" json:"type"`           // default HTTP
	URL      string         `yaml:"url" json:"url"`             // HTTP: the address; TWILIO: another base address of the API
	Account  string         `yaml:"account" json:"account"`     // TWILIO: account SID
	Username string         `yaml:"username" json:"username"`   // HTTP: of Basic authentication; TWILIO: API key SID, "" = the account
	SenderID string         `yaml:"sender_id" json:"sender_id"` // last of the cascade; TWILIO: also the SID of a messaging service
	Password Secret         `yaml:"password,omitempty" json:"password,omitzero"`
}

func (g *SMSGateway) secrets() map[string]*Secret { return map[string]*Secret{"password": &g.Password} }

func (g *SMSGateway) complete() {
	or(&g.Type, SMSOverHTTP)
	or(&g.Name, g.ID)
}

// SMSGateway returns the gateway through which text messages leave, or nil.
func (s *Snapshot) SMSGateway() *SMSGateway {
	for i := range s.Document.SMSGateways {
		if g := &s.Document.SMSGateways[i]; s.Document.SMS.Gateway == "" || s.Document.SMS.Gateway == g.ID {
			return g
		}
	}
	return nil
}

var (
	gatewayShape = shape{regexp.MustCompile(`^[A-Za-z0-9_\-]{1,64}$`), "1 to 64 letters, digits, _ -"}
	twilioShape  = shape{regexp.MustCompile(`^AC[0-9a-f]{32}$`), "AC and 32 hex digits, as Twilio shows it"}
	senderShape  = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|[0-9]{3,8}|[A-Za-z0-9 ]{1,11})$`)
	serviceShape = regexp.MustCompile(`^MG[0-9a-f]{32}$`)
	countryShape = regexp.MustCompile(`^[A-Z]{2}$`)
	plainShape   = regexp.MustCompile(`^[A-Za-z0-9]*$`)
)

// sender checks what a phone shows as the origin of a message.
func (c *checker) sender(path, text string) {
	if text != "" && (!senderShape.MatchString(text) || strings.TrimSpace(text) != text) {
		c.add(path, "%q is no sender: want a number in international notation (+31…), a short code of 3 to 8 digits, or at most 11 letters, digits and blanks", clip(text))
	}
}

func (c *checker) sms() {
	c.sender("sms.sender_id", c.d.SMS.SenderID)
	if text := c.d.SMS.DefaultCountry; text != "" && !countryShape.MatchString(text) {
		c.add("sms.default_country", "%q is no country: want two capital letters, for example NL", clip(text))
	}
	if id := c.d.SMS.Gateway; id != "" && c.names.SMSGateway() == nil {
		c.add("sms.gateway", "%q is none of sms_gateways", clip(id))
	}
	c.unique("sms_gateways", "id", len(c.d.SMSGateways), func(i int) string { return c.d.SMSGateways[i].ID })
	for i := range c.d.SMSGateways {
		g, path := &c.d.SMSGateways[i], fmt.Sprintf("sms_gateways[%d]", i)
		c.identifier(path+".id", g.ID, gatewayShape)
		c.title(path+".name", g.Name)
		oneOf(c, path+".type", g.Type, SMSOverHTTP, SMSByTwilio)
		if len(g.Password.Reveal()) > maxPassword || hasControls(g.Password.Reveal()) {
			c.add(path+".password", "want at most %d printable characters", maxPassword)
		}
		switch g.Type {
		case SMSOverHTTP:
			c.gatewayURL(path+".url", g.URL)
			c.httpGateway(path, g)
		case SMSByTwilio:
			if g.URL != "" {
				c.gatewayURL(path+".url", g.URL)
			}
			c.twilioGateway(path, g)
		}
	}
}

func (c *checker) httpGateway(path string, g *SMSGateway) {
	c.sender(path+".sender_id", g.SenderID)
	if g.Account != "" {
		c.add(path+".account", "exists for TWILIO only: remove it")
	}
	if (g.Username == "") != g.Password.IsZero() {
		c.add(path, "username and password belong together: write both or none")
	}
	if strings.Contains(g.Username, ":") || hasControls(g.Username) || len(g.Username) > maxName {
		c.add(path+".username", "want at most %d characters without colon", maxName)
	}
}

func (c *checker) twilioGateway(path string, g *SMSGateway) {
	c.identifier(path+".account", g.Account, twilioShape)
	switch {
	case g.SenderID == "":
		c.add(path+".sender_id", "is missing: Twilio sends nothing without a number or a messaging service (MG…)")
	case !serviceShape.MatchString(g.SenderID):
		c.sender(path+".sender_id", g.SenderID)
	}
	if !plainShape.MatchString(g.Username) || len(g.Username) > maxName {
		c.add(path+".username", "want the SID of an API key (SK…), or nothing to use the account")
	}
	c.required(path+".password", g.Password, "the auth token of the account, or the secret of the API key", func(text string) error {
		if !plainShape.MatchString(text) {
			return errors.New("want letters and digits, as Twilio shows it")
		}
		return nil
	})
}

// gatewayURL checks the address of a gateway: codes pass there, so it is called in clear only outside production.
func (c *checker) gatewayURL(path, text string) {
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
	case u.Scheme == "http" && c.rules.Production:
		c.add(path, "%q is called in clear: want https in production", clip(text))
	}
}
