package oauth

import (
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How the user's word about a logout is refused.
var (
	logoutCSRFGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.CSRFInvalid, Text: "the logout has ended or belongs to another browser",
	}.With(pageText, "error.logout")
	// logoutCSRF is answered with a fresh page.
	logoutCSRF = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.CSRFInvalid, Text: "the form is too old, used or not of this page",
	}
)

// askLogout asks the user. Every rendering carries a new form token, and the one before is void.
func (b *Browser) askLogout(c echo.Context, l store.Logout, session store.BrowserSession) error {
	ctx := c.Request().Context()
	token := hex.EncodeToString(secret.Bytes(formTokenBytes))
	l = b.bindLogout(c, l)
	l.Asked, l.FormEndsAt = true, b.Now().Add(formTokenLife)
	l.Form = b.Keys.MAC(secret.ForFormToken, "logout", l.ID, session.ID, token)
	l, err := b.keepLogout(c, l)
	if err != nil {
		return err
	}
	page := pages.LogoutConfirm{
		Language: l.Language, UserName: session.UserID, Action: publicPath(b.Issuer) + logoutAcceptPath, ID: l.ID, FormToken: token,
		Reject: b.at(logoutRejectPath, l.ID),
	}
	person, err := b.People.Person(ctx, session.UserID)
	switch {
	case err == nil:
		page.UserName = displayName(person)
	case !errors.Is(err, store.ErrNotFound): // whoever may not sign in may sign out
		return fmt.Errorf("read person: %w", err)
	}
	if l.ClientID != "" {
		page.ClientName = nameOfClient(b.Settings.Current(), store.Authorization{ClientID: l.ClientID})
	}
	if c.QueryParam("again") != "" {
		page.Notice = "logout.again"
	}
	reason := "no id_token_hint"
	switch {
	case l.BadHint:
		reason = "id_token_hint is no ID token of this server"
	case l.HintedUser != "" && l.HintedUser != session.UserID:
		reason = "id_token_hint of another user"
	case l.HintedUser != "":
		reason = "id_token_hint of another session"
	}
	b.Audit.Record(ctx, audit.OpenidSessionLogoutConfirmPageShown, audit.Reason(reason))
	return b.Pages.LogoutConfirm(c, page)
}

// confirmLogoutAgain asks once more, after a form that did not count.
func (b *Browser) confirmLogoutAgain(c echo.Context) error {
	l, err := b.waitingLogout(c, c.QueryParam("t"))
	if err != nil {
		return gone(err, logoutGone)
	}
	if l.Done {
		return logoutGone.About(audit.Reason("session has ended"))
	}
	session, err := b.anySession(c)
	switch {
	case errors.Is(err, store.ErrNotFound):
		web.AnswerFailuresBy(c, func(c echo.Context, _ outcome.Failure) error { return b.finishLogout(c, l) })
		return logoutNoSession
	case err != nil:
		return err
	}
	audit.Admit(c.Request().Context(), audit.User(session.UserID))
	return b.askLogout(c, l, session)
}

// acceptLogout answers POST: the user says yes.
func (b *Browser) acceptLogout(c echo.Context) error {
	form, err := web.BindForm(c)
	if err != nil {
		return logoutCSRFGone.Because(err).About(audit.Reason("not a form"))
	}
	l, err := b.waitingLogout(c, form["t"])
	if err != nil {
		return gone(err, logoutCSRFGone)
	}
	session, err := b.anySession(c)
	switch {
	case errors.Is(err, store.ErrNotFound):
		web.AnswerFailuresBy(c, func(c echo.Context, _ outcome.Failure) error { return b.finishLogout(c, l) })
		return logoutNoSession
	case err != nil:
		return err
	}
	audit.Admit(c.Request().Context(), audit.User(session.UserID))
	if reason := b.checkLogoutForm(l, session, form["csrf_token"]); reason != "" {
		web.AnswerFailuresBy(c, b.backTo(b.at(logoutConfirmPath, l.ID)+"&again=1"))
		return logoutCSRF.About(audit.Reason(reason))
	}
	if l, err = b.takeLogout(c, l.ID); err != nil { // of two posts one
		return gone(err, logoutCSRFGone)
	}
	return b.endLogout(c, l, session)
}

// checkLogoutForm compares a token with what the page was bound to; it returns why they differ, or "".
func (b *Browser) checkLogoutForm(l store.Logout, session store.BrowserSession, token string) string {
	switch {
	case token == "":
		return "missing"
	case l.Form == nil || !b.Keys.Equal(secret.ForFormToken, l.Form, "logout", l.ID, session.ID, token):
		return "wrong or used"
	case !b.Now().Before(l.FormEndsAt):
		return "expired"
	}
	return ""
}

// rejectLogout answers the link: the user says no. The session stays, and the client is not told.
func (b *Browser) rejectLogout(c echo.Context) error {
	l, err := b.takeLogout(c, c.QueryParam("t"))
	if err != nil {
		return gone(err, logoutGone)
	}
	if l.Done {
		return logoutGone.About(audit.Reason("session has ended"))
	}
	ctx := c.Request().Context()
	if session, err := b.anySession(c); err == nil {
		audit.Know(ctx, audit.User(session.UserID))
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	b.Audit.Record(ctx, audit.OpenidSessionLogoutFailureRejected)
	return b.Pages.Stay(c, pages.Stay{Language: l.Language})
}
