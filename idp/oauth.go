package idp

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/idp/oidc"
	"tokenserver/internal/outcome"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// OAuth signs users in at foreign OpenID providers and OAuth 2.0 servers. Every field is required.
type OAuth struct {
	Audit    *audit.Recorder
	Now      func() time.Time
	Keys     *secret.Keys
	Issuer   string // public base URL and /oauth
	Settings settingsSource
	Once     once
	Journey  journey
	Client   *oidc.Client
}

// once remembers what must not come again; see redisstore.Store.
type once interface {
	// ClaimOnce errors: store.ErrConflict for everybody after the first.
	ClaimOnce(ctx context.Context, scope, id, value string, until time.Time) (first string, err error)
}

const (
	oauthStartPath    = "/oauth-idp/start"
	oauthCallbackPath = "/oauth-idp/callback"
)

// Routes adds the way to the provider and the way back. g is the group /oauth.
func (o *OAuth) Routes(g *echo.Group) {
	failing := web.RenderFailuresWith(o.Journey.ErrorPage)
	g.GET(oauthStartPath, o.start, failing)
	g.GET(oauthCallbackPath, o.callback, failing)
}

// SignInURL returns where the way to the provider of a transaction begins.
func (o *OAuth) SignInURL(transactionID string) string {
	return publicPath(o.Issuer) + oauthStartPath + "?t=" + transactionID
}

// publicPath returns the path of the issuer.
func publicPath(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return u.Path
}

// CallbackURL is the redirect URI that is registered at the providers.
func (o *OAuth) CallbackURL() string { return o.Issuer + oauthCallbackPath }

// How the way to the provider fails; it succeeds with 302 to the provider. Without its endpoints nobody can be sent there.
var discoveryFailed = outcome.Failure{
	Code: outcome.TemporarilyUnavailable, Audit: audit.IDPOauthDiscoveryFailed, Text: "the identity provider does not answer",
}

// start sends the browser to the provider.
func (o *OAuth) start(c echo.Context) error {
	a, _, err := o.Journey.Waiting(c, c.QueryParam("t"))
	if errors.Is(err, store.ErrConflict) {
		return onward(c, o.Journey.GoOnURL(a.ID))
	}
	if err != nil {
		return ended(err, signInGone)
	}
	audit.Admit(c.Request().Context()) // what fails from here on is not the doing of whoever sits at the browser
	p, err := configured(o.Settings, a, settings.OIDCProvider, settings.OAuthProvider)
	if err != nil {
		return failed(c, o.Journey, a, err)
	}
	upstream := upstreamOf(p)
	m, err := o.Client.Directory.Metadata(c.Request().Context(), upstream)
	if err != nil {
		return failed(c, o.Journey, a, unusable(discoveryFailed, p, err))
	}
	trip, maxAge := o.depart(a), a.MaxAge
	if a.ForceLogin { // the same as prompt=login, and obliges the provider to say when it happened
		maxAge = 0
	}
	return onward(c, oidc.AuthorizationURL(upstream, m, oidc.Ask{
		RedirectURI: o.CallbackURL(), State: trip.state, Verifier: trip.verifier, Nonce: trip.nonce, Prompt: promptOf(a),
		MaxAge: maxAge, ACRValues: a.ACRValues, LoginHint: a.LoginHint, Language: languageOf(a),
	}))
}

// upstreamOf is a provider as package oidc sees it.
func upstreamOf(p *settings.IdentityProvider) oidc.Provider {
	section := p.OAuth
	if section == nil { // the settings refuse it
		section = &settings.OAuthSection{}
	}
	upstream := oidc.Provider{
		ClientID: section.ClientID, Secret: section.ClientSecret.Reveal(), SigningKey: section.SigningKey.Reveal(),
		SigningKeyID: section.SigningKeyID, Scopes: section.Scopes,
	}
	switch section.Authentication {
	case settings.ProviderSecretPost:
		upstream.Authentication = oidc.SecretPost
	case settings.ProviderPrivateKeyJWT:
		upstream.Authentication = oidc.PrivateKeyJWT
	case settings.ProviderSecretBasic, "":
		upstream.Authentication = oidc.SecretBasic
	}
	if p.Type == settings.OIDCProvider {
		upstream.Issuer = section.Issuer
		return upstream
	}
	upstream.Authorization, upstream.Token, upstream.Profile = section.AuthorizationURL, section.TokenURL, section.ProfileURL
	return upstream
}

// promptOf passes on what the client asked for.
func promptOf(a store.Authorization) []string {
	if a.Silent {
		return []string{"none"}
	}
	var prompt []string
	for _, wish := range []struct {
		asked bool
		word  string
	}{{a.ForceLogin, "login"}, {a.SelectAccount, "select_account"}, {a.AskConsent, "consent"}} {
		if wish.asked {
			prompt = append(prompt, wish.word)
		}
	}
	return prompt
}

func languageOf(a store.Authorization) string {
	if a.UILocales != "" {
		return a.UILocales
	}
	return a.Language
}

// unusable says what is wrong with what a provider answered; errors of ours stay what they are.
func unusable(f outcome.Failure, p *settings.IdentityProvider, err error) error {
	var refusal *oidc.Refusal
	if !errors.As(err, &refusal) {
		return fmt.Errorf("ask identity provider: %w", err)
	}
	f = f.Because(err).About(audit.Detail("idp", p.ID), audit.Reason(refusal.Reason))
	if refusal.Status != 0 {
		f = f.About(audit.Count("status", refusal.Status))
	}
	if refusal.Code != "" {
		f = f.About(audit.Detail("upstream_error", refusal.Code))
	}
	return f
}
