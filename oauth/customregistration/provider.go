package customregistration

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
)

// How the choice of the identity provider fails.
var (
	providerUnknown = outcome.Failure{
		Code: outcome.UnknownProvider, Audit: audit.UnableToDetermineIdentityProvider,
		Text: "there is no such identity provider for registration by API",
	}
	providerDisabled = outcome.Failure{
		Code: outcome.ProviderDisabled, Audit: audit.UnableToDetermineIdentityProvider, Text: "the identity provider is disabled",
	}
	providerForeign = outcome.Failure{
		Code: outcome.RefusedClient, Audit: audit.TokenRequestInvalidClientCredentials, Text: "the identity provider is not one of the client's",
	}
)

// provider returns an identity provider that apps reach by API.
func provider(s *settings.Snapshot, id string, types ...settings.IdentityProviderType) (*settings.IdentityProvider, error) {
	about := audit.Detail("idp", id[:min(len(id), 64)])
	p := s.IdentityProvider(id)
	switch {
	case p == nil:
		return nil, providerUnknown.About(about, audit.Reason("unknown"))
	case !slices.Contains(types, p.Type):
		return nil, providerUnknown.About(about, audit.Reason("another type"))
	case p.Disabled:
		return nil, providerDisabled.About(about)
	case !s.CustomRegistrationOn():
		return nil, providerDisabled.About(about, audit.Reason("feature"))
	}
	return p, nil
}

// assigned tells whether a client may use a provider: its primary or an additional one; without any, the default one.
func assigned(client clientauth.Client, p *settings.IdentityProvider) bool {
	var primary string
	var additional []string
	switch {
	case client.Web != nil:
		primary, additional = client.Web.IdentityProvider, client.Web.AdditionalProviders
	case client.Application != nil:
		primary, additional = client.Application.IdentityProvider, client.Application.AdditionalProviders
	default: // API clients register nobody
		return false
	}
	if primary == "" && len(additional) == 0 {
		return p.Default
	}
	return p.ID == primary || slices.Contains(additional, p.ID)
}

// es256 tells whether an assertion that has been verified is signed with ES256 and names its key.
func es256(assertion string) bool {
	encoded, _, _ := strings.Cut(assertion, ".")
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if err != nil {
		return false
	}
	var header struct {
		Algorithm string `json:"alg"`
		Key       string `json:"kid"`
	}
	return json.Unmarshal(text, &header) == nil && header.Algorithm == "ES256" && header.Key != ""
}
