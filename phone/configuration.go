package phone

// Configuration is what the server tells an installation about its app, at registration, validation and upgrade.
type Configuration struct {
	PINPolicy            PINPolicy          `json:"pin_policy"`
	MaxPINFailures       int                `json:"max_pin_failures"`      // 0: unlimited
	RegistrationValidity *int64             `json:"registration_validity"` // seconds; nil: unlimited
	Authenticators       Authenticators     `json:"authenticators"`
	IdentityProviders    []IdentityProvider `json:"identity_providers"` // the first is the primary
	RedirectURL          string             `json:"redirect_url"`
	ResourceGateways     []string           `json:"resource_gateway_uris"`
	PayloadEncryption    PayloadEncryption  `json:"payload_encryption"`
	MobileAuthentication MobileFeatures     `json:"mobile_authentication"`
	Version              string             `json:"configuration_version"`
}

// Authenticators says what may be used instead of the PIN.
type Authenticators struct {
	PIN         bool                  `json:"pin"`
	Fingerprint bool                  `json:"fingerprint"`
	Implicit    bool                  `json:"implicit"`
	Custom      []CustomAuthenticator `json:"custom"`
	FIDO        []FIDOAuthenticator   `json:"fido"`
}

// CustomAuthenticator is one of the authenticators that the operator scripts.
type CustomAuthenticator struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// FIDOAuthenticator is one authenticator model.
type FIDOAuthenticator struct {
	AAID string `json:"aaid"`
	Name string `json:"name"`
}

// IdentityProvider is one way to sign in.
type IdentityProvider struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// PayloadEncryption says whether a proxy wants requests encapsulated, and under which RFC 9458 key configuration.
type PayloadEncryption struct {
	Enabled   bool   `json:"enabled"`
	KeyConfig string `json:"key_config"` // base64url
}

// MobileFeatures says which parts of mobile authentication are on.
type MobileFeatures struct {
	Enrollment bool `json:"enrollment_enabled"`
	Push       bool `json:"push_enabled"`
	OTP        bool `json:"otp_enabled"`
}
