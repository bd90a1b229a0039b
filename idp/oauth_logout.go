package idp

import (
	"context"
	"errors"
	"net/url"

	"tokenserver/audit"
	"tokenserver/idp/oidc"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// LogoutURL returns where the browser goes to end a session at its OpenID provider (RP-Initiated Logout 1.0), which sends it
// on to back. The address that must be registered there is back without its query: the state in it travels as the
// protocol's own parameter. false: a plain OAuth server has no logout; an OpenID provider may have none either, or cannot
// be asked, which IDP_OAUTH_OIDC_FAILED_TO_INITIATE_END_SESSION tells.
func (o *OAuth) LogoutURL(ctx context.Context, session store.BrowserSession, back string) (string, bool) {
	p := o.Settings.Current().IdentityProvider(session.Provider)
	if p == nil || p.Disabled || p.Type != settings.OIDCProvider {
		return "", false
	}
	address, reason := o.logoutURL(ctx, upstreamOf(p), session, back)
	if reason != "" {
		o.Audit.Record(ctx, audit.IDPOauthOidcFailedToInitiateEndSession, audit.Detail("idp", p.ID), audit.Reason(reason))
	}
	return address, reason == ""
}

func (o *OAuth) logoutURL(ctx context.Context, upstream oidc.Provider, session store.BrowserSession, back string) (address, reason string) {
	if session.ProviderToken == "" {
		return "", "no ID token"
	}
	m, err := o.Client.Directory.Metadata(ctx, upstream)
	if err != nil {
		var refusal *oidc.Refusal
		if errors.As(err, &refusal) {
			return "", refusal.Reason
		}
		return "", "discovery"
	}
	to, err := url.Parse(back)
	if err != nil {
		return "", "no way back"
	}
	state := to.Query().Get("state")
	to.RawQuery = ""
	if address = oidc.LogoutURL(upstream, m, session.ProviderToken, to.String(), state); address == "" {
		return "", "no end-session endpoint"
	}
	return address, ""
}
