package settings

// Document is the whole of the settings as administrators write them: one YAML document, and the same shape in JSON.
// Lists keep their order; identifiers are unique within their list. Durations are seconds.
type Document struct {
	Features             Features             `yaml:"features" json:"features"`
	MobileAuthentication MobileAuthentication `yaml:"mobile_authentication" json:"mobile_authentication"`
	OAuth                OAuth                `yaml:"oauth" json:"oauth"`
	SAML                 SAMLServiceProvider  `yaml:"saml" json:"saml"`
	Scopes               []Scope              `yaml:"scopes" json:"scopes"`
	PINPolicies          []PINPolicy          `yaml:"pin_policies" json:"pin_policies"`
	IdentityProviders    []IdentityProvider   `yaml:"identity_providers" json:"identity_providers"`
	WebHooks             []WebHook            `yaml:"web_hooks" json:"web_hooks"`
	OSRules              []OSRule             `yaml:"os_rules" json:"os_rules"`
	PushConfigurations   []PushConfiguration  `yaml:"push_configurations" json:"push_configurations"`
	Applications         []Application        `yaml:"applications" json:"applications"`
	WebClients           []WebClient          `yaml:"web_clients" json:"web_clients"`
	APIClients           []APIClient          `yaml:"api_clients" json:"api_clients"`
	AuthenticationTypes  []AuthenticationType `yaml:"authentication_types" json:"authentication_types"`
	Callbacks            []Callback           `yaml:"callbacks" json:"callbacks"`
	SMS                  SMS                  `yaml:"sms" json:"sms"`
	SMSGateways          []SMSGateway         `yaml:"sms_gateways" json:"sms_gateways"`
	Users                []User               `yaml:"users" json:"users"`
}

// Features are switches that turn a whole area off; its settings stay stored.
type Features struct {
	MobileAuthentication *bool `yaml:"mobile_authentication" json:"mobile_authentication,omitempty"` // default true
	TransactionSigning   *bool `yaml:"transaction_signing" json:"transaction_signing,omitempty"`     // default true
	CustomRegistration   *bool `yaml:"custom_registration" json:"custom_registration,omitempty"`     // default true
}

// PushMode is what happens when a user enrolls a second device for push.
type PushMode string

// The push enrollment modes.
const (
	SingleDevice    PushMode = "SINGLE_DEVICE"
	OverrideAllowed PushMode = "OVERRIDE_ALLOWED"
	MultipleDevices PushMode = "MULTIPLE_DEVICES"
)

// MobileAuthentication is the general configuration of mobile authentication. Absent switches take their default.
type MobileAuthentication struct {
	EnrollmentEnabled          *bool    `yaml:"enrollment_enabled" json:"enrollment_enabled,omitempty"`                     // default true
	UniqueKeysPerEnrollment    bool     `yaml:"unique_keys_per_enrollment" json:"unique_keys_per_enrollment"`               // default false: one shared server key pair
	PreconfiguredCallbacksOnly *bool    `yaml:"preconfigured_callbacks_only" json:"preconfigured_callbacks_only,omitempty"` // default true
	PushEnrollmentEnabled      *bool    `yaml:"push_enrollment_enabled" json:"push_enrollment_enabled,omitempty"`           // default true
	PushAuthenticationEnabled  *bool    `yaml:"push_authentication_enabled" json:"push_authentication_enabled,omitempty"`   // default true
	PushEnrollmentMode         PushMode `yaml:"push_enrollment_mode" json:"push_enrollment_mode"`                           // default SINGLE_DEVICE
}

// Scope is something a token may be good for.
type Scope struct {
	ID                string            `yaml:"id" json:"id"` // letters, digits and _ - : . up to 255
	UsageLimit        int               `yaml:"usage_limit" json:"usage_limit"`
	Level             int               `yaml:"authentication_level" json:"authentication_level"` // that a user needs; of several scopes the highest counts
	ServiceEndpoint   string            `yaml:"service_endpoint" json:"service_endpoint"`         // for the scope verification service
	FailedEndpoint    string            `yaml:"verification_failed_endpoint" json:"verification_failed_endpoint"`
	PersistentConsent bool              `yaml:"persistent_consent" json:"persistent_consent"` // true: asked once; false: asked at every authorization
	Descriptions      map[string]string `yaml:"descriptions" json:"descriptions"`             // by language: en, nl, de, fr
}

// PINPolicy says which PINs the app accepts at creation and change. The server never sees a PIN.
type PINPolicy struct {
	Name             string   `yaml:"name" json:"name"`
	Default          bool     `yaml:"default" json:"default"` // exactly one policy is
	Length           int      `yaml:"length" json:"length"`   // 5 to 32
	MaxSimilarDigits int      `yaml:"max_similar_digits" json:"max_similar_digits"`
	SequencesAllowed bool     `yaml:"sequences_allowed" json:"sequences_allowed"`
	BlockedPINs      []string `yaml:"blocked_pins" json:"blocked_pins"`
}

// OSRule restricts the versions of one operating system.
type OSRule struct {
	Platform        string   `yaml:"platform" json:"platform"` // android or ios
	MinimumVersion  string   `yaml:"minimum_version" json:"minimum_version"`
	BlockedVersions []string `yaml:"blocked_versions" json:"blocked_versions"`
}

// PushConfiguration is one way to reach APNs or FCM. Several app versions may share it.
type PushConfiguration struct {
	ID       string `yaml:"id" json:"id"`
	Name     string `yaml:"name" json:"name"`
	Platform string `yaml:"platform" json:"platform"` // android or ios

	TeamID     string `yaml:"team_id" json:"team_id,omitempty"`                  // ios, 10 characters
	KeyID      string `yaml:"key_id" json:"key_id,omitempty"`                    // ios, 10 characters
	SigningKey Secret `yaml:"signing_key,omitempty" json:"signing_key,omitzero"` // ios, the .p8 file

	ServiceAccount Secret `yaml:"service_account,omitempty" json:"service_account,omitzero"` // android, service account JSON
}

// Application is a mobile app in all its versions.
type Application struct {
	ID                        string                   `yaml:"id" json:"id"` // [A-Za-z0-9._-]{1,64}
	Name                      string                   `yaml:"name" json:"name"`
	DevelopmentMode           bool                     `yaml:"development_mode" json:"development_mode"`
	MinAPIVersion             int                      `yaml:"min_api_version" json:"min_api_version"`               // of new registrations; 0 = any
	UserRegistration          *bool                    `yaml:"user_registration" json:"user_registration,omitempty"` // default true: authorization code flow
	AnonymousResourceCalls    *bool                    `yaml:"anonymous_resource_calls" json:"anonymous_resource_calls,omitempty"`
	PINAuthentication         *bool                    `yaml:"pin_authentication" json:"pin_authentication,omitempty"` // default true: refresh tokens are issued
	MaxPINFailures            *int                     `yaml:"max_pin_failures" json:"max_pin_failures,omitempty"`     // default 3; 0 = unlimited
	PINPolicy                 string                   `yaml:"pin_policy" json:"pin_policy"`                           // "" = the default policy
	RegistrationValidity      int                      `yaml:"registration_validity" json:"registration_validity"`     // 0 = endless
	AccessGrantExpiresIn      int                      `yaml:"access_grant_expires_in" json:"access_grant_expires_in"` // default 30
	AccessTokenExpiresIn      int                      `yaml:"access_token_expires_in" json:"access_token_expires_in"` // default 900
	IDTokenExpiresIn          int                      `yaml:"id_token_expires_in" json:"id_token_expires_in"`         // default 3600
	AccessTokenFormat         string                   `yaml:"access_token_format" json:"access_token_format"`         // OPAQUE (default) or JWT
	RedirectURL               string                   `yaml:"redirect_url" json:"redirect_url"`
	AdditionalRedirectURLs    []string                 `yaml:"additional_redirect_urls" json:"additional_redirect_urls"`
	ResourceGateways          []string                 `yaml:"resource_gateways" json:"resource_gateways"` // URIs the app calls
	AdditionalAudiences       []string                 `yaml:"additional_audiences" json:"additional_audiences"`
	DefaultScopes             []string                 `yaml:"default_scopes" json:"default_scopes"`
	AdditionalScopes          []string                 `yaml:"additional_scopes" json:"additional_scopes"`
	IdentityProvider          string                   `yaml:"identity_provider" json:"identity_provider"`
	AdditionalProviders       []string                 `yaml:"additional_identity_providers" json:"additional_identity_providers"`
	SkipConsent               bool                     `yaml:"skip_consent" json:"skip_consent"`
	SkipAuthorizationComplete bool                     `yaml:"skip_authorization_complete" json:"skip_authorization_complete"`
	FingerprintAuthentication bool                     `yaml:"fingerprint_authentication" json:"fingerprint_authentication"`
	ImplicitAuthentication    bool                     `yaml:"implicit_authentication" json:"implicit_authentication"`
	StatelessAuthentication   bool                     `yaml:"stateless_authentication" json:"stateless_authentication"`
	LogoURL                   string                   `yaml:"logo_url" json:"logo_url"` // https
	TemplateSet               string                   `yaml:"template_set" json:"template_set"`
	WebHooks                  []string                 `yaml:"web_hooks" json:"web_hooks"`                                           // ids
	AppToWebURLs              []string                 `yaml:"app_to_web_urls" json:"app_to_web_urls"`                               // where app-to-web sign-in may lead
	AdditionalAuthentication  AdditionalAuthentication `yaml:"additional_user_authentication" json:"additional_user_authentication"` // default NONE

	Versions []AppVersion `yaml:"versions" json:"versions"`
}

// VersionStatus tells what a version of an app may do.
type VersionStatus string

// The states of an app version.
const (
	LoginRegistration VersionStatus = "LOGIN_REGISTRATION"
	LoginOnly         VersionStatus = "LOGIN_ONLY"
	VersionDisabled   VersionStatus = "DISABLED"
)

// IntegrityLevel says how much an installation of API version 2 must prove.
type IntegrityLevel string

// The integrity levels.
const (
	IntegrityNone IntegrityLevel = "NONE"
	IntegrityFull IntegrityLevel = "FULL" // default
)

// AppVersion is one version of an application on one platform.
type AppVersion struct {
	Platform                 string         `yaml:"platform" json:"platform"` // android or ios
	Version                  string         `yaml:"version" json:"version"`   // 1 to 64 printable ASCII, compared byte for byte
	Status                   VersionStatus  `yaml:"status" json:"status"`     // default LOGIN_REGISTRATION
	Signatures               []string       `yaml:"application_signatures" json:"application_signatures"`
	TamperingProtection      bool           `yaml:"tampering_protection" json:"tampering_protection"`                       // API version 1
	IntegrityLevel           IntegrityLevel `yaml:"integrity_level" json:"integrity_level"`                                 // API version 2
	SecurityControlsEnforced *bool          `yaml:"security_controls_enforced" json:"security_controls_enforced,omitempty"` // default true: a reported debugger or jailbreak refuses
	PushConfiguration        string         `yaml:"push_configuration" json:"push_configuration"`
	Framework                string         `yaml:"framework" json:"framework"`                 // CORDOVA or empty, android
	APNsDevelopment          bool           `yaml:"apns_development" json:"apns_development"`   // ios: the development environment
	SendBadgeNumber          bool           `yaml:"send_badge_number" json:"send_badge_number"` // ios
	BundleIdentifier         string         `yaml:"bundle_identifier" json:"bundle_identifier"` // ios: the APNs topic
}

// ClientAuthentication is how a client proves itself.
type ClientAuthentication string

// The methods of client authentication. SecretBasic allows the secret in the form too.
const (
	SecretBasic   ClientAuthentication = "CLIENT_SECRET_BASIC"
	PrivateKeyJWT ClientAuthentication = "PRIVATE_KEY_JWT"
	PKCEOnly      ClientAuthentication = "PKCE"
	PublicClient  ClientAuthentication = "PUBLIC"
)

// Grant is something a web client may do at the token endpoint.
type Grant string

// The grants of web clients.
const (
	AuthorizationCode Grant = "AUTHORIZATION_CODE"
	ClientCredentials Grant = "CLIENT_CREDENTIALS"
	DeviceCode        Grant = "DEVICE_CODE"
	Password          Grant = "PASSWORD" // deprecated
	Implicit          Grant = "IMPLICIT" // deprecated
)

// The formats of access tokens.
const (
	Opaque = "OPAQUE"
	JWT    = "JWT"
)

// WebClient is an OAuth client that an administrator made.
type WebClient struct {
	ID                    string               `yaml:"client_id" json:"client_id"`
	Name                  string               `yaml:"name" json:"name"`
	Disabled              bool                 `yaml:"disabled" json:"disabled"`
	Authentication        ClientAuthentication `yaml:"client_authentication_method" json:"client_authentication_method"`
	Secret                ClientSecret         `yaml:"client_secret,omitempty" json:"client_secret,omitzero"`
	HashedSecret          Secret               `yaml:"hashed_client_secret,omitempty" json:"hashed_client_secret,omitzero"` // PHC form, instead of client_secret
	PublicKey             string               `yaml:"public_key" json:"public_key,omitempty"`                              // PEM, for PRIVATE_KEY_JWT
	JWKSURI               string               `yaml:"jwks_uri" json:"jwks_uri,omitempty"`                                  // wins over public_key
	Grants                []Grant              `yaml:"grant_types" json:"grant_types"`
	RequirePKCE           bool                 `yaml:"require_pkce" json:"require_pkce"` // public clients always need it
	ValidatesTokens       bool                 `yaml:"validates_access_tokens" json:"validates_access_tokens"`
	AccessTokenFormat     string               `yaml:"access_token_format" json:"access_token_format"`
	RedirectURLs          []string             `yaml:"redirect_urls" json:"redirect_urls"`
	AccessGrantExpiresIn  int                  `yaml:"access_grant_expires_in" json:"access_grant_expires_in"`
	AccessTokenExpiresIn  int                  `yaml:"access_token_expires_in" json:"access_token_expires_in"`
	RefreshTokenEnabled   bool                 `yaml:"refresh_token_enabled" json:"refresh_token_enabled"`
	RefreshTokenExpiresIn int                  `yaml:"refresh_token_expires_in" json:"refresh_token_expires_in"`
	MaxRefreshValidity    int                  `yaml:"max_refresh_token_validity" json:"max_refresh_token_validity"`
	RotateRefreshTokens   *bool                `yaml:"rotate_refresh_tokens" json:"rotate_refresh_tokens,omitempty"` // default true
	IDTokenExpiresIn      int                  `yaml:"id_token_expires_in" json:"id_token_expires_in"`
	AdditionalAudiences   []string             `yaml:"additional_audiences" json:"additional_audiences"`
	DefaultScopes         []string             `yaml:"default_scopes" json:"default_scopes"`
	AdditionalScopes      []string             `yaml:"additional_scopes" json:"additional_scopes"`
	IdentityProvider      string               `yaml:"identity_provider" json:"identity_provider"`
	AdditionalProviders   []string             `yaml:"additional_identity_providers" json:"additional_identity_providers"`
	SkipConsent           bool                 `yaml:"skip_consent" json:"skip_consent"`

	SimultaneousSessions     bool                     `yaml:"simultaneous_sessions_allowed" json:"simultaneous_sessions_allowed"`
	MaxSimultaneousSessions  int                      `yaml:"max_simultaneous_sessions" json:"max_simultaneous_sessions"` // 2 to 25, default 25
	ResourceGateways         []string                 `yaml:"resource_gateways" json:"resource_gateways"`                 // URIs or client ids, into the audience of access tokens
	DeviceVerificationURI    string                   `yaml:"device_verification_uri" json:"device_verification_uri"`
	DeviceVerificationFull   string                   `yaml:"device_verification_uri_complete" json:"device_verification_uri_complete"` // with {user_code}
	LogoURL                  string                   `yaml:"logo_url" json:"logo_url"`                                                 // https
	TemplateSet              string                   `yaml:"template_set" json:"template_set"`
	WebHooks                 []string                 `yaml:"web_hooks" json:"web_hooks"`                                           // ids
	AdditionalAuthentication AdditionalAuthentication `yaml:"additional_user_authentication" json:"additional_user_authentication"` // default NONE
	OpenIDConnect            OpenIDConnect            `yaml:"open_id_connect" json:"open_id_connect"`
}

// The API scopes: what an API client may call.
const (
	APIMobileAuthentication = "onegini_api_mobile_authentication"
	APITokenIntrospection   = "onegini_api_token_introspection"
	APIEvents               = "onegini_api_events"
	APIEndUser              = "onegini_api_end_user"
	APIConfig               = "onegini_api_config"
	APIAdmin                = "onegini_api_admin"
	APIUserRegistration     = "onegini_api_user_registration"
	APITwoWayOTP            = "onegini_api_two_way_otp" // former name of the one before
)

// APIClient is a back end that calls the server-to-server APIs. It has no grants at the token endpoint.
type APIClient struct {
	ID             string               `yaml:"client_id" json:"client_id"`
	Name           string               `yaml:"name" json:"name"`
	Disabled       bool                 `yaml:"disabled" json:"disabled"`
	Authentication ClientAuthentication `yaml:"authentication_method" json:"authentication_method"` // CLIENT_SECRET_BASIC or PRIVATE_KEY_JWT
	Secret         ClientSecret         `yaml:"client_secret,omitempty" json:"client_secret,omitzero"`
	HashedSecret   Secret               `yaml:"hashed_client_secret,omitempty" json:"hashed_client_secret,omitzero"` // PHC form, instead of client_secret
	PublicKey      string               `yaml:"public_key" json:"public_key,omitempty"`                              // PEM
	JWKSURI        string               `yaml:"jwks_uri" json:"jwks_uri,omitempty"`                                  // wins over public_key
	Scopes         []string             `yaml:"scopes" json:"scopes"`
}

// AuthenticationType is one named way to authenticate; the portal passes its name as "type".
type AuthenticationType struct {
	Name               string            `yaml:"name" json:"name"`             // 1 to 64 of [A-Za-z0-9_.-]
	Method             string            `yaml:"method" json:"method"`         // PUSH or PUSH_WITH_PIN
	ExpiresIn          int               `yaml:"expires_in" json:"expires_in"` // 10 to 86400, default 300
	MaxResends         int               `yaml:"max_resends" json:"max_resends"`
	TransactionSigning bool              `yaml:"transaction_signing" json:"transaction_signing"`
	DefaultMessages    map[string]string `yaml:"default_messages" json:"default_messages"` // by language
}

// Callback is a portal address that is called when a transaction has ended.
type Callback struct {
	URL           string `yaml:"url" json:"url"` // compared byte for byte
	Username      string `yaml:"username" json:"username,omitempty"`
	Password      Secret `yaml:"password,omitempty" json:"password,omitzero"`
	SigningSecret Secret `yaml:"signing_secret,omitempty" json:"signing_secret,omitzero"` // whsec_ and base64 of 32 bytes; generated when absent
}

// User is a built-in account. Applying a document creates it or updates its attributes; the password is set only when
// the account is new or the document's differs. People are not settings: an account that a document does not name stays.
type User struct {
	ID         string            `yaml:"id" json:"id"` // the subject of tokens
	Username   string            `yaml:"username" json:"username"`
	Password   Secret            `yaml:"password,omitempty" json:"password,omitzero"`
	Disabled   bool              `yaml:"disabled" json:"disabled"`
	Attributes map[string]string `yaml:"attributes" json:"attributes"` // name, email, …: claims of userinfo
}
