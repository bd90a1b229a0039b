package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"tokenserver/internal/clientauth"
	"tokenserver/internal/hooks"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// requester is the client of an authorization request. It has named itself, not proved itself.
type requester struct{ clientauth.Client }

// requester finds the client behind an id: a web client that is not disabled, or an installation of a known
// application. Errors: store.ErrNotFound, store.ErrRevoked (disabled).
func (b *Browser) requester(ctx context.Context, s *settings.Snapshot, id string) (requester, error) {
	if w := s.WebClient(id); w != nil {
		if w.Disabled {
			return requester{}, store.ErrRevoked
		}
		return requester{clientauth.Client{ID: id, Web: w}}, nil
	}
	i, err := b.Installations.Installation(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return requester{}, store.ErrNotFound
	}
	if err != nil {
		return requester{}, fmt.Errorf("find client: %w", err)
	}
	a := s.Application(i.Application)
	if a == nil {
		return requester{}, store.ErrNotFound
	}
	return requester{clientauth.Client{
		ID: id, Installation: &i, Application: a, Version: s.Version(i.Application, i.Platform, i.Version),
	}}, nil
}

func (r requester) app() bool { return r.Installation != nil }

// name is what people know the client by.
func (r requester) name() string {
	switch {
	case r.app() && r.Application.Name != "":
		return r.Application.Name
	case r.app():
		return r.Application.ID
	case r.Web.Name != "":
		return r.Web.Name
	}
	return r.Web.ID
}

// redirects are the registered redirect addresses.
func (r requester) redirects() []string {
	if !r.app() {
		return r.Web.RedirectURLs
	}
	var urls []string
	if r.Application.RedirectURL != "" {
		urls = append(urls, r.Application.RedirectURL)
	}
	return append(urls, r.Application.AdditionalRedirectURLs...)
}

// mayAuthorize tells whether the authorization code grant is on.
func (r requester) mayAuthorize() bool {
	if r.app() {
		return r.Application.RegistersUsers()
	}
	return r.Web.Allows(settings.AuthorizationCode)
}

// mayImplicit tells whether the implicit grant is on: only for web clients that have it.
func (r requester) mayImplicit() bool { return !r.app() && r.Web.Allows(settings.Implicit) }

// needsPKCE: public clients, those that are set so, and installations that authenticate by key.
func (r requester) needsPKCE() bool {
	if r.app() {
		return r.Installation.APIVersion >= 2
	}
	return r.Web.Public() || r.Web.RequirePKCE
}

// wantsSMS tells whether a user must type the code of a text message besides signing in.
func (r requester) wantsSMS() bool {
	if r.app() {
		return r.Application.AdditionalAuthentication == settings.AdditionalSMS
	}
	return r.Web.AdditionalAuthentication == settings.AdditionalSMS
}

// answersFromSession tells whether prompt=none may be answered from the browser's session, without the identity provider.
func (r requester) answersFromSession() bool {
	return r.app() || r.Web.OpenIDConnect.SessionBasedAuthentication == nil || *r.Web.OpenIDConnect.SessionBasedAuthentication
}

// hook returns the client's web hook of a kind, nil when there is none.
func (r requester) hook(s *settings.Snapshot, kind settings.HookType) *settings.WebHook {
	if r.app() {
		return hooks.Of(s, r.Application.WebHooks, kind)
	}
	return hooks.Of(s, r.Web.WebHooks, kind)
}

func (r requester) skipsConsent() bool {
	if r.app() {
		return r.Application.SkipConsent
	}
	return r.Web.SkipConsent
}

// showsCompletion tells whether a page stands between the answer and the app.
func (r requester) showsCompletion() bool {
	return r.app() && !r.Application.SkipAuthorizationComplete
}

// providers are the client's identity providers, its primary one first.
func (r requester) providers() (primary string, additional []string) {
	if r.app() {
		return r.Application.IdentityProvider, r.Application.AdditionalProviders
	}
	return r.Web.IdentityProvider, r.Web.AdditionalProviders
}

// codeLife is how long a code of the client can be redeemed: 1 to 60 s, 30 s unless configured.
func (r requester) codeLife() time.Duration {
	const usual, longest = 30, 60
	var seconds int
	if r.app() {
		seconds = r.Application.AccessGrantExpiresIn
	} else {
		seconds = r.Web.AccessGrantExpiresIn
	}
	if seconds <= 0 {
		seconds = usual
	}
	return time.Duration(min(seconds, longest)) * time.Second
}
