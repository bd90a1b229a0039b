package oauth

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How silent authentication fails (OpenID Connect Core §3.1.2.6).
var (
	silentNoLogin = outcome.Failure{
		Code: outcome.LoginRequired, Audit: audit.AuthnRequestLoginRequired, Text: "the user is not signed in",
	}
	silentInteraction = outcome.Failure{
		Code: outcome.InteractionRequired, Audit: audit.AuthnRequestInteractionRequired,
		Text: "the user has to sign in another way",
	}
	silentNoConsent = outcome.Failure{
		Code: outcome.ConsentRequired, Audit: audit.AuthnRequestConsentRequired, Text: "the user has to agree first",
	}
)

// authorizationLife is how long a user may take to sign in and agree.
const authorizationLife = 30 * time.Minute

// checkClient is steps 2 and 3: a client that exists and may use this endpoint.
func (b *Browser) checkClient(c echo.Context, r *authorizeRequest) error {
	ctx := c.Request().Context()
	switch ids := r.values["client_id"]; {
	case len(ids) == 0:
		return authorizeUnknownClient.About(audit.Reason("client_id missing"))
	case len(ids) > 1:
		return authorizeUnknownClient.About(audit.Reason("client_id repeated"))
	}
	var err error
	if r.client, err = b.requester(ctx, r.settings, r.get("client_id")); err != nil {
		return clientFailure(err, r.get("client_id"))
	}
	knowClient(ctx, r.client)
	wear(c, r.settings, r.client.Web, r.client.Application)
	return checkVersion(r.client)
}

// knowClient puts the client into every event of the request from now on.
func knowClient(ctx context.Context, r requester) {
	audit.Know(ctx, audit.Client(r.ID))
	if i := r.Installation; i != nil {
		audit.Know(ctx, audit.App(i.Application, i.Platform, i.Version))
	}
}

// checkVersion refuses installations whose protocol or app version may not sign users in.
func checkVersion(r requester) error {
	if !r.app() {
		return nil
	}
	if v := r.Installation.APIVersion; v < firstAPIVersion || v > lastAPIVersion {
		return authorizeAPIVersion.About(audit.Detail("route", "authorize"), audit.Count("client_version", v),
			audit.Count("lowest", firstAPIVersion), audit.Count("highest", lastAPIVersion))
	}
	if r.Version == nil || r.Version.CurrentStatus() == settings.VersionDisabled {
		return authorizeVersionOff
	}
	return nil
}

// transaction is what is kept of a request that has been checked.
func (r *authorizeRequest) transaction(now time.Time, language string) store.Authorization {
	a := store.Authorization{
		State: store.AtProvider, ClientID: r.client.ID, RedirectURI: r.redirectURI, RedirectOmitted: r.redirectOmitted,
		ResponseType: string(r.responseType), ResponseMode: r.mode, Scopes: r.scopes, RequestState: r.get("state"), Nonce: r.get("nonce"),
		CodeChallenge: r.get("code_challenge"), AskConsent: r.asks("consent"), Provider: r.provider.ID,
		MaxAge: r.maxAge, Silent: r.asks("none"), ForceLogin: r.asks("login"), SelectAccount: r.asks("select_account"),
		ACRValues: r.get("acr_values"), EssentialACR: r.essentialACR, UILocales: clipped(r.get("ui_locales"), 256),
		ExternalIDP: r.get("external_idp"), ProviderParams: r.providerParams, HookParams: r.hookParams,
		LoginHint: clipped(r.get("login_hint"), 256), HintedUser: r.hinted, Language: language, ProviderQuery: providerQuery(r),
		CreatedAt: now, ExpiresAt: now.Add(authorizationLife),
	}
	if r.plain {
		a.ChallengeMethod = plainChallenge
	}
	if a.ACRValues == "" {
		a.ACRValues = strings.Join(r.essentialACR, " ")
	}
	if r.get("app_view") == appViewMobile || r.client.app() {
		a.AppView = appViewMobile
	}
	if i := r.client.Installation; i != nil {
		a.Application, a.Platform, a.AppVersion = i.Application, i.Platform, i.Version
	}
	return a
}

// appViewMobile tells an identity provider that its pages show inside an app.
const appViewMobile = "mobile"

// begin is step 11: it starts the transaction and sends the browser to the identity provider. A user who is signed in
// already skips that; with prompt=none the answer comes without a page of ours.
func (b *Browser) begin(c echo.Context, r *authorizeRequest, to reply) error {
	ctx := c.Request().Context()
	a := r.transaction(b.Now(), to.language)
	session, err := b.session(c)
	signedIn := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	accepted := signedIn && r.accepts(a, session)
	if accepted {
		if accepted, err = b.isNamed(c, r.provider, session); err != nil {
			return err
		}
	}
	if accepted {
		a.State, a.UserID, a.AuthTime, a.ACR, a.AMR = store.Identified, session.UserID, session.AuthTime, session.ACR, session.AMR
		a.SessionID, a.Level, a.SteppedUp = session.ID, session.Level, session.SteppedUp
	}
	if a.Silent {
		upstream, err := r.upstream(a)
		if err != nil {
			return err
		}
		if !upstream {
			return b.silently(c, r, a, to, signedIn && session.Provider != r.provider.ID)
		}
		a.State, a.UserID, a.SessionID, a.SteppedUp = store.AtProvider, "", "", false
	}
	if a.State != store.Identified {
		if err := b.mayStart(c, "authorizations"); err != nil {
			return err
		}
	}
	if a, err = b.start(c, a); err != nil {
		return err
	}
	if a.State == store.Identified {
		audit.Admit(ctx, audit.User(a.UserID))
		return b.proceed(c, a, r.settings, r.client)
	}
	return c.Redirect(seeOther(c), b.wayIn(a, r.settings, r.provider))
}

// accepts tells whether the session of the browser is the sign-in that a request wants: of its identity provider and user,
// young enough, and in the context that was asked for, as far as the provider could give another one.
func (r *authorizeRequest) accepts(a store.Authorization, session store.BrowserSession) bool {
	if session.Provider != r.provider.ID || a.ForceLogin || a.SelectAccount || r.hinted != "" && r.hinted != session.UserID {
		return false
	}
	if a.ExternalIDP != "" && r.provider.Type == settings.SAMLProvider {
		return false
	}
	if a.MaxAge >= 0 && a.CreatedAt.Sub(session.AuthTime) >= time.Duration(a.MaxAge)*time.Second {
		return false
	}
	a.Level, a.ACR, a.SteppedUp = session.Level, session.ACR, session.SteppedUp
	level, err := levelOf(a, r.settings)
	if err != nil {
		return false
	}
	return !asksSilently(r.provider.Type) || meets(acrOf(a, r.settings), level, strings.Fields(a.ACRValues))
}

// upstream tells whether the identity provider is asked about a silent request: when it can be, and the session of the
// browser is not enough.
func (r *authorizeRequest) upstream(a store.Authorization) (bool, error) {
	if !asksSilently(r.provider.Type) {
		return false, nil
	}
	if a.State != store.Identified || !r.client.answersFromSession() {
		return true, nil
	}
	level, err := levelOf(a, r.settings)
	if err != nil {
		return false, unsupportedLevel(a.Level).Because(err)
	}
	return level < neededLevel(r.settings, a.Scopes), nil
}

// authorizeTooMany is an error page, whatever the redirect address: nobody has asked for anything yet. Its one event a
// minute is RATE_LIMIT_EXCEEDED.
var authorizeTooMany = outcome.Failure{Code: outcome.TooManyRequests, Text: "too many sign-ins begun from this address, try again in a minute"}

// mayStart bounds how many transactions people who are not signed in can leave behind. what is named in the event.
func (b *Browser) mayStart(c echo.Context, what string) error {
	ctx := c.Request().Context()
	network := ratelimit.Network(audit.ClientIP(ctx))
	if !b.Starts.Exceeded(network) {
		b.Starts.Spend(ctx, network)
		return nil
	}
	if n := b.Starts.Refused(network); n > 0 {
		b.Audit.Record(ctx, audit.RateLimitExceeded, audit.Detail("limit", what), audit.Count("refusals", n))
	}
	c.Response().Header().Set(echo.HeaderRetryAfter, "60")
	web.AnswerFailuresBy(c, b.ErrorPage)
	return authorizeTooMany
}

// silently answers prompt=none from the session of the browser alone: nothing is stored on the way.
func (b *Browser) silently(c echo.Context, r *authorizeRequest, a store.Authorization, to reply, elsewhere bool) error {
	switch {
	case elsewhere:
		return silentInteraction
	case a.State != store.Identified:
		return silentNoLogin
	}
	ctx := c.Request().Context()
	audit.Admit(ctx, audit.User(a.UserID))
	if _, err := b.nextPage(ctx, &a, r.settings, r.client); err != nil {
		return b.breakOff(c, a, err)
	}
	return b.issue(c, a, r.settings, r.client, to)
}

// start stores a new transaction and binds it to the browser by a cookie of its own, so that several of one browser do
// not disturb each other.
func (b *Browser) start(c echo.Context, a store.Authorization) (store.Authorization, error) {
	const idBytes = 16
	a.ID = base64.RawURLEncoding.EncodeToString(secret.Bytes(idBytes))
	binding := secret.NewChallenge()
	a.Browser = b.Keys.MAC(secret.ForCookie, "authorization", a.ID, binding)
	if err := b.Authorizations.AddAuthorization(c.Request().Context(), a); err != nil {
		return a, fmt.Errorf("start authorization: %w", err)
	}
	b.cookies().Set(c, transactionCookie(a.ID), binding, authorizationLife)
	return a, nil
}

// transactionCookie names the cookie that binds a transaction to its browser.
func transactionCookie(id string) string { return "ts-auth-" + id }
