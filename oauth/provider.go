package oauth

import (
	"slices"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
)

// How the choice of the identity provider fails.
var (
	providerWrong = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.UnableToDetermineIdentityProvider,
		Text: "the identity provider is not one of the client's",
	}
	providerNone = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.UnableToDetermineIdentityProvider,
		Text: "no identity provider is set up for the client",
	}
)

// chooseProvider picks the identity provider: the one asked for, else the client's primary one, else the default one.
func (b *Browser) chooseProvider(s *settings.Snapshot, r requester, asked string) (*settings.IdentityProvider, error) {
	primary, additional := r.providers()
	var chosen *settings.IdentityProvider
	switch {
	case asked != "":
		chosen = s.IdentityProvider(asked)
		if chosen == nil || chosen.Disabled || asked != primary && !slices.Contains(additional, asked) {
			return nil, providerWrong.About(audit.Detail("idp", asked), audit.Reason("not one of the client's"))
		}
	default:
		chosen = s.IdentityProvider(primary)
		if chosen == nil || chosen.Disabled {
			chosen = defaultProvider(s)
		}
		if chosen == nil {
			return nil, providerNone.About(audit.Reason("none is enabled"))
		}
	}
	if b.Providers[chosen.Type] == nil {
		failure := providerNone
		if asked != "" {
			failure = providerWrong
		}
		return nil, failure.About(audit.Detail("idp", chosen.ID), audit.Reason("idp type unsupported in browser flow"))
	}
	return chosen, nil
}

func defaultProvider(s *settings.Snapshot) *settings.IdentityProvider {
	for i := range s.Document.IdentityProviders {
		if p := &s.Document.IdentityProviders[i]; p.Default && !p.Disabled {
			return p
		}
	}
	return nil
}

// longestProviderValue is how much of a parameter an identity provider may take as an attribute, in bytes.
const longestProviderValue = 512

// providerQuery keeps the parameters that the identity provider takes as attributes of the person, as they came.
func providerQuery(r *authorizeRequest) map[string]string {
	if r.provider.Header == nil {
		return nil
	}
	kept := map[string]string{}
	for _, m := range r.provider.Header.Attributes {
		name, is := m.QueryParameter()
		if value := r.get(name); is && value != "" && len(value) <= longestProviderValue {
			kept[name] = value
		}
	}
	return kept
}
