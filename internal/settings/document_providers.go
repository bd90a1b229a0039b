package settings

import "strings"

// IdentityProviderType names what stands behind an identity provider.
type IdentityProviderType string

// The types of identity providers.
const (
	BuiltInAccounts IdentityProviderType = "ACCOUNTS" // the accounts of this server
	OIDCProvider    IdentityProviderType = "OIDC"
	OAuthProvider   IdentityProviderType = "OAUTH"
	SAMLProvider    IdentityProviderType = "SAML"
	HeaderProvider  IdentityProviderType = "HEADER"              // a reverse proxy signs users in
	CustomOneStep   IdentityProviderType = "CUSTOM_API_ONE_STEP" // custom registration by the app
	CustomTwoStep   IdentityProviderType = "CUSTOM_API_TWO_STEP"
	TwoWayOTP       IdentityProviderType = "TWO_WAY_OTP"     // on a page of ours
	TwoWayOTPByAPI  IdentityProviderType = "TWO_WAY_OTP_API" // by the app
)

// IdentityProvider is a way to find out who the user is. Of the sections the one that fits the type is set.
type IdentityProvider struct {
	ID       string               `yaml:"id" json:"id"`
	Name     string               `yaml:"name" json:"name"`
	Type     IdentityProviderType `yaml:"type" json:"type"`
	Default  bool                 `yaml:"default" json:"default"`
	Disabled bool                 `yaml:"disabled" json:"disabled"`

	// Namespace says whose user ids this provider issues. Providers with the same namespace know the same people. A person
	// of one namespace can never sign in through a provider of another one. Not for ACCOUNTS.
	Namespace         string             `yaml:"namespace" json:"namespace,omitempty"` // default: the provider's id
	AttributeMappings []AttributeMapping `yaml:"attribute_mappings" json:"attribute_mappings,omitempty"`
	UserInfoSource    *UserInfoSource    `yaml:"user_info_source" json:"user_info_source,omitempty"`

	OAuth  *OAuthSection  `yaml:"oauth" json:"oauth,omitempty"` // OIDC and OAUTH
	SAML   *SAMLSection   `yaml:"saml" json:"saml,omitempty"`
	Header *HeaderSection `yaml:"header" json:"header,omitempty"`
	Custom *CustomSection `yaml:"custom" json:"custom,omitempty"` // CUSTOM_API_ONE_STEP, CUSTOM_API_TWO_STEP
}

// Vouches tells whether the provider's people are others' than the built-in accounts.
func (p *IdentityProvider) Vouches() bool { return p.Type != BuiltInAccounts }

// UserNamespace is the namespace of the provider's user ids: "" for the built-in accounts.
func (p *IdentityProvider) UserNamespace() string {
	switch {
	case !p.Vouches():
		return ""
	case p.Namespace != "":
		return p.Namespace
	}
	return p.ID
}

// AttributeMapping gives an attribute of the provider the name that it has here. Without mappings every attribute
// passes under its own name; with one or more only the mapped ones do.
type AttributeMapping struct {
	From string `yaml:"from" json:"from"` // case-sensitive; of SAML the Name or the FriendlyName
	To   string `yaml:"to" json:"to"`
}

// UserInfoSource is asked for the attributes of a person whenever they are needed.
type UserInfoSource struct {
	URL       string `yaml:"url" json:"url"` // with {userId}
	Username  string `yaml:"username" json:"username,omitempty"`
	Password  Secret `yaml:"password,omitempty" json:"password,omitzero"`
	CacheLife int    `yaml:"cache_life" json:"cache_life"` // seconds, default 300
}

// OAuthSection is what an OpenID Connect or OAuth 2.0 provider is reached by.
type OAuthSection struct {
	Issuer           string               `yaml:"issuer" json:"issuer,omitempty"` // OIDC: its discovery document names the rest
	AuthorizationURL string               `yaml:"authorization_url" json:"authorization_url,omitempty"`
	TokenURL         string               `yaml:"token_url" json:"token_url,omitempty"`
	ProfileURL       string               `yaml:"profile_url" json:"profile_url,omitempty"`
	ClientID         string               `yaml:"client_id" json:"client_id"`
	ClientSecret     Secret               `yaml:"client_secret,omitempty" json:"client_secret,omitzero"`
	Authentication   ProviderClientMethod `yaml:"client_authentication_method" json:"client_authentication_method"` // default CLIENT_SECRET_BASIC
	SigningKey       Secret               `yaml:"signing_key,omitempty" json:"signing_key,omitzero"`                // PEM, for PRIVATE_KEY_JWT
	SigningKeyID     string               `yaml:"signing_key_id" json:"signing_key_id,omitempty"`                   // kid; default the key's thumbprint (RFC 7638)
	Scopes           []string             `yaml:"scopes" json:"scopes,omitempty"`
	UserIDClaim      string               `yaml:"user_id_claim" json:"user_id_claim,omitempty"` // OAUTH: member of the profile, default userId
}

// ProviderClientMethod is how the server proves itself to an OAuth provider.
type ProviderClientMethod string

// The methods of authentication at a provider.
const (
	ProviderSecretBasic   ProviderClientMethod = "CLIENT_SECRET_BASIC"
	ProviderSecretPost    ProviderClientMethod = "CLIENT_SECRET_POST"
	ProviderPrivateKeyJWT ProviderClientMethod = "PRIVATE_KEY_JWT"
)

// SAMLSection is what a SAML identity provider is reached by.
type SAMLSection struct {
	EntityID              string `yaml:"entity_id" json:"entity_id"`
	MetadataURL           string `yaml:"metadata_url" json:"metadata_url,omitempty"` // refreshed by itself
	Metadata              string `yaml:"metadata" json:"metadata,omitempty"`         // XML, instead of the address
	AuthnContext          string `yaml:"authn_context" json:"authn_context,omitempty"`
	AuthnContextCompare   string `yaml:"authn_context_comparison" json:"authn_context_comparison,omitempty"`
	SingleLogout          bool   `yaml:"single_logout" json:"single_logout"`
	SendExternalProviders bool   `yaml:"send_external_idp" json:"send_external_idp"` // a central identity manager: pass external_idp and its parameters on
}

// SAMLServiceProvider is this server as a SAML service provider.
type SAMLServiceProvider struct {
	Enabled               bool   `yaml:"enabled" json:"enabled"`
	EntityID              string `yaml:"entity_id" json:"entity_id"` // default <issuer>/saml/metadata
	PerClient             bool   `yaml:"entity_id_per_client" json:"entity_id_per_client"`
	MetadataDays          int    `yaml:"metadata_validity" json:"metadata_validity"` // days, default 1
	Organisation          string `yaml:"organisation" json:"organisation,omitempty"`
	SupportContact        string `yaml:"support_contact" json:"support_contact,omitempty"`
	SigningKey            Secret `yaml:"signing_key,omitempty" json:"signing_key,omitzero"` // PEM, RSA
	SigningCertificate    string `yaml:"signing_certificate" json:"signing_certificate,omitempty"`
	EncryptAssertions     bool   `yaml:"encrypt_assertions" json:"encrypt_assertions"`
	DecryptionKey         Secret `yaml:"decryption_key,omitempty" json:"decryption_key,omitzero"` // PEM, RSA
	DecryptionCertificate string `yaml:"decryption_certificate" json:"decryption_certificate,omitempty"`
}

// HeaderSection says which headers of the reverse proxy name the user. The proxy sets them on /oauth/authorize and below, and
// removes what came from outside.
type HeaderSection struct {
	UserIDHeader   string             `yaml:"user_id_header" json:"user_id_header"`                                   // default iv-user
	LevelHeader    string             `yaml:"authentication_level_header" json:"authentication_level_header"`         // default authentication-level
	TimeHeader     string             `yaml:"authentication_time_header" json:"authentication_time_header,omitempty"` // when the user signed in, in seconds since 1970; "" = not known
	Attributes     []AttributeMapping `yaml:"attribute_whitelist" json:"attribute_whitelist,omitempty"`               // from a header, or query:NAME of the authorization request, to an attribute
	TrustedProxies []string           `yaml:"trusted_proxies" json:"trusted_proxies"`                                 // networks; required
}

// QueryParameter tells whether the source of an attribute is a parameter of the authorization request, and which. Anybody can
// set those: they are told apart from headers so that a parameter can never take the place of a header.
func (m AttributeMapping) QueryParameter() (name string, is bool) {
	return strings.CutPrefix(m.From, "query:")
}

// CustomSection is the web hook behind a custom registration.
type CustomSection struct {
	Endpoint      string `yaml:"endpoint" json:"endpoint"` // POST <endpoint>/init, /complete, /backchannel
	SigningSecret Secret `yaml:"signing_secret,omitempty" json:"signing_secret,omitzero"`
	BackChannel   bool   `yaml:"back_channel" json:"back_channel"`

	AuthenticationLevel int `yaml:"authentication_level" json:"authentication_level"` // that its users have; scopes that demand more are refused
}
