package oauth

import (
	"context"
	"fmt"
	"net/url"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/pages"
	"tokenserver/internal/sessions"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// logoutForwarder is an identity provider with a logout of its own.
type logoutForwarder interface {
	// LogoutURL returns where the browser goes to end the session at the provider, which sends it on to back: the issuer
	// with /v1/logout/complete and the query state=…, which a provider may get as a parameter of its own. false = the
	// session is nothing that the provider could end.
	LogoutURL(ctx context.Context, session store.BrowserSession, back string) (string, bool)
}

// endLogout ends the session of the browser, in one transaction with its tokens and the notices to clients. The identity
// provider's own logout comes next, if it has one.
func (b *Browser) endLogout(c echo.Context, l store.Logout, session store.BrowserSession) error {
	ctx := c.Request().Context()
	err := b.Store.InTx(ctx, func(ctx context.Context) error {
		b.Audit.Record(ctx, audit.OpenidSessionLogoutSuccess, audit.List("clients", session.Clients))
		ended, err := b.Sessions.End(ctx, session, sessions.TokensAsClients)
		if err != nil {
			return err
		}
		if len(ended.TokenClients) > 0 {
			b.Audit.Record(ctx, audit.OpenidSessionLogoutTokensDeleted,
				audit.Count("count", ended.Families), audit.List("clients", ended.TokenClients))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("log out: %w", err)
	}
	b.forgetSession(c)
	l.Done, l.Frames = true, b.frames(session)
	forward, ok := b.forwarder(session)
	if !ok {
		return b.finishLogout(c, l)
	}
	kept, err := b.keepLogout(c, l)
	if err != nil {
		return err
	}
	address, ok := forward.LogoutURL(ctx, session, b.Issuer+logoutCompletePath+"?state="+url.QueryEscape(kept.ID))
	if !ok {
		return b.finishLogout(c, l)
	}
	return b.leave(c, l, address)
}

// forwarder is the identity provider that a session came from, if it has a logout.
func (b *Browser) forwarder(session store.BrowserSession) (logoutForwarder, bool) {
	p := b.Settings.Current().IdentityProvider(session.Provider)
	if p == nil || p.Disabled {
		return nil, false
	}
	forward, ok := b.Providers[p.Type].(logoutForwarder)
	return forward, ok
}

// frames are the front-channel logout addresses of the clients of a session (OpenID Connect Front-Channel Logout 1.0 §2).
func (b *Browser) frames(session store.BrowserSession) []string {
	var list []string
	for _, id := range session.Clients {
		client := b.Settings.Current().WebClient(id)
		if client == nil || client.Disabled || client.OpenIDConnect.FrontChannelLogoutURL == "" {
			continue
		}
		address := client.OpenIDConnect.FrontChannelLogoutURL
		if client.OpenIDConnect.FrontChannelSession {
			address = withParameters(address, url.Values{"iss": {b.Issuer}, "sid": {session.ID}})
		}
		list = append(list, address)
	}
	return list
}

// completeLogout answers the browser that comes back from the identity provider's logout.
func (b *Browser) completeLogout(c echo.Context) error {
	l, err := b.takeLogout(c, c.QueryParam("state"))
	switch {
	case err != nil:
		return gone(err, logoutGone)
	case !l.Done:
		return logoutGone.About(audit.Reason("session has not ended"))
	}
	l.Asked = false // the form is far behind
	return b.finishLogout(c, l)
}

// finishLogout is the end of a logout: the clients are told in frames, and the browser goes where the client wants it.
func (b *Browser) finishLogout(c echo.Context, l store.Logout) error {
	target := l.RedirectURI
	if target != "" && l.State != "" {
		target = withParameters(target, url.Values{"state": {l.State}})
	}
	if len(l.Frames) == 0 && target != "" {
		return b.leave(c, l, target)
	}
	return b.Pages.SignedOut(c, pages.SignedOut{Language: l.Language, Target: target, Frames: l.Frames})
}

// leave sends the browser away: with a redirect, or, after a form of ours, with a page, because its policy says where a
// form may lead and nobody knows through whose hands an identity provider sends the browser.
func (b *Browser) leave(c echo.Context, l store.Logout, address string) error {
	if l.Asked {
		return b.Pages.SignedOut(c, pages.SignedOut{Language: l.Language, Target: address})
	}
	web.NoStore(c)
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	return c.Redirect(seeOther(c), address)
}
