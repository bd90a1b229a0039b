package oauth

import (
	"context"

	"tokenserver/audit"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// step is one thing that stands between an identified user and the answer. It returns the path of the page that the user
// has to see first, "" when there is nothing to do, or the failure that ends the journey.
type step func(ctx context.Context, a *store.Authorization, s *settings.Snapshot, client requester) (page string, err error)

// nextPage goes through the steps in their order, to the first that needs the user. Each looks at the transaction alone,
// so it does not matter how often the journey is walked.
func (b *Browser) nextPage(ctx context.Context, a *store.Authorization, s *settings.Snapshot, client requester) (string, error) {
	for _, next := range [...]step{b.checkHinted, b.askConsent} {
		if page, err := next(ctx, a, s, client); page != "" || err != nil {
			return page, err
		}
	}
	return "", nil
}

// checkHinted refuses everybody but the user of id_token_hint.
func (b *Browser) checkHinted(_ context.Context, a *store.Authorization, _ *settings.Snapshot, _ requester) (string, error) {
	if a.HintedUser != "" && a.HintedUser != a.UserID {
		return "", silentNoLogin.About(audit.Reason("another user than id_token_hint"))
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
	return consentPath, nil
}
