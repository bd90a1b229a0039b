package settings

import (
	"fmt"
	"slices"
	"strings"
)

const (
	minSessions = 2 // of one user on one client
	maxSessions = 25
)

// userCode is the place of the code in the address of a client's own page for device logins.
const userCode = "{user_code}"

func (c *checker) webClients() {
	for i := range c.d.WebClients {
		c.webClient(fmt.Sprintf("web_clients[%d]", i), &c.d.WebClients[i])
	}
}

func (c *checker) webClient(path string, w *WebClient) {
	c.clientID(path, w.ID)
	c.title(path+".name", w.Name)
	oneOf(c, path+".client_authentication_method", w.Authentication, SecretBasic, PrivateKeyJWT, PKCEOnly, PublicClient)
	c.clientCredentials(path, machineCredentials{w.Authentication, w.Secret, w.HashedSecret, w.PublicKey, w.JWKSURI})
	oneOf(c, path+".access_token_format", w.AccessTokenFormat, Opaque, JWT)
	c.grants(path, w)
	c.redirects(path, w)
	if w.RefreshTokenEnabled && !w.Allows(AuthorizationCode) && !w.Allows(DeviceCode) && !w.Allows(Password) {
		c.add(path+".refresh_token_enabled", "needs AUTHORIZATION_CODE, DEVICE_CODE or PASSWORD among the grant_types")
	}
	if w.ValidatesTokens && w.Public() {
		c.add(path+".validates_access_tokens", "needs a client that authenticates: a %s one cannot have it", w.Authentication)
	}
	c.between(path+".access_grant_expires_in", w.AccessGrantExpiresIn, 1, maxAccessGrantLife)
	c.between(path+".access_token_expires_in", w.AccessTokenExpiresIn, 1, maxTokenLife)
	c.between(path+".id_token_expires_in", w.IDTokenExpiresIn, 1, maxTokenLife)
	c.between(path+".refresh_token_expires_in", w.RefreshTokenExpiresIn, 0, maxLongLife)
	c.between(path+".max_refresh_token_validity", w.MaxRefreshValidity, 0, maxLongLife)
	if w.SimultaneousSessions || w.MaxSimultaneousSessions != 0 {
		c.between(path+".max_simultaneous_sessions", w.MaxSimultaneousSessions, minSessions, maxSessions)
	}
	c.audiences(path+".additional_audiences", w.AdditionalAudiences)
	c.audiences(path+".resource_gateways", w.ResourceGateways)
	c.clientScopes(path, w.DefaultScopes, w.AdditionalScopes, w.AccessTokenFormat)
	c.providers(path, w.IdentityProvider, w.AdditionalProviders)
	c.appearance(path, w.LogoURL, w.TemplateSet)
	c.hooks(path+".web_hooks", w.WebHooks)
	oneOf(c, path+".additional_user_authentication", w.AdditionalAuthentication, NoAdditional, AdditionalSMS)
	c.openIDConnect(path+".open_id_connect", &w.OpenIDConnect)
}

// grants checks which grants a client may have together, and with its way to authenticate.
func (c *checker) grants(path string, w *WebClient) {
	at := path + ".grant_types"
	if len(w.Grants) == 0 {
		c.add(at, "is empty: want AUTHORIZATION_CODE, CLIENT_CREDENTIALS, DEVICE_CODE, PASSWORD or IMPLICIT")
	}
	for i, g := range w.Grants {
		oneOf(c, fmt.Sprintf("%s[%d]", at, i), g, AuthorizationCode, ClientCredentials, DeviceCode, Password, Implicit)
		if slices.Contains(w.Grants[:i], g) {
			c.add(fmt.Sprintf("%s[%d]", at, i), "%s is in the list twice: remove one", g)
		}
	}
	if w.Allows(Password) && (w.Allows(AuthorizationCode) || w.Allows(DeviceCode)) {
		c.add(at, "PASSWORD cannot stand beside AUTHORIZATION_CODE or DEVICE_CODE: make a client of its own for it")
	}
	if w.Allows(Password) && !w.SkipConsent {
		c.add(path+".skip_consent", "must be true with PASSWORD: there is no page that could ask")
	}
	for _, g := range w.Grants {
		switch {
		case w.Authentication == PKCEOnly && g != AuthorizationCode:
			c.add(at, "a client with authentication PKCE may only have AUTHORIZATION_CODE")
			return
		case w.Authentication == PublicClient && (g == ClientCredentials || g == Password):
			c.add(at, "%s needs a client that authenticates: a PUBLIC one cannot have it", g)
		}
	}
}

// redirects checks the addresses at which users come back to the client.
func (c *checker) redirects(path string, w *WebClient) {
	for _, g := range []Grant{AuthorizationCode, Implicit} {
		if w.Allows(g) && len(w.RedirectURLs) == 0 {
			c.add(path+".redirect_urls", "is empty: %s needs at least one", g)
		}
	}
	c.redirectURLs(path+".redirect_urls", w.RedirectURLs)
	c.redirectURL(path+".device_verification_uri", w.DeviceVerificationURI)
	c.redirectURL(path+".device_verification_uri_complete", w.DeviceVerificationFull)
	if w.DeviceVerificationFull != "" && !strings.Contains(w.DeviceVerificationFull, userCode) {
		c.add(path+".device_verification_uri_complete", "lacks %s, which stands for the code", userCode)
	}
	if w.DeviceVerificationFull != "" && w.DeviceVerificationURI == "" {
		c.add(path+".device_verification_uri", "is missing: device_verification_uri_complete needs it")
	}
}

func (c *checker) redirectURLs(path string, urls []string) {
	c.distinct(path, urls)
	for i, u := range urls {
		c.redirectURL(fmt.Sprintf("%s[%d]", path, i), u)
	}
}

// appearance checks how a client looks on our pages.
func (c *checker) appearance(path, logo, templates string) {
	c.pictureURL(path+".logo_url", logo)
	c.templateSet(path+".template_set", templates)
}

func (c *checker) templateSet(path, name string) {
	if name != "" {
		c.identifier(path, name, providerShape)
	}
}

// hooks checks which web hooks a client has: one of each type at most.
func (c *checker) hooks(path string, ids []string) {
	c.distinct(path, ids)
	first := map[HookType]string{}
	for i, id := range ids {
		hook := c.names.WebHook(id)
		switch {
		case id == "" || slices.Contains(ids[:i], id):
			continue
		case hook == nil:
			c.add(fmt.Sprintf("%s[%d]", path, i), "%q is not in web_hooks", clip(id))
			continue
		}
		if other, taken := first[hook.Type]; taken {
			c.add(fmt.Sprintf("%s[%d]", path, i), "%q and %q have the same type: keep one", clip(other), clip(id))
		}
		first[hook.Type] = id
	}
}

// ContentEncryptions are how ID tokens may be encrypted: enc of the JWE (RFC 7518 §5.1).
func ContentEncryptions() []string {
	return []string{"A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"}
}

func (c *checker) openIDConnect(path string, o *OpenIDConnect) {
	c.audiences(path+".additional_audiences", o.AdditionalAudiences)
	c.redirectURLs(path+".post_logout_redirect_urls", o.PostLogoutRedirectURLs)
	c.pageURL(path+".front_channel_logout_url", o.FrontChannelLogoutURL)
	if o.FrontChannelSession && o.FrontChannelLogoutURL == "" {
		c.add(path+".front_channel_logout_session_required", "needs a front_channel_logout_url")
	}
	c.outboundURL(path+".back_channel_logout_url", o.BackChannelLogoutURL)
	if o.BackChannelSession && o.BackChannelLogoutURL == "" {
		c.add(path+".back_channel_logout_session_required", "needs a back_channel_logout_url")
	}
	e, at := o.IDTokenEncryption, path+".id_token_encryption"
	if e.Method != "" {
		oneOf(c, at+".method", e.Method, ContentEncryptions()...)
	}
	if e.Enabled && e.JWKSURI == "" {
		c.add(at+".jwks_uri", "is missing: ID tokens are encrypted to a key that the client publishes there")
	}
	c.outboundURL(at+".jwks_uri", e.JWKSURI)
}
