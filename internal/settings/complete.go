package settings

import "slices"

// The defaults of what a document leaves out. Lifetimes are in seconds.
const (
	defaultPINLength            = 5
	defaultAccessGrantLife      = 30
	defaultAccessTokenLife      = 900
	defaultIDTokenLife          = 3600
	defaultTransactionExpiresIn = 300
	defaultSessionInactivity    = 1800
	defaultSessionMaximum       = 8 * 3600
	defaultCacheLife            = 300
	defaultMetadataDays         = 1
	defaultEncryptionMethod     = "A128CBC-HS256" // OpenID Connect Registration §2
)

// Complete returns a copy of d in which every absent value has its default: also one PIN policy when there is none at
// all, and the built-in accounts when there is no identity provider. Completing twice changes nothing.
func (d Document) Complete() Document {
	d = d.copied()
	if d.MobileAuthentication.PushEnrollmentMode == "" {
		d.MobileAuthentication.PushEnrollmentMode = SingleDevice
	}
	d.OAuth.complete()
	or(&d.SAML.MetadataDays, defaultMetadataDays)
	if len(d.PINPolicies) == 0 {
		d.PINPolicies = []PINPolicy{{Name: "default", Default: true, Length: defaultPINLength, MaxSimilarDigits: 3}}
	}
	for i := range d.PINPolicies {
		p := &d.PINPolicies[i]
		or(&p.Length, defaultPINLength)
		or(&p.MaxSimilarDigits, p.Length)
	}
	if len(d.IdentityProviders) == 0 {
		d.IdentityProviders = []IdentityProvider{{ID: "accounts", Name: "Accounts", Type: BuiltInAccounts, Default: true}}
	}
	for i := range d.IdentityProviders {
		d.IdentityProviders[i].complete()
	}
	for i := range d.WebHooks {
		or(&d.WebHooks[i].Authentication, HookJWT)
	}
	for i := range d.PushConfigurations {
		or(&d.PushConfigurations[i].Name, d.PushConfigurations[i].ID)
	}
	for i := range d.Applications {
		d.Applications[i].complete()
	}
	for i := range d.WebClients {
		d.WebClients[i].complete()
	}
	for i := range d.APIClients {
		or(&d.APIClients[i].Authentication, SecretBasic)
		or(&d.APIClients[i].Name, d.APIClients[i].ID)
	}
	for i := range d.SMSGateways {
		d.SMSGateways[i].complete()
	}
	for i := range d.AuthenticationTypes {
		or(&d.AuthenticationTypes[i].ExpiresIn, defaultTransactionExpiresIn)
	}
	return d
}

func (o *OAuth) complete() {
	or(&o.FingerprintMisuse, MisuseClient)
	or(&o.SessionMaximum, defaultSessionMaximum)
	or(&o.SessionInactivity, min(defaultSessionInactivity, o.SessionMaximum))
}

func (p *IdentityProvider) complete() {
	or(&p.Type, BuiltInAccounts)
	or(&p.Name, p.ID)
	if p.UserInfoSource != nil {
		or(&p.UserInfoSource.CacheLife, defaultCacheLife)
	}
	if p.OAuth != nil {
		or(&p.OAuth.Authentication, ProviderSecretBasic)
		if p.Type == OAuthProvider {
			or(&p.OAuth.UserIDClaim, "userId")
		}
	}
	if p.Header != nil {
		or(&p.Header.UserIDHeader, "iv-user")
		or(&p.Header.LevelHeader, "authentication-level")
	}
}

func (a *Application) complete() {
	or(&a.Name, a.ID)
	or(&a.AccessGrantExpiresIn, defaultAccessGrantLife)
	or(&a.AccessTokenExpiresIn, defaultAccessTokenLife)
	or(&a.IDTokenExpiresIn, defaultIDTokenLife)
	or(&a.AccessTokenFormat, Opaque)
	or(&a.AdditionalAuthentication, NoAdditional)
	for i := range a.Versions {
		or(&a.Versions[i].Status, LoginRegistration)
		or(&a.Versions[i].IntegrityLevel, IntegrityFull)
	}
}

func (c *WebClient) complete() {
	or(&c.Name, c.ID)
	if c.Allows(DeviceCode) {
		or(&c.Authentication, PublicClient)
	}
	or(&c.Authentication, SecretBasic)
	or(&c.AccessTokenFormat, Opaque)
	or(&c.AdditionalAuthentication, NoAdditional)
	if c.SimultaneousSessions {
		or(&c.MaxSimultaneousSessions, maxSessions)
	}
	if c.OpenIDConnect.IDTokenEncryption.Enabled {
		or(&c.OpenIDConnect.IDTokenEncryption.Method, defaultEncryptionMethod)
	}
	or(&c.AccessGrantExpiresIn, defaultAccessGrantLife)
	or(&c.AccessTokenExpiresIn, defaultAccessTokenLife)
	or(&c.IDTokenExpiresIn, defaultIDTokenLife)
}

// or gives an absent value its default.
func or[T comparable](value *T, fallback T) {
	var zero T
	if *value == zero {
		*value = fallback
	}
}

// copied returns d with lists of its own, as deep as Complete, and merging stored secrets, write into them.
func (d Document) copied() Document {
	d.PINPolicies = slices.Clone(d.PINPolicies)
	d.IdentityProviders = slices.Clone(d.IdentityProviders)
	for i := range d.IdentityProviders {
		p := &d.IdentityProviders[i]
		p.UserInfoSource, p.OAuth, p.SAML = clone(p.UserInfoSource), clone(p.OAuth), clone(p.SAML)
		p.Header, p.Custom = clone(p.Header), clone(p.Custom)
	}
	d.WebHooks = slices.Clone(d.WebHooks)
	d.PushConfigurations = slices.Clone(d.PushConfigurations)
	d.Applications = slices.Clone(d.Applications)
	for i := range d.Applications {
		d.Applications[i].Versions = slices.Clone(d.Applications[i].Versions)
	}
	d.WebClients = slices.Clone(d.WebClients)
	d.APIClients = slices.Clone(d.APIClients)
	d.AuthenticationTypes = slices.Clone(d.AuthenticationTypes)
	d.Callbacks = slices.Clone(d.Callbacks)
	d.SMSGateways = slices.Clone(d.SMSGateways)
	d.Users = slices.Clone(d.Users)
	return d
}

func clone[T any](p *T) *T {
	if p == nil {
		return nil
	}
	copied := *p
	return &copied
}
