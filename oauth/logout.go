package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strconv"

	"github.com/golang-jwt/jwt/v5"
	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How a logout request fails (OpenID Connect RP-Initiated Logout 1.0 §4). It ends with
// OPENID_SESSION_LOGOUT_CONFIRM_PAGE_SHOWN, or with OPENID_SESSION_LOGOUT_SUCCESS and, when tokens went with the session,
// OPENID_SESSION_LOGOUT_TOKENS_DELETED.
var (
	logoutMalformed = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.OpenidSessionLogoutFailure, Text: "a parameter is repeated or malformed",
	}.With(pageText, "error.logout_request")
	logoutClient = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.OpenidSessionLogoutFailure, Text: "client_id is unknown or not that of id_token_hint",
	}.With(pageText, "error.client")
	logoutRedirect = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.OpenidSessionLogoutFailure, Text: "post_logout_redirect_uri is not registered for the client",
	}.With(pageText, "error.redirect")
	// logoutNoSession is answered like a logout: who is not signed in is signed out.
	logoutNoSession = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.OpenidSessionLogoutFailure, Text: "nobody is signed in at this browser",
	}.About(audit.Reason("no session"))
	logoutGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.OpenidSessionLogoutFailure, Text: "the logout has ended or belongs to another browser",
	}.With(pageText, "error.logout")
)

// The paths of a logout, below the issuer.
const (
	logoutPath         = "/v1/logout"
	logoutGoOnPath     = logoutPath + "/continue" // a request by POST that another site sent
	logoutConfirmPath  = logoutPath + "/confirm"  // the question once more
	logoutAcceptPath   = logoutPath + "/accept"
	logoutRejectPath   = logoutPath + "/reject"
	logoutCompletePath = logoutPath + "/complete" // back from the identity provider's logout
)

const maxHint = 16 << 10 // bytes of id_token_hint

// logoutRoutes adds the end session endpoint and its pages.
func (b *Browser) logoutRoutes(g *echo.Group, pages echo.MiddlewareFunc) {
	g.GET(logoutPath, b.logout, pages)
	g.POST(logoutPath, b.logout, pages)
	g.GET(logoutGoOnPath, b.goOnLogout, pages)
	g.GET(logoutConfirmPath, b.confirmLogoutAgain, pages)
	g.POST(logoutAcceptPath, b.acceptLogout, pages)
	g.GET(logoutRejectPath, b.rejectLogout, pages)
	g.GET(logoutCompletePath, b.completeLogout, pages)
}

// logout answers GET and POST of the end session endpoint.
func (b *Browser) logout(c echo.Context) error {
	form, err := logoutParameters(c)
	if err != nil {
		return err
	}
	l, err := b.checkLogout(c, form)
	if err != nil {
		return err
	}
	if c.Request().Method == http.MethodPost && b.cookies().Get(c, sessionCookie) == "" {
		// Browsers keep the session's cookie from forms of other sites, but not from the redirect that follows.
		if err := b.mayStart(c, "logouts"); err != nil {
			return err
		}
		if l, err = b.keepLogout(c, l); err != nil {
			return err
		}
		web.NoStore(c)
		return c.Redirect(http.StatusSeeOther, b.at(logoutGoOnPath, l.ID))
	}
	return b.proceedLogout(c, l)
}

// goOnLogout goes on with a request that came by POST from another site.
func (b *Browser) goOnLogout(c echo.Context) error {
	l, err := b.takeLogout(c, c.QueryParam("t"))
	if err != nil {
		return gone(err, logoutGone)
	}
	if l.Done {
		return logoutGone.About(audit.Reason("session has ended"))
	}
	return b.proceedLogout(c, l)
}

// logoutParameters reads the query of a GET, or the form of a POST.
func logoutParameters(c echo.Context) (web.Form, error) {
	encoded := c.Request().URL.RawQuery
	if c.Request().Method == http.MethodPost {
		kind, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
		if err != nil || kind != echo.MIMEApplicationForm || encoded != "" {
			return nil, logoutMalformed.About(audit.Reason("not a form"))
		}
		body, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return nil, fmt.Errorf("read form: %w", err)
		}
		encoded = string(body)
	} else if len(encoded) > maxHint+maxQuery {
		return nil, logoutMalformed.About(audit.Reason("query too long"))
	}
	form, err := web.ParseForm(encoded)
	switch {
	case errors.Is(err, web.ErrRepeated):
		return nil, logoutMalformed.Because(err).About(audit.Reason("repeated"))
	case err != nil:
		return nil, logoutMalformed.Because(err).About(audit.Reason("malformed encoding"))
	case len(form["state"]) > maxState || !visible(form["state"]):
		return nil, logoutMalformed.About(audit.Detail("field", "state"), audit.Reason("malformed"))
	}
	return form, nil
}

// logoutHint is the claims of an ID token that a logout looks at. Whether it has expired does not matter.
type logoutHint struct {
	jwt.RegisteredClaims
	AuthorizedParty string `json:"azp"`
	SessionID       string `json:"sid"`
}

// names tells whether the ID token was issued to a client.
func (h logoutHint) names(clientID string) bool {
	return h.AuthorizedParty == clientID || slices.Contains(h.Audience, clientID)
}

// client is who got the ID token: our own tokens name the client first when there are several audiences.
func (h logoutHint) client() string {
	switch {
	case h.AuthorizedParty != "":
		return h.AuthorizedParty
	case len(h.Audience) > 0:
		return h.Audience[0]
	}
	return ""
}

// checkLogout checks who asks, and where the browser may go afterwards. A hint that is no ID token of ours counts as none.
func (b *Browser) checkLogout(c echo.Context, form web.Form) (store.Logout, error) {
	ctx := c.Request().Context()
	l := store.Logout{
		State: form["state"], Language: pages.Language("", form["ui_locales"], c.Request().Header.Get("Accept-Language")),
	}
	hint, err := b.logoutHint(ctx, form["id_token_hint"])
	if err != nil {
		return l, err
	}
	l.BadHint = form["id_token_hint"] != "" && hint.Subject == ""
	l.HintedUser, l.HintedSession, l.ClientID = hint.Subject, hint.SessionID, form["client_id"]
	if l.ClientID == "" {
		l.ClientID = hint.client()
	} else if hint.Subject != "" && !hint.names(l.ClientID) {
		return l, logoutClient.About(audit.Detail("client_id", clipped(l.ClientID, 256)), audit.Reason("not the client of id_token_hint"))
	}
	client, err := b.logoutClient(ctx, &l, form["client_id"] != "")
	if err != nil {
		return l, err
	}
	if asked := form["post_logout_redirect_uri"]; asked != "" {
		if client == nil || !slices.Contains(client.OpenIDConnect.PostLogoutRedirectURLs, asked) {
			return l, logoutRedirect.About(audit.Detail("post_logout_redirect_uri", strconv.QuoteToASCII(clipped(asked, 256))))
		}
		l.RedirectURI = asked
	} else if client != nil && len(client.OpenIDConnect.PostLogoutRedirectURLs) > 0 {
		l.RedirectURI = client.OpenIDConnect.PostLogoutRedirectURLs[0]
	}
	return l, nil
}

// logoutClient looks the client of a logout up, and puts it into the events; nil = no web client. A client that only the
// hint names may have gone since.
func (b *Browser) logoutClient(ctx context.Context, l *store.Logout, named bool) (*settings.WebClient, error) {
	if l.ClientID == "" {
		return nil, nil
	}
	client, err := b.requester(ctx, b.Settings.Current(), l.ClientID)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrRevoked):
		if named {
			return nil, logoutClient.Because(err).About(audit.Detail("client_id", clipped(l.ClientID, 256)), audit.Reason("unknown client"))
		}
		l.ClientID = ""
		return nil, nil
	case err != nil:
		return nil, err
	}
	knowClient(ctx, client)
	return client.Web, nil
}

// logoutHint returns the claims of an ID token of ours, of any age; one without a subject for anything else.
func (b *Browser) logoutHint(ctx context.Context, compact string) (logoutHint, error) {
	if compact == "" || len(compact) > maxHint {
		return logoutHint{}, nil
	}
	var claims logoutHint
	err := b.Signing.Verify(ctx, "JWT", compact, &claims)
	switch {
	case errors.Is(err, store.ErrUnavailable):
		return logoutHint{}, fmt.Errorf("verify id_token_hint: %w", err)
	case err != nil, claims.Issuer != b.Issuer:
		return logoutHint{}, nil //nolint:nilerr // what cannot be believed is not there
	}
	return claims, nil
}

// proceedLogout ends the session of the browser at once when the hint is about it; else the user is asked.
func (b *Browser) proceedLogout(c echo.Context, l store.Logout) error {
	ctx := c.Request().Context()
	if l.HintedUser != "" {
		audit.Admit(ctx) // it holds an ID token of ours
	}
	b.dressLogout(c, l)
	session, err := b.anySession(c)
	switch {
	case errors.Is(err, store.ErrNotFound):
		web.AnswerFailuresBy(c, func(c echo.Context, _ outcome.Failure) error { return b.finishLogout(c, l) })
		return logoutNoSession
	case err != nil:
		return err
	}
	audit.Admit(ctx, audit.User(session.UserID))
	if l.HintedUser == session.UserID && (l.HintedSession == "" || l.HintedSession == session.ID) {
		return b.endLogout(c, l, session)
	}
	return b.askLogout(c, l, session)
}
