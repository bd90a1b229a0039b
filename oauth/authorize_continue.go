package oauth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How the journey of a transaction breaks off.
var (
	journeyGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestInvalid, Text: "the sign-in has ended or belongs to another browser",
	}.With(pageText, "error.transaction")
	journeyTampered = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestInvalid, Text: "the request is not the one that was begun",
	}.With(pageText, "error.transaction")
	journeyUserGone = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.AccountSignInFailed, Text: "the account may not be used",
	}
)

func (b *Browser) cookies() web.Cookies { return web.CookiesFor(b.Issuer) }

// journey returns the transaction of a step, if it is this browser's.
// Errors: store.ErrNotFound, store.ErrExpired, store.ErrRevoked (another browser's).
func (b *Browser) journey(c echo.Context, id string) (store.Authorization, error) {
	if len(id) > 64 || !scopeToken(id) {
		return store.Authorization{}, store.ErrNotFound
	}
	a, err := b.Authorizations.Authorization(c.Request().Context(), id)
	if err != nil {
		return store.Authorization{}, fmt.Errorf("read transaction: %w", err)
	}
	binding := b.cookies().Get(c, transactionCookie(id))
	if binding == "" || !b.Keys.Equal(secret.ForCookie, a.Browser, "authorization", id, binding) {
		return store.Authorization{}, store.ErrRevoked
	}
	audit.Know(c.Request().Context(), audit.Client(a.ClientID))
	if a.Application != "" {
		audit.Know(c.Request().Context(), audit.App(a.Application, a.Platform, a.AppVersion))
	}
	if a.UserID != "" {
		audit.Admit(c.Request().Context(), audit.User(a.UserID))
	}
	s := b.Settings.Current()
	wear(c, s, s.WebClient(a.ClientID), s.Application(a.Application))
	pages.MayLeadTo(c, elsewhereOf(s, a)...)
	return a, nil
}

// goneReason says why there is no transaction for a step; "" when err means something else.
func goneReason(err error) string {
	if errors.Is(err, store.ErrConflict) {
		return "transaction moved on"
	}
	return store.GoneReason(err)
}

// gone turns a missing transaction into failure; other errors stay what they are.
func gone(err error, failure outcome.Failure) error {
	if reason := goneReason(err); reason != "" {
		return failure.Because(err).About(audit.Reason(reason))
	}
	return err
}

// goOn answers the browser that comes back from the identity provider.
func (b *Browser) goOn(c echo.Context) error {
	a, s, client, err := b.resume(c, c.QueryParam("t"), journeyGone)
	if err != nil {
		return err
	}
	return b.proceed(c, a, s, client)
}

// resume reads the transaction of a step and checks that its client and provider are still what they were: settings may
// have changed meanwhile. From then on failures are answered to the client.
func (b *Browser) resume(c echo.Context, id string, missing outcome.Failure) (
	a store.Authorization, s *settings.Snapshot, client requester, err error,
) {
	ctx := c.Request().Context()
	if a, err = b.journey(c, id); err != nil {
		return a, nil, client, gone(err, missing)
	}
	if tampered(c, a) {
		return a, nil, client, journeyTampered.About(audit.Reason("transaction tampering"))
	}
	s = b.Settings.Current()
	if client, err = b.requester(ctx, s, a.ClientID); err != nil {
		return a, nil, client, clientFailure(err, a.ClientID)
	}
	if err = checkVersion(client); err != nil {
		return a, nil, client, err
	}
	if a.DeviceID == "" && !registeredRedirect(client.redirects(), a.RedirectURI, !client.app() && client.Public()) {
		return a, nil, client, authorizeRedirect.About(audit.Detail("redirect_uri", a.RedirectURI), audit.Reason("no longer registered"))
	}
	web.AnswerFailuresBy(c, b.fail(replyOf(a, client)))
	if a.State != store.AtProvider && b.Sessions.SignedOut(a.SessionID) { // in another tab, or by somebody else's sign-in
		return a, nil, client, b.breakOff(c, a, silentNoLogin.About(audit.Reason("signed out meanwhile")))
	}
	if p := s.IdentityProvider(a.Provider); p == nil || p.Disabled || b.Providers[p.Type] == nil {
		return a, nil, client, providerNone.About(audit.Detail("idp", a.Provider), audit.Reason("no longer enabled"))
	}
	return a, s, client, nil
}

// tampered tells whether a returning browser names another request than the one that it is bound to.
func tampered(c echo.Context, a store.Authorization) bool {
	named := c.QueryParams()
	for name, kept := range map[string]string{
		"client_id": a.ClientID, "idp": a.Provider, "redirect_uri": a.RedirectURI, "scope": strings.Join(a.Scopes, " "),
		"response_type": responseType(a.ResponseType).parameter(),
	} {
		for _, value := range named[name] {
			if value != kept {
				return true
			}
		}
	}
	return false
}

// replyOf says how the request behind a transaction is answered.
func replyOf(a store.Authorization, client requester) reply {
	return reply{
		redirectURI: a.RedirectURI, mode: a.ResponseMode, state: a.RequestState, language: a.Language,
		clientName: client.name(), completion: client.showsCompletion() && !a.Silent, device: a.DeviceID != "",
	}
}

// finish ends the transaction, which only one of several racing requests can do, and answers with a code.
func (b *Browser) finish(c echo.Context, a store.Authorization, s *settings.Snapshot, client requester) error {
	if err := b.end(c, a); err != nil {
		return err
	}
	return b.issue(c, a, s, client, replyOf(a, client))
}

// end takes the transaction away: nobody else can answer it.
func (b *Browser) end(c echo.Context, a store.Authorization) error {
	if err := b.Authorizations.EndAuthorization(c.Request().Context(), a); err != nil {
		if goneReason(err) != "" {
			web.AnswerFailuresBy(c, b.ErrorPage)
		}
		return gone(err, journeyGone)
	}
	b.cookies().Delete(c, transactionCookie(a.ID))
	return nil
}
