package oauth

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/pages"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// forwardPath shows a page between the client and an identity provider elsewhere, below the issuer.
const forwardPath = "/authorize/forward"

// wayIn returns where the browser goes to sign in for a transaction: to the identity provider, or first to the page that
// says so, when the provider is elsewhere and the settings want it. A device login always has that page: it begins with a form
// of ours, and browsers apply the page's form-action to every redirect that follows a form.
func (b *Browser) wayIn(a store.Authorization, s *settings.Snapshot, p *settings.IdentityProvider) string {
	if (s.Document.OAuth.ForwardPage || a.DeviceID != "") && !a.Silent && elsewhere(p.Type) {
		return b.at(forwardPath, a.ID)
	}
	return b.Providers[p.Type].SignInURL(a.ID)
}

// elsewhere tells whether users sign in on pages of somebody else.
func elsewhere(t settings.IdentityProviderType) bool {
	return t == settings.OIDCProvider || t == settings.OAuthProvider || t == settings.SAMLProvider
}

// forward answers GET: the page that leads to the identity provider by itself.
func (b *Browser) forward(c echo.Context) error {
	a, s, client, err := b.resume(c, c.QueryParam("t"), journeyGone)
	if err != nil {
		return err
	}
	if a.State != store.AtProvider {
		return c.Redirect(http.StatusFound, b.at(continuePath, a.ID))
	}
	p := s.IdentityProvider(a.Provider)
	name := p.Name
	if name == "" {
		name = p.ID
	}
	return b.Pages.Forward(c, http.StatusOK, pages.Forward{
		Language: a.Language, ClientName: client.name(), ProviderName: name, Target: b.Providers[p.Type].SignInURL(a.ID),
	})
}
