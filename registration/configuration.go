package registration

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"tokenserver/internal/settings"
	"tokenserver/store"
)

// configuration is what the app needs to know about itself. The SDK keeps the last one it got.
type configuration struct {
	PINPolicy            *pinPolicy           `json:"pin_policy"`            // null: there is none
	MaxPINFailures       int                  `json:"max_pin_failures"`      // 0 = unlimited
	RegistrationValidity *int                 `json:"registration_validity"` // seconds; null = unlimited
	Authenticators       authenticators       `json:"authenticators"`
	IdentityProviders    []identityProvider   `json:"identity_providers"` // the first is the primary
	RedirectURL          string               `json:"redirect_url"`
	ResourceGateways     []string             `json:"resource_gateway_uris"`
	PayloadEncryption    payloadEncryption    `json:"payload_encryption"`
	MobileAuthentication mobileAuthentication `json:"mobile_authentication"`
	Version              string               `json:"configuration_version,omitempty"` // hash of the members above
}

type pinPolicy struct {
	Length           int      `json:"length"`
	MaxSimilarDigits int      `json:"max_similar_digits"`
	SequencesAllowed bool     `json:"sequences_allowed"`
	BlockedPINs      []string `json:"blocked_pins"`
}

// authenticators says what may be used beside the PIN. None of the others can be configured yet.
type authenticators struct {
	PIN         bool       `json:"pin"`
	Fingerprint bool       `json:"fingerprint"`
	Implicit    bool       `json:"implicit"`
	Custom      []struct{} `json:"custom"`
	FIDO        []struct{} `json:"fido"`
}

type identityProvider struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

type payloadEncryption struct {
	Enabled   bool   `json:"enabled"`
	KeyConfig string `json:"key_config"`
}

type mobileAuthentication struct {
	EnrollmentEnabled bool `json:"enrollment_enabled"`
	PushEnabled       bool `json:"push_enabled"`
	OTPEnabled        bool `json:"otp_enabled"`
}

// configurationOf builds the configuration of an application.
func configurationOf(s *settings.Snapshot, a *settings.Application) (configuration, error) {
	mobile := s.Document.MobileAuthentication
	c := configuration{
		PINPolicy: policyOf(s, a), MaxPINFailures: a.PINLimit(),
		Authenticators:    authenticators{PIN: a.UsesPIN(), Custom: []struct{}{}, FIDO: []struct{}{}},
		IdentityProviders: providersOf(s, a), RedirectURL: a.RedirectURL, ResourceGateways: list(a.ResourceGateways),
		MobileAuthentication: mobileAuthentication{
			EnrollmentEnabled: s.MobileAuthenticationOn() && mobile.EnrollmentOn(),
			PushEnabled:       s.MobileAuthenticationOn() && mobile.PushEnrollmentOn() && mobile.PushAuthenticationOn(),
			OTPEnabled:        s.MobileAuthenticationOn() && offersOTP(s),
		},
	}
	if a.RegistrationValidity > 0 {
		c.RegistrationValidity = &a.RegistrationValidity
	}
	text, err := json.Marshal(c)
	if err != nil {
		return c, fmt.Errorf("hash configuration: %w", err)
	}
	sum := sha256.Sum256(text)
	c.Version = hex.EncodeToString(sum[:16])
	return c, nil
}

func policyOf(s *settings.Snapshot, a *settings.Application) *pinPolicy {
	p := s.PINPolicyOf(a)
	if p == nil {
		return nil
	}
	return &pinPolicy{p.Length, p.MaxSimilarDigits, p.SequencesAllowed, list(p.BlockedPINs)}
}

// providersOf lists the enabled identity providers, the primary one first: the one the application names, else the
// default one.
func providersOf(s *settings.Snapshot, a *settings.Application) []identityProvider {
	primary := a.IdentityProvider
	for i := range s.Document.IdentityProviders {
		if p := &s.Document.IdentityProviders[i]; primary == "" && p.Default {
			primary = p.ID
		}
	}
	providers := []identityProvider{}
	var seen []string
	for _, id := range append([]string{primary}, a.AdditionalProviders...) {
		p := s.IdentityProvider(id)
		if p == nil || p.Disabled || slices.Contains(seen, id) {
			continue
		}
		seen = append(seen, id)
		providers = append(providers, identityProvider{p.ID, p.Name, string(p.Type)})
	}
	return providers
}

func offersOTP(s *settings.Snapshot) bool {
	return slices.ContainsFunc(s.Document.AuthenticationTypes, func(t settings.AuthenticationType) bool {
		return t.Method == string(store.OTP)
	})
}

// list is never null in an answer.
func list(values []string) []string {
	if values == nil {
		return []string{}
	}
	return values
}
