package idp

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/idp/oidc"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How the way back fails: with an error page while the state proves nothing, then with an error response to the client. It
// succeeds with 302 to where the journey goes on; the event of the sign-in is that of the code.
var (
	stateMismatch = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.IDPOauthStateMismatch, Text: "the sign-in has ended or belongs to another browser",
	}.With("page", "error.transaction")
	missingGrant = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPOauthMissingAccessGrant, Text: "the identity provider did not sign the user in",
	}
	missingToken = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPOauthMissingAccessToken, Text: "the identity provider's answer cannot be used",
	}
	missingUser = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPOauthMissingUserInfo, Text: "the identity provider does not say who the user is",
	}
)

const (
	longestCallback = 8 << 10 // bytes of the query
	longestCode     = 4 << 10
)

// passedOn are the errors of a provider that mean the same to our client.
func passedOn(upstreamError string) outcome.Code {
	code, known := map[string]outcome.Code{
		"access_denied":           outcome.AccessDenied,
		"login_required":          outcome.LoginRequired,
		"interaction_required":    outcome.InteractionRequired,
		"consent_required":        outcome.ConsentRequired,
		"invalid_scope":           outcome.InvalidScope,
		"temporarily_unavailable": outcome.TemporarilyUnavailable,
	}[upstreamError]
	if !known {
		return outcome.ServerError
	}
	return code
}

// callback answers the browser that comes back from the provider.
func (o *OAuth) callback(c echo.Context) error {
	ctx := c.Request().Context()
	if len(c.Request().URL.RawQuery) > longestCallback {
		return stateMismatch.About(audit.Reason("malformed"))
	}
	answer, err := web.ParseForm(c.Request().URL.RawQuery)
	if err != nil {
		return stateMismatch.Because(err).About(audit.Reason("malformed"))
	}
	a, trip, waiting, err := o.arrive(c, answer["state"])
	if err != nil {
		return err
	}
	audit.Admit(ctx)
	if !waiting { // another tab was faster
		return onward(c, o.Journey.GoOnURL(a.ID))
	}
	p, err := configured(o.Settings, a, settings.OIDCProvider, settings.OAuthProvider)
	if err != nil {
		return failed(c, o.Journey, a, err)
	}
	id, err := o.identity(ctx, p, a, trip, answer)
	if err != nil {
		return failed(c, o.Journey, a, err)
	}
	return welcome(c, o.Journey, a, id)
}

// identity redeems the code and asks who the user is. Errors: outcome.Failure for Fail.
func (o *OAuth) identity(ctx context.Context, p *settings.IdentityProvider, a store.Authorization, trip roundTrip, answer web.Form) (store.Identity, error) {
	upstream := upstreamOf(p)
	m, discovery := o.Client.Directory.Metadata(ctx, upstream)
	if discovery == nil && (foreign(m, answer["iss"]) || !upstream.OpenID() && o.ofAnother(p, answer["iss"])) {
		return store.Identity{}, missingGrant.About(audit.Detail("idp", p.ID), audit.Reason("answer of another issuer"))
	}
	if err := granted(p, answer); err != nil {
		return store.Identity{}, err
	}
	if discovery != nil {
		return store.Identity{}, unusable(missingToken, p, discovery)
	}
	tokens, err := o.Client.Exchange(ctx, upstream, m, answer["code"], trip.verifier, o.CallbackURL())
	if err != nil {
		return store.Identity{}, unusable(missingToken, p, err)
	}
	if !upstream.OpenID() {
		return o.profiled(ctx, p, upstream, m, tokens)
	}
	want := oidc.Expected{Nonce: trip.nonce, AccessToken: tokens.Access, MaxAge: a.MaxAge}
	if a.ForceLogin { // the person at the browser can take prompt=login out of the address that leads to the provider
		want.NotBefore = a.CreatedAt
	}
	claims, err := o.Client.IDToken(ctx, upstream, m, tokens.ID, want)
	if err != nil {
		return store.Identity{}, unusable(missingToken, p, err)
	}
	return o.claimed(ctx, p, upstream, m, tokens, claims)
}

// foreign tells whether an answer comes from another issuer than the one that was asked: a mix-up (RFC 9207 §2.4).
func foreign(m oidc.Metadata, issuer string) bool {
	switch {
	case m.Issuer == "": // a plain OAuth server has no name
		return false
	case issuer == "":
		return m.NamesIssuer
	}
	return issuer != m.Issuer
}

// ofAnother tells whether an answer to a question to a plain OAuth server says that it comes from another provider of the
// settings. Its code must not be shown to this one (RFC 9700 §4.4).
func (o *OAuth) ofAnother(p *settings.IdentityProvider, issuer string) bool {
	from := hostOf(issuer)
	if from == "" || from == hostOf(p.OAuth.AuthorizationURL) {
		return false
	}
	providers := o.Settings.Current().Document.IdentityProviders
	return slices.ContainsFunc(providers, func(other settings.IdentityProvider) bool {
		return other.OAuth != nil && (from == hostOf(other.OAuth.Issuer) || from == hostOf(other.OAuth.AuthorizationURL))
	})
}

// hostOf returns host and port of an address, "" when it has none.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Host)
}

// granted checks that there is a code. Errors: outcome.Failure.
func granted(p *settings.IdentityProvider, answer web.Form) error {
	f := missingGrant.About(audit.Detail("idp", p.ID))
	switch refused := answer["error"]; {
	case refused != "":
		f.Code = passedOn(refused)
		return f.About(audit.Detail("upstream_error", oidc.Code(refused)))
	case answer["code"] == "":
		return f.About(audit.Reason("no code"))
	case len(answer["code"]) > longestCode:
		return f.About(audit.Reason("code too long"))
	}
	return nil
}
