package settings

// Snapshot is one immutable state of the settings, indexed. Every request works on one. Callers must not change what
// the lookups return.
type Snapshot struct {
	Number   int64 // settings_version: raised by every write
	Document Document

	applications map[string]*Application
	versions     map[versionKey]*AppVersion
	webClients   map[string]*WebClient
	apiClients   map[string]*APIClient
	scopes       map[string]*Scope
	types        map[string]*AuthenticationType
	pushes       map[string]*PushConfiguration
	callbacks    map[string]*Callback
	providers    map[string]*IdentityProvider
	policies     map[string]*PINPolicy
	osRules      map[string]*OSRule
	hooks        map[string]*WebHook
	origins      map[string]bool
}

type versionKey struct{ application, platform, version string }

// NewSnapshot indexes a document that has been validated and completed with its defaults.
func NewSnapshot(number int64, d Document) *Snapshot {
	s := &Snapshot{Number: number, Document: d, versions: map[versionKey]*AppVersion{}}
	s.applications = index(d.Applications, func(a *Application) string { return a.ID })
	s.webClients = index(d.WebClients, func(c *WebClient) string { return c.ID })
	s.apiClients = index(d.APIClients, func(c *APIClient) string { return c.ID })
	s.scopes = index(d.Scopes, func(c *Scope) string { return c.ID })
	s.types = index(d.AuthenticationTypes, func(t *AuthenticationType) string { return t.Name })
	s.pushes = index(d.PushConfigurations, func(p *PushConfiguration) string { return p.ID })
	s.callbacks = index(d.Callbacks, func(c *Callback) string { return c.URL })
	s.providers = index(d.IdentityProviders, func(p *IdentityProvider) string { return p.ID })
	s.policies = index(d.PINPolicies, func(p *PINPolicy) string { return p.Name })
	s.hooks = index(d.WebHooks, func(h *WebHook) string { return h.ID })
	s.osRules = index(d.OSRules, func(r *OSRule) string { return r.Platform })
	s.origins = allowedOrigins(d)
	for _, a := range s.applications {
		for i := range a.Versions {
			v := &a.Versions[i]
			s.versions[versionKey{a.ID, v.Platform, v.Version}] = v
		}
	}
	return s
}

func index[T any](list []T, key func(*T) string) map[string]*T {
	m := make(map[string]*T, len(list))
	for i := range list {
		m[key(&list[i])] = &list[i]
	}
	return m
}

// Application returns the application with that identifier, nil when there is none. So do the other lookups.
func (s *Snapshot) Application(id string) *Application { return s.applications[id] }

// Version returns one version of an application on a platform.
func (s *Snapshot) Version(application, platform, version string) *AppVersion {
	return s.versions[versionKey{application, platform, version}]
}

// WebClient returns the web client with that client id.
func (s *Snapshot) WebClient(id string) *WebClient { return s.webClients[id] }

// APIClient returns the API client with that client id.
func (s *Snapshot) APIClient(id string) *APIClient { return s.apiClients[id] }

// Scope returns the scope with that id.
func (s *Snapshot) Scope(id string) *Scope { return s.scopes[id] }

// AuthenticationType returns the authentication type with that name.
func (s *Snapshot) AuthenticationType(name string) *AuthenticationType { return s.types[name] }

// PushConfiguration returns the push configuration with that id.
func (s *Snapshot) PushConfiguration(id string) *PushConfiguration { return s.pushes[id] }

// Callback returns what is configured for exactly that URL.
func (s *Snapshot) Callback(url string) *Callback { return s.callbacks[url] }

// IdentityProvider returns the identity provider with that id.
func (s *Snapshot) IdentityProvider(id string) *IdentityProvider { return s.providers[id] }

// OSRule returns the rule for the operating system of a platform.
func (s *Snapshot) OSRule(platform string) *OSRule { return s.osRules[platform] }

// PINPolicyOf returns the policy of an application: the one it names, else the default one.
func (s *Snapshot) PINPolicyOf(a *Application) *PINPolicy {
	if p := s.policies[a.PINPolicy]; p != nil {
		return p
	}
	for _, p := range s.policies {
		if p.Default {
			return p
		}
	}
	return nil
}

// on reads a switch whose absence means true.
func on(b *bool) bool { return b == nil || *b }

// MobileAuthenticationOn tells whether mobile authentication is on as a whole.
func (s *Snapshot) MobileAuthenticationOn() bool { return on(s.Document.Features.MobileAuthentication) }

// CustomRegistrationOn tells whether users may be registered by API.
func (s *Snapshot) CustomRegistrationOn() bool { return on(s.Document.Features.CustomRegistration) }

// TransactionSigningOn tells whether transaction signing is on as a whole.
func (s *Snapshot) TransactionSigningOn() bool { return on(s.Document.Features.TransactionSigning) }

// EnrollmentOn tells whether installations may enroll for mobile authentication.
func (m MobileAuthentication) EnrollmentOn() bool { return on(m.EnrollmentEnabled) }

// PushEnrollmentOn tells whether push tokens may be enrolled.
func (m MobileAuthentication) PushEnrollmentOn() bool { return on(m.PushEnrollmentEnabled) }

// PushAuthenticationOn tells whether push transactions may be started.
func (m MobileAuthentication) PushAuthenticationOn() bool { return on(m.PushAuthenticationEnabled) }

// KnownCallbacksOnly tells whether a callback URL must be a configured one.
func (m MobileAuthentication) KnownCallbacksOnly() bool { return on(m.PreconfiguredCallbacksOnly) }

// Mode returns the push enrollment mode; SINGLE_DEVICE unless configured.
func (m MobileAuthentication) Mode() PushMode {
	if m.PushEnrollmentMode == "" {
		return SingleDevice
	}
	return m.PushEnrollmentMode
}

// RegistersUsers tells whether users may sign in through the app: the authorization code flow.
func (a *Application) RegistersUsers() bool { return on(a.UserRegistration) }

// CallsAnonymously tells whether an installation may get a token of its own: the client credentials flow.
func (a *Application) CallsAnonymously() bool { return on(a.AnonymousResourceCalls) }

// UsesPIN tells whether refresh tokens, protected by the PIN, are issued.
func (a *Application) UsesPIN() bool { return on(a.PINAuthentication) }

// PINLimit returns how many wrong PINs remove a profile; 0 = unlimited.
func (a *Application) PINLimit() int {
	const usual = 3
	if a.MaxPINFailures == nil {
		return usual
	}
	return *a.MaxPINFailures
}

// EnforcesSecurityControls tells whether a debugger or jailbreak that the app reports refuses it.
func (v *AppVersion) EnforcesSecurityControls() bool { return on(v.SecurityControlsEnforced) }

// Integrity returns the integrity level; FULL unless configured.
func (v *AppVersion) Integrity() IntegrityLevel {
	if v.IntegrityLevel == "" {
		return IntegrityFull
	}
	return v.IntegrityLevel
}

// CurrentStatus returns the status; LOGIN_REGISTRATION unless configured.
func (v *AppVersion) CurrentStatus() VersionStatus {
	if v.Status == "" {
		return LoginRegistration
	}
	return v.Status
}

// Rotates tells whether every refresh makes a new refresh token.
func (c *WebClient) Rotates() bool { return on(c.RotateRefreshTokens) }

// Allows tells whether the client has the grant.
func (c *WebClient) Allows(g Grant) bool {
	for _, have := range c.Grants {
		if have == g {
			return true
		}
	}
	return false
}

// Public tells whether the client has no credentials of its own.
func (c *WebClient) Public() bool {
	return c.Authentication == PKCEOnly || c.Authentication == PublicClient
}

// WebHook returns the web hook with that id.
func (s *Snapshot) WebHook(id string) *WebHook { return s.hooks[id] }
