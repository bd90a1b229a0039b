package settings

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	applicationShape = shape{regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`), "1 to 64 letters, digits, . _ -"}
	appVersionShape  = shape{regexp.MustCompile(`^[\x20-\x7e]{1,64}$`), "1 to 64 printable ASCII characters, in quotes"}
	bundleShape      = regexp.MustCompile(`^[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)
	appIDShape       = regexp.MustCompile(`^[A-Z0-9]{10}\.[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$`)
	hexDigits        = regexp.MustCompile(`^[0-9A-Fa-f]+$`)
)

const (
	maxSignatures     = 8
	maxSignatureParts = 4
	maxSignature      = 512
	maxPINFailures    = 100
	newestAPIVersion  = 2
	maxBundle         = 155
)

func (c *checker) applications() {
	c.unique("applications", "id", len(c.d.Applications), func(i int) string { return c.d.Applications[i].ID })
	for i := range c.d.Applications {
		c.application(fmt.Sprintf("applications[%d]", i), &c.d.Applications[i])
	}
}

func (c *checker) application(path string, a *Application) {
	c.identifier(path+".id", a.ID, applicationShape)
	c.title(path+".name", a.Name)
	if a.DevelopmentMode && c.rules.Production {
		c.add(path+".development_mode", "is on, but the server runs with environment: production: switch it off")
	}
	c.between(path+".min_api_version", a.MinAPIVersion, 0, newestAPIVersion)
	if a.MaxPINFailures != nil {
		c.between(path+".max_pin_failures", *a.MaxPINFailures, 0, maxPINFailures)
	}
	if a.PINPolicy != "" && c.names.policies[a.PINPolicy] == nil {
		c.add(path+".pin_policy", "%q is not in pin_policies", clip(a.PINPolicy))
	}
	c.between(path+".registration_validity", a.RegistrationValidity, 0, maxLongLife)
	c.between(path+".access_grant_expires_in", a.AccessGrantExpiresIn, 1, maxAccessGrantLife)
	c.between(path+".access_token_expires_in", a.AccessTokenExpiresIn, 1, maxTokenLife)
	c.between(path+".id_token_expires_in", a.IDTokenExpiresIn, 1, maxTokenLife)
	oneOf(c, path+".access_token_format", a.AccessTokenFormat, Opaque, JWT)
	if a.RedirectURL == "" && (a.RegistersUsers() || len(a.AdditionalRedirectURLs) > 0) {
		c.add(path+".redirect_url", "is missing: users who sign in must get back into the app; want myapp://… or https://…")
	}
	c.redirectURL(path+".redirect_url", a.RedirectURL)
	c.redirectURLs(path+".additional_redirect_urls", a.AdditionalRedirectURLs)
	c.distinct(path+".resource_gateways", a.ResourceGateways)
	for i, text := range a.ResourceGateways {
		if u, err := url.Parse(text); text != "" && (err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && u.Scheme != "http")) {
			c.add(fmt.Sprintf("%s.resource_gateways[%d]", path, i), "%q is no address of a gateway: want https://…", clip(text))
		}
	}
	c.audiences(path+".additional_audiences", a.AdditionalAudiences)
	c.clientScopes(path, a.DefaultScopes, a.AdditionalScopes, a.AccessTokenFormat)
	c.providers(path, a.IdentityProvider, a.AdditionalProviders)
	c.appearance(path, a.LogoURL, a.TemplateSet)
	c.hooks(path+".web_hooks", a.WebHooks)
	c.distinct(path+".app_to_web_urls", a.AppToWebURLs)
	for i, u := range a.AppToWebURLs {
		c.pageURL(fmt.Sprintf("%s.app_to_web_urls[%d]", path, i), u)
	}
	oneOf(c, path+".additional_user_authentication", a.AdditionalAuthentication, NoAdditional, AdditionalSMS)
	if a.FingerprintAuthentication && !a.UsesPIN() {
		c.add(path+".fingerprint_authentication", "needs pin_authentication: a fingerprint stands in for the PIN")
	}
	if len(a.Versions) > maxList {
		c.add(path+".versions", "has %d entries: at most %d are allowed", len(a.Versions), maxList)
	}
	first := map[versionKey]int{}
	for i := range a.Versions {
		v, at := &a.Versions[i], fmt.Sprintf("%s.versions[%d]", path, i)
		c.version(at, a, v)
		id := versionKey{a.ID, v.Platform, v.Version}
		if j, again := first[id]; again {
			c.add(at, "version %q on %s is described by versions[%d] already", clip(v.Version), clip(v.Platform), j)
			continue
		}
		first[id] = i
	}
}

func (c *checker) version(path string, a *Application, v *AppVersion) {
	oneOf(c, path+".platform", v.Platform, Android, IOS)
	c.identifier(path+".version", v.Version, appVersionShape)
	oneOf(c, path+".status", v.Status, LoginRegistration, LoginOnly, VersionDisabled)
	oneOf(c, path+".integrity_level", v.IntegrityLevel, IntegrityNone, IntegrityFull)
	c.signatures(path, a, v)
	if v.Framework != "" {
		oneOf(c, path+".framework", v.Framework, "CORDOVA")
	}
	if v.PushConfiguration != "" {
		switch p := c.names.PushConfiguration(v.PushConfiguration); {
		case p == nil:
			c.add(path+".push_configuration", "%q is not in push_configurations", clip(v.PushConfiguration))
		case p.Platform != v.Platform:
			c.add(path+".push_configuration", "%q is for %s: choose one for %s", clip(v.PushConfiguration), clip(p.Platform), clip(v.Platform))
		}
	}
	if v.BundleIdentifier != "" && (!bundleShape.MatchString(v.BundleIdentifier) || len(v.BundleIdentifier) > maxBundle) {
		c.add(path+".bundle_identifier", "%q is malformed: want letters, digits, - and dots, such as com.example.bank", clip(v.BundleIdentifier))
	}
	switch v.Platform {
	case IOS:
		if v.PushConfiguration != "" && v.BundleIdentifier == "" {
			c.add(path+".bundle_identifier", "is missing: APNs needs it as topic")
		}
		if v.Framework != "" {
			c.add(path+".framework", "exists for android only: remove it")
		}
	case Android:
		if v.APNsDevelopment || v.SendBadgeNumber || v.BundleIdentifier != "" {
			c.add(path, "apns_development, send_badge_number and bundle_identifier exist for ios only: remove them")
		}
	}
}

// signatures checks what an app of this version shows of itself. With tampering protection each part is key material:
// as long as a key of 128, 192 or 256 bits as the SDK writes it in hex, or an iOS App ID.
func (c *checker) signatures(path string, a *Application, v *AppVersion) {
	list := path + ".application_signatures"
	if len(v.Signatures) == 0 {
		if v.TamperingProtection || (!a.DevelopmentMode && v.IntegrityLevel != IntegrityNone) {
			c.add(list, "is empty: an app could not prove itself; write its signature (or use development_mode or integrity_level NONE while testing)")
		}
		return
	}
	if len(v.Signatures) > maxSignatures {
		c.add(list, "has %d entries: at most %d are allowed", len(v.Signatures), maxSignatures)
	}
	c.distinct(list, v.Signatures)
	for i, signature := range v.Signatures {
		if signature == "" {
			continue
		}
		at := fmt.Sprintf("%s[%d]", list, i)
		if len(signature) > maxSignature || hasControls(signature) {
			c.add(at, "want at most %d printable characters", maxSignature)
			continue
		}
		parts := strings.Split(signature, "|")
		if len(parts) > maxSignatureParts {
			c.add(at, "has %d parts: at most %d are allowed between |", len(parts), maxSignatureParts)
		}
		for j, part := range parts {
			part = strings.TrimSpace(part)
			switch {
			case part == "":
				c.add(at, "part %d is empty: remove the |", j+1)
			case v.TamperingProtection && !keyMaterial(v.Platform, part):
				c.add(at, "part %d is not accepted with tampering_protection: want 32, 48 or 64 hex digits%s", j+1,
					map[bool]string{true: ", or an App ID such as Q7X2M9K4TB.com.example.bank"}[v.Platform == IOS])
			}
		}
	}
}

func keyMaterial(platform, part string) bool {
	if platform == IOS && appIDShape.MatchString(part) {
		return true
	}
	digits := strings.ReplaceAll(part, ":", "")
	return hexDigits.MatchString(digits) && slices.Contains([]int{32, 48, 64}, len(digits))
}
