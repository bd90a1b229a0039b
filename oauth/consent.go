package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// How a submitted consent fails. It succeeds with CONSENT_GIVEN and goes on to the answer.
var (
	consentCSRF = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.ConsentCSRFInvalid, Text: "the form is too old or was used before",
	}
	consentGone = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.ConsentCSRFInvalid, Text: "the sign-in has ended or belongs to another browser",
	}.With(pageText, "error.transaction")
	consentNoDecision = outcome.Failure{
		Code: outcome.InvalidRequest, Audit: audit.AuthzRequestInvalid, Text: "the form carries no decision",
	}
	consentDenied = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.ConsentDenied, Text: "the user did not agree",
	}
)

const (
	formTokenBytes = 160 // 320 hex digits
	formTokenLife  = 5 * time.Minute
)

// openScopes returns the scopes that the user must be asked for: those without a stored consent, those that are asked
// every time, all of them with prompt=consent and for a device; none when the client skips consent. A scope that the settings do not
// describe, such as openid, lasts.
func (b *Browser) openScopes(ctx context.Context, s *settings.Snapshot, client requester, a store.Authorization) ([]string, error) {
	if client.skipsConsent() && a.DeviceID == "" {
		return nil, nil
	}
	if a.AskConsent || a.DeviceID != "" { // who owns the device cannot be seen: the user is asked each time
		return a.Scopes, nil
	}
	given, err := b.Consents.Consents(ctx, a.UserID, a.ClientID)
	if err != nil {
		return nil, fmt.Errorf("read consents: %w", err)
	}
	var open []string
	for _, scope := range a.Scopes {
		consented := slices.ContainsFunc(given, func(c store.Consent) bool { return c.Scope == scope })
		if !consented || !lasting(s, scope) {
			open = append(open, scope)
		}
	}
	return open, nil
}

// lasting tells whether consent to a scope is stored.
func lasting(s *settings.Snapshot, scope string) bool {
	known := s.Scope(scope)
	return known == nil || known.PersistentConsent
}

// consentPage answers GET: every rendering carries a new form token, and the one before is void.
func (b *Browser) consentPage(c echo.Context) error {
	a, s, client, err := b.resume(c, c.QueryParam("t"), journeyGone)
	if err != nil {
		return err
	}
	if ready, err := b.readyToConsent(c.Request().Context(), &a, s, client); err != nil || !ready {
		return b.elsewhere(c, a, err)
	}
	open, err := b.openScopes(c.Request().Context(), s, client, a)
	if err != nil {
		return err
	}
	person, err := b.person(c.Request().Context(), a)
	if err != nil {
		return err
	}
	token := hex.EncodeToString(secret.Bytes(formTokenBytes))
	next := a
	next.State, next.FormExpiresAt = store.Consenting, b.Now().Add(formTokenLife)
	next.Form = b.Keys.MAC(secret.ForFormToken, formParts(a, token, boundFields(a))...)
	if _, err := b.Authorizations.MoveAuthorization(c.Request().Context(), a, next); err != nil {
		if goneReason(err) != "" {
			web.AnswerFailuresBy(c, b.ErrorPage)
		}
		return gone(err, journeyGone)
	}
	page := pages.Consent{
		Language: a.Language, ClientName: client.name(), UserName: displayName(person), Action: publicPath(b.Issuer) + consentPath,
		RedirectURI: a.RedirectURI, Posted: append([]pages.Field{{Name: "t", Value: a.ID}, {Name: "csrf_token", Value: token}}, boundFields(a)...),
	}
	for _, scope := range open {
		page.Scopes = append(page.Scopes, pages.Asked{Text: b.describe(s, scope, a.Language), Once: a.DeviceID != "" || !lasting(s, scope)})
	}
	if c.QueryParam("again") != "" {
		page.Notice = "consent.again"
	}
	return b.Pages.Consent(c, http.StatusOK, page)
}

// readyToConsent tells whether the consent page is what the journey has come to.
func (b *Browser) readyToConsent(ctx context.Context, a *store.Authorization, s *settings.Snapshot, client requester) (bool, error) {
	address, err := b.nextPage(ctx, a, s, client)
	return err == nil && address == b.at(consentPath, a.ID), err
}

// elsewhere answers the browser that asks for a page to which its journey has not come, or no longer: it goes where the
// journey stands. err is the failure of a step.
func (b *Browser) elsewhere(c echo.Context, a store.Authorization, err error) error {
	if err != nil && !errors.Is(err, store.ErrConflict) {
		return b.breakOff(c, a, err)
	}
	return c.Redirect(seeOther(c), b.GoOnURL(a.ID))
}

// describe returns what a scope means to a person: its description in the user's language, else in English, else our own
// words for the scopes of OpenID Connect, else its name: nobody agrees to what the page does not show.
func (b *Browser) describe(s *settings.Snapshot, scope, language string) string {
	if known := s.Scope(scope); known != nil {
		for _, l := range []string{language, pages.English} {
			if text := known.Descriptions[l]; text != "" {
				return text
			}
		}
	}
	if text, _ := b.Pages.Text(language, "scope."+scope); text != "" {
		return text
	}
	return scope
}

// displayName is what a page calls a person.
func displayName(a store.Account) string {
	if name := a.Attributes.Text("name"); name != "" {
		return name
	}
	return a.Username
}

// boundFields are the values that the form carries and that must come back unchanged.
func boundFields(a store.Authorization) []pages.Field {
	scopes := slices.Sorted(slices.Values(a.Scopes))
	return []pages.Field{
		{Name: "client_id", Value: a.ClientID},
		{Name: "scope", Value: strings.Join(scopes, " ")},
		{Name: "response_type", Value: responseType(a.ResponseType).parameter()},
		{Name: "redirect_uri", Value: a.RedirectURI},
		{Name: "state", Value: a.RequestState},
		{Name: "nonce", Value: a.Nonce},
	}
}

// decide answers POST: the user's decision.
func (b *Browser) decide(c echo.Context) error {
	ctx := c.Request().Context()
	form, err := web.BindForm(c)
	if err != nil {
		return consentGone.Because(err).About(audit.Reason("not a form"))
	}
	a, s, client, err := b.resume(c, form["t"], consentGone)
	if err != nil {
		return err
	}
	if reason := b.checkConsentForm(a, form); reason != "" {
		web.AnswerFailuresBy(c, b.backTo(b.at(consentPath, a.ID)+"&again=1"))
		return consentCSRF.About(audit.Reason(reason))
	}
	decision := form["decision"]
	if decision != "accept" && decision != "deny" {
		web.AnswerFailuresBy(c, b.ErrorPage)
		return consentNoDecision
	}
	open, err := b.openScopes(ctx, s, client, a)
	if err != nil {
		return err
	}
	if err := b.end(c, a); err != nil { // before anything is granted, and of two posts one
		return err
	}
	if decision == "deny" {
		return b.deny(ctx, a, consentDenied.About(audit.List("scopes", open)))
	}
	if err := b.giveConsent(ctx, s, a, open); err != nil {
		return err
	}
	return b.issue(c, a, s, client, replyOf(a, client))
}

// checkConsentForm compares token and posted values with what the page was bound to; it returns why they differ, or "".
func (b *Browser) checkConsentForm(a store.Authorization, form web.Form) string {
	token := form["csrf_token"]
	posted := boundFields(a)
	for i := range posted {
		posted[i].Value = form[posted[i].Name]
	}
	switch {
	case token == "":
		return "missing"
	case a.State != store.Consenting:
		return "no page was shown"
	case !b.Now().Before(a.FormExpiresAt):
		return "expired"
	case !b.Keys.Equal(secret.ForFormToken, a.Form, formParts(a, token, posted)...):
		return "mismatch"
	}
	return ""
}

// formParts are what a form token is bound to: transaction, user and all that the form shows.
func formParts(a store.Authorization, token string, fields []pages.Field) []string {
	parts := []string{"consent", a.ID, a.UserID, token}
	for _, f := range fields {
		parts = append(parts, f.Value)
	}
	return parts
}

// giveConsent stores the agreement to the scopes that last, together with its event.
func (b *Browser) giveConsent(ctx context.Context, s *settings.Snapshot, a store.Authorization, scopes []string) error {
	now := b.Now()
	var stored []store.Consent
	for _, scope := range scopes {
		if lasting(s, scope) {
			stored = append(stored, store.Consent{UserID: a.UserID, ClientID: a.ClientID, Scope: scope, GivenAt: now})
		}
	}
	err := b.Store.InTx(ctx, func(ctx context.Context) error {
		b.Audit.Record(ctx, audit.ConsentGiven, audit.List("scopes", scopes), audit.Count("persistent", len(stored)))
		return b.Consents.GiveConsent(ctx, stored)
	})
	if err != nil {
		return fmt.Errorf("give consent: %w", err)
	}
	return nil
}
