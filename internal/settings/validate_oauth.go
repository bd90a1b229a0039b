package settings

import (
	"fmt"
	"strings"
)

const (
	maxLevel          = 99 // of authentication
	shortestSession   = 60
	maxSession        = 30 * 24 * 3600
	maxRotationDays   = 3650
	maxServiceAddress = 2048
)

// oauth checks the general configuration of the OAuth endpoints.
func (c *checker) oauth() {
	o := &c.d.OAuth
	oneOf(c, "oauth.fingerprint_misuse_scope", o.FingerprintMisuse, MisuseClient, MisuseProfile)
	c.between("oauth.session_inactivity", o.SessionInactivity, shortestSession, maxSession)
	c.between("oauth.session_maximum", o.SessionMaximum, shortestSession, maxSession)
	if o.SessionInactivity > o.SessionMaximum {
		c.add("oauth.session_inactivity", "is %d, longer than session_maximum of %d", o.SessionInactivity, o.SessionMaximum)
	}
	c.pageURL("oauth.authentication_endpoint", o.AuthenticationEndpoint)
	c.between("oauth.sms_level", o.SMSLevel, 0, maxLevel)
	c.templateSet("oauth.template_set", o.TemplateSet)
	if o.KeyRotationDays != nil {
		c.between("oauth.key_rotation_days", *o.KeyRotationDays, 0, maxRotationDays)
	}
	c.distinct("oauth.cors.origins", o.CORS.Origins)
	for i, origin := range o.CORS.Origins {
		if origin != "" {
			c.origin(fmt.Sprintf("oauth.cors.origins[%d]", i), origin)
		}
	}
	c.audiences("oauth.additional_token_audience", o.AdditionalTokenAudience)
	c.scopeVerification("oauth.scope_verification", &o.ScopeVerification)
}

func (c *checker) scopeVerification(path string, v *ScopeVerification) {
	if v.Enabled && v.Endpoint == "" {
		c.add(path+".endpoint", "is missing: want the address of the service, or enabled: false")
	}
	c.outboundURL(path+".endpoint", v.Endpoint)
	c.basicCredentials(path, v.Username, v.Password)
	c.pageURL(path+".failed_endpoint", v.FailedEndpoint)
}

// basicCredentials checks what the server sends as HTTP Basic (RFC 7617): both or none.
func (c *checker) basicCredentials(path, username string, password Secret) {
	if (username == "") != password.IsZero() {
		c.add(path, "username and password belong together: write both or none")
	}
	if strings.Contains(username, ":") || hasControls(username) || len(username) > maxName {
		c.add(path+".username", "want at most %d characters without colon", maxName)
	}
	if len(password.Reveal()) > maxPassword || hasControls(password.Reveal()) {
		c.add(path+".password", "want at most %d printable characters", maxPassword)
	}
}

// signingSecret checks a secret of the Standard Webhooks form; none is no problem: one is made.
func (c *checker) signingSecret(path string, s Secret) {
	if s.Empty() {
		return
	}
	if _, err := ParseSigningSecret(s.Reveal()); err != nil {
		c.add(path, "%v", err)
	}
}

// serviceEndpoint checks what is told to the scope verification service about a scope: any address, not called by us.
func (c *checker) serviceEndpoint(path, text string) {
	if len(text) > maxServiceAddress || strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' }) {
		c.add(path, "want at most %d printable ASCII characters without blanks", maxServiceAddress)
	}
}

func (c *checker) webHooks() {
	c.unique("web_hooks", "id", len(c.d.WebHooks), func(i int) string { return c.d.WebHooks[i].ID })
	for i := range c.d.WebHooks {
		h, path := &c.d.WebHooks[i], fmt.Sprintf("web_hooks[%d]", i)
		c.identifier(path+".id", h.ID, providerShape)
		oneOf(c, path+".type", h.Type, CustomizeToken, CustomizeUser)
		if h.BaseURI == "" {
			c.add(path+".base_uri", "is missing: want https://…")
		}
		c.outboundURL(path+".base_uri", h.BaseURI)
		c.withoutQuery(path+".base_uri", h.BaseURI)
		oneOf(c, path+".authentication", h.Authentication, HookJWT, HookBasic, HookNone)
		switch {
		case h.Authentication == HookBasic && (h.Username == "" || h.Password.IsZero()):
			c.add(path, "BASIC needs username and password")
		case h.Authentication != HookBasic && (h.Username != "" || !h.Password.IsZero()):
			c.add(path, "username and password are used with BASIC alone: remove them")
		default:
			c.basicCredentials(path, h.Username, h.Password)
		}
		c.signingSecret(path+".signing_secret", h.SigningSecret)
	}
}
