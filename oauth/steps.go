package oauth

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// step is one thing that stands between an identified user and the answer. It returns where the browser has to go first,
// "" when there is nothing to do, or the failure that ends the journey.
type step func(ctx context.Context, a *store.Authorization, s *settings.Snapshot, client requester) (address string, err error)

// nextPage goes through the steps in their order, to the first that needs the user. Each looks at the transaction alone,
// so it does not matter how often the journey is walked.
func (b *Browser) nextPage(ctx context.Context, a *store.Authorization, s *settings.Snapshot, client requester) (string, error) {
	switch a.State {
	case store.SteppingUp: // until the code has come back
		return b.at(stepUpPath, a.ID), nil
	case store.Consenting: // all others have been taken
		return b.askConsent(ctx, a, s, client)
	case store.AtProvider:
		return b.wayIn(*a, s, s.IdentityProvider(a.Provider)), nil
	case store.Identified:
	}
	for _, next := range [...]step{b.checkHinted, b.checkAge, b.checkLevel, b.checkSMS, b.verifyScopes, b.askConsent} {
		if address, err := next(ctx, a, s, client); address != "" || err != nil {
			return address, err
		}
	}
	return "", nil
}

// proceed takes an identified user to the next page of the journey, or to the answer when there is none.
func (b *Browser) proceed(c echo.Context, a store.Authorization, s *settings.Snapshot, client requester) error {
	address, err := b.nextPage(c.Request().Context(), &a, s, client)
	if errors.Is(err, store.ErrConflict) { // another request of this browser was faster: look again
		return c.Redirect(seeOther(c), b.GoOnURL(a.ID))
	}
	if err != nil {
		return b.breakOff(c, a, err)
	}
	if address != "" {
		return c.Redirect(seeOther(c), address)
	}
	return b.finish(c, a, s, client)
}

// astray is a failure after which the user, and not the client, has to do something elsewhere.
type astray struct {
	outcome.Failure
	address string // absolute
}

// elsewhereOf are the addresses to which a user may be led astray.
func elsewhereOf(s *settings.Snapshot, a store.Authorization) []string {
	addresses := []string{s.Document.OAuth.AuthenticationEndpoint, s.Document.OAuth.ScopeVerification.FailedEndpoint}
	for _, id := range a.Scopes {
		if scope := s.Scope(id); scope != nil {
			addresses = append(addresses, scope.FailedEndpoint)
		}
	}
	return addresses
}

// breakOff ends a transaction of which a step has failed. Faults of ours leave it as it is.
func (b *Browser) breakOff(c echo.Context, a store.Authorization, err error) error {
	failure, away := outcome.Failure{}, astray{}
	led := errors.As(err, &away)
	if led {
		failure = away.Failure
	} else if !errors.As(err, &failure) {
		return err
	}
	if a.ID != "" {
		if err := b.end(c, a); err != nil {
			return err
		}
	}
	if led && !a.Silent && a.DeviceID == "" {
		web.AnswerFailuresBy(c, b.leadTo(away.address))
	}
	return failure
}

// keep stores what a step has found out. A silent request that is answered at once has no stored transaction.
// Errors: store.ErrConflict when another request was faster.
func (b *Browser) keep(ctx context.Context, a *store.Authorization, next store.Authorization) error {
	if a.ID == "" {
		*a = next
		return nil
	}
	moved, err := b.Authorizations.MoveAuthorization(ctx, *a, next)
	if err != nil {
		return fmt.Errorf("go on with transaction: %w", err)
	}
	*a = moved
	return nil
}

// checkHinted refuses everybody but the user of id_token_hint.
func (b *Browser) checkHinted(_ context.Context, a *store.Authorization, _ *settings.Snapshot, _ requester) (string, error) {
	if a.HintedUser != "" && a.HintedUser != a.UserID {
		return "", silentNoLogin.About(audit.Reason("another user than id_token_hint"))
	}
	return "", nil
}

// clockSlack is how far the clock of an identity provider may be behind ours.
const clockSlack = time.Minute

// checkAge refuses a sign-in that is older than the client wants, although the identity provider was told so.
func (b *Browser) checkAge(_ context.Context, a *store.Authorization, _ *settings.Snapshot, _ requester) (string, error) {
	oldest := a.CreatedAt.Add(-clockSlack)
	if !a.ForceLogin {
		if a.MaxAge < 0 {
			return "", nil
		}
		oldest = oldest.Add(-time.Duration(a.MaxAge) * time.Second)
	}
	if a.AuthTime.Before(oldest) {
		return "", silentNoLogin.About(audit.Reason("signed in too long ago"))
	}
	return "", nil
}

// askConsent asks for what the user has not agreed to.
func (b *Browser) askConsent(ctx context.Context, a *store.Authorization, s *settings.Snapshot, client requester) (string, error) {
	open, err := b.openScopes(ctx, s, client, *a)
	if err != nil || len(open) == 0 {
		return "", err
	}
	if a.Silent {
		return "", silentNoConsent.About(audit.List("scopes", open))
	}
	return b.at(consentPath, a.ID), nil
}
