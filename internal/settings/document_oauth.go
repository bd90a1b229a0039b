package settings

import "time"

// OAuth is the general configuration of the OAuth endpoints.
type OAuth struct {
	PKCEPlainAllowed        bool              `yaml:"pkce_plain_allowed" json:"pkce_plain_allowed"`
	ValidateBearer          bool              `yaml:"validate_bearer" json:"validate_bearer"`                   // the deprecated grant; a client needs validates_access_tokens too
	FingerprintMisuse       MisuseScope       `yaml:"fingerprint_misuse_scope" json:"fingerprint_misuse_scope"` // default CLIENT
	IntrospectionAudience   bool              `yaml:"introspection_audience_check" json:"introspection_audience_check"`
	SessionInactivity       int               `yaml:"session_inactivity" json:"session_inactivity"`           // seconds, default 1800
	SessionMaximum          int               `yaml:"session_maximum" json:"session_maximum"`                 // seconds, default 28800
	ForwardPage             bool              `yaml:"forward_page" json:"forward_page"`                       // show a page before the redirect to an identity provider
	AuthenticationEndpoint  string            `yaml:"authentication_endpoint" json:"authentication_endpoint"` // where users go whose authentication level is too low
	SMSLevel                int               `yaml:"sms_level" json:"sms_level"`                             // the authentication level that a code by SMS gives; 0 = none
	TemplateSet             string            `yaml:"template_set" json:"template_set"`                       // of clients without one; "" = built in
	KeyRotationDays         *int              `yaml:"key_rotation_days" json:"key_rotation_days,omitempty"`   // default 90; 0 = by command only
	CORS                    CORS              `yaml:"cors" json:"cors"`
	ScopeVerification       ScopeVerification `yaml:"scope_verification" json:"scope_verification"`
	AdditionalTokenAudience []string          `yaml:"additional_token_audience" json:"additional_token_audience"` // of every access token
}

// How long keys sign and sessions last when the settings do not say.
const (
	usualKeyRotationDays   = 90
	usualSessionInactivity = 30 * time.Minute
	usualSessionMaximum    = 8 * time.Hour
)

// KeyRotation is how long a signing key signs before the next one takes over by itself; 0 = only the command does it.
func (s *Snapshot) KeyRotation() time.Duration {
	days := usualKeyRotationDays
	if d := s.Document.OAuth.KeyRotationDays; d != nil {
		days = *d
	}
	return time.Duration(days) * 24 * time.Hour
}

// SessionLimits are how long a browser session lasts without a use, and altogether.
func (s *Snapshot) SessionLimits() (inactivity, maximum time.Duration) {
	inactivity, maximum = usualSessionInactivity, usualSessionMaximum
	if n := s.Document.OAuth.SessionInactivity; n > 0 {
		inactivity = time.Duration(n) * time.Second
	}
	if n := s.Document.OAuth.SessionMaximum; n > 0 {
		maximum = time.Duration(n) * time.Second
	}
	return inactivity, maximum
}

// DeletesTokensOnLogout tells whether the tokens of a session end with it: unless the settings say, those of clients
// without a credential.
func (w *WebClient) DeletesTokensOnLogout() bool {
	if d := w.OpenIDConnect.DeleteTokensOnLogout; d != nil {
		return *d
	}
	return w.Authentication == PKCEOnly || w.Authentication == PublicClient
}

// MisuseScope says whose fingerprint tokens end when a wrong one is presented.
type MisuseScope string

// The scopes of misuse.
const (
	MisuseClient  MisuseScope = "CLIENT"
	MisuseProfile MisuseScope = "PROFILE"
)

// CORS says which web pages of other origins may call the endpoints that allow it at all.
type CORS struct {
	Enabled bool     `yaml:"enabled" json:"enabled"`
	Origins []string `yaml:"origins" json:"origins"` // scheme://host[:port]; besides those of the redirect addresses of public clients
}

// ScopeVerification is the outside service that knows who is entitled to a scope.
type ScopeVerification struct {
	Enabled        bool   `yaml:"enabled" json:"enabled"`
	Endpoint       string `yaml:"endpoint" json:"endpoint"`
	Username       string `yaml:"username" json:"username"`
	Password       Secret `yaml:"password,omitempty" json:"password,omitzero"`
	FailedEndpoint string `yaml:"failed_endpoint" json:"failed_endpoint"` // where users without entitlement go; a scope may have its own
}

// HookType says when a web hook is called.
type HookType string

// The types of web hooks.
const (
	CustomizeToken HookType = "CUSTOMIZE_TOKEN"
	CustomizeUser  HookType = "USER_DETAILS_CUSTOMIZATION"
)

// HookAuthentication is how the server proves itself to a web hook, besides the signature of Standard Webhooks.
type HookAuthentication string

// The ways to authenticate at a web hook.
const (
	HookJWT   HookAuthentication = "JWT"
	HookBasic HookAuthentication = "BASIC"
	HookNone  HookAuthentication = "NONE"
)

// WebHook is an outside service that is asked while the user waits.
type WebHook struct {
	ID             string             `yaml:"id" json:"id"`
	Type           HookType           `yaml:"type" json:"type"`
	BaseURI        string             `yaml:"base_uri" json:"base_uri"`
	Authentication HookAuthentication `yaml:"authentication" json:"authentication"` // default JWT
	Username       string             `yaml:"username" json:"username,omitempty"`
	Password       Secret             `yaml:"password,omitempty" json:"password,omitzero"`
	SigningSecret  Secret             `yaml:"signing_secret,omitempty" json:"signing_secret,omitzero"` // whsec_ and base64 of 32 bytes
	FailOpen       *bool              `yaml:"fail_open" json:"fail_open,omitempty"`                    // default: false for tokens, true for user details
}

// IDTokenEncryption encrypts a client's ID tokens to a key of the client.
type IDTokenEncryption struct {
	Enabled bool   `yaml:"enabled" json:"enabled"`
	Method  string `yaml:"method" json:"method"` // enc of the JWE, for example A256GCM
	JWKSURI string `yaml:"jwks_uri" json:"jwks_uri"`
}

// OpenIDConnect is what a web client may say about its sessions and ID tokens.
type OpenIDConnect struct {
	AdditionalAudiences        []string          `yaml:"additional_audiences" json:"additional_audiences"` // of ID tokens, after the client id
	DeleteTokensOnLogout       *bool             `yaml:"delete_tokens_on_logout" json:"delete_tokens_on_logout,omitempty"`
	PostLogoutRedirectURLs     []string          `yaml:"post_logout_redirect_urls" json:"post_logout_redirect_urls"` // the first is the default
	FrontChannelLogoutURL      string            `yaml:"front_channel_logout_url" json:"front_channel_logout_url"`
	FrontChannelSession        bool              `yaml:"front_channel_logout_session_required" json:"front_channel_logout_session_required"`
	BackChannelLogoutURL       string            `yaml:"back_channel_logout_url" json:"back_channel_logout_url"`
	BackChannelSession         bool              `yaml:"back_channel_logout_session_required" json:"back_channel_logout_session_required"`
	IDTokenEncryption          IDTokenEncryption `yaml:"id_token_encryption" json:"id_token_encryption"`
	SessionBasedAuthentication *bool             `yaml:"session_based_silent_auth" json:"session_based_silent_auth,omitempty"` // default true: prompt=none may be answered from our own session
}

// AdditionalAuthentication is what a user must do besides signing in.
type AdditionalAuthentication string

// The additional authentications.
const (
	NoAdditional  AdditionalAuthentication = "NONE"
	AdditionalSMS AdditionalAuthentication = "SMS"
)
