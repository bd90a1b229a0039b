package oauth

import (
	"errors"
	"fmt"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/people"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// Waiting returns the transaction for which this browser is to sign in, and what its pages call the client. Identity
// providers call it. Errors: store.ErrNotFound, store.ErrExpired, store.ErrRevoked (another browser's),
// store.ErrConflict (the user is known already: go on at GoOnURL).
func (b *Browser) Waiting(c echo.Context, transactionID string) (a store.Authorization, clientName string, err error) {
	if a, err = b.journey(c, transactionID); err != nil {
		return store.Authorization{}, "", err
	}
	if a.State != store.AtProvider {
		return a, "", store.ErrConflict
	}
	return a, nameOfClient(b.Settings.Current(), a), nil
}

// How the answer of an identity provider is refused, whoever it came from.
var (
	identityUnusable = outcome.Failure{
		Code: outcome.ServerError, Audit: audit.IDPUserRefused, Text: "the identity provider names no usable user",
	}
	identityConflict = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.IDPUserRefused, Text: "the user id belongs to somebody else",
	}
	identityDisabled = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.IDPUserRefused, Text: "the account may not be used",
	}
)

// Identified takes the answer of an identity provider: who sits at the browser, and how they proved it. The person is
// kept, and the browser's session opened. Of several answers to one transaction one counts; the others get
// store.ErrConflict. An outcome.Failure is the end of the transaction: hand it to Fail.
func (b *Browser) Identified(c echo.Context, a store.Authorization, id store.Identity) error {
	ctx := c.Request().Context()
	provider := b.Settings.Current().IdentityProvider(a.Provider)
	if provider == nil || provider.Disabled {
		return providerNone.About(audit.Detail("idp", a.Provider), audit.Reason("no longer enabled"))
	}
	person, err := b.People.Meet(ctx, provider, id)
	switch {
	case errors.Is(err, people.ErrUnusable):
		return identityUnusable.Because(err).About(audit.Detail("idp", a.Provider), audit.Reason("user id"))
	case errors.Is(err, store.ErrConflict):
		return identityConflict.Because(err).About(audit.Detail("idp", a.Provider), audit.Reason("user id taken"))
	case errors.Is(err, store.ErrRevoked), errors.Is(err, store.ErrNotFound):
		return identityDisabled.Because(err).About(audit.Detail("idp", a.Provider), audit.Reason("disabled"))
	case err != nil:
		return fmt.Errorf("identify user: %w", err)
	}
	level := id.Level
	if level == "" && (id.Attributes != nil || !provider.Vouches()) { // else the attributes are those of an earlier sign-in
		level = person.Attributes.Text("authenticationLevel")
	}
	if _, err := parseLevel(level); err != nil { // a session at such a level would be of no use
		return unsupportedLevel(level).Because(err).About(audit.User(person.ID), audit.Detail("idp", a.Provider))
	}
	former, err := b.anySession(c)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	next := a
	next.State, next.UserID, next.AuthTime, next.AMR = store.Identified, person.ID, id.AuthTime, id.AMR
	next.Level, next.ACR, next.SessionID = level, id.ACR, sessionIDFor(former, person.ID, b.Sessions.NewSessionID)
	if next.AuthTime.IsZero() {
		next.AuthTime = b.Now()
	}
	next, err = b.Authorizations.MoveAuthorization(ctx, a, next)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return store.ErrConflict
	case err != nil:
		return fmt.Errorf("identify user: %w", err)
	}
	return b.openSession(c, next, id, former)
}

// Fail ends a transaction that waits for an identity provider, and returns the failure so that the client is told.
func (b *Browser) Fail(c echo.Context, a store.Authorization, f outcome.Failure) error {
	s := b.Settings.Current()
	client, err := b.requester(c.Request().Context(), s, a.ClientID)
	if err != nil {
		return clientFailure(err, a.ClientID)
	}
	web.AnswerFailuresBy(c, b.fail(replyOf(a, client)))
	if err := b.end(c, a); err != nil {
		return err
	}
	return f
}

// GoOnURL returns where the browser goes once the user is known.
func (b *Browser) GoOnURL(transactionID string) string { return b.at(continuePath, transactionID) }

// nameOfClient is what pages call the client of a transaction.
func nameOfClient(s *settings.Snapshot, a store.Authorization) string {
	if w := s.WebClient(a.ClientID); w != nil && w.Name != "" {
		return w.Name
	}
	if app := s.Application(a.Application); app != nil && app.Name != "" {
		return app.Name
	}
	if a.Application != "" {
		return a.Application
	}
	return a.ClientID
}
