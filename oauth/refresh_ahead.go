package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"tokenserver/store"
)

// lookAhead asks others about the token that is going to be made, whether the presented one is right or wrong: that is
// found out, and counted, in the transaction alone. What makes the transaction fail anyway is left to it.
func (f *refresh) lookAhead(ctx context.Context) error {
	if !asksOthers(f.settings, f.client) {
		return nil
	}
	family, err := f.find(ctx)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	case family.ClientID != f.client.ID || family.UserGone:
		return nil
	}
	scopes, err := narrowed(family.Scopes, f.asked)
	if err != nil {
		return nil //nolint:nilerr // the transaction fails with it
	}
	f.about = family.ID
	f.ahead, err = f.h.foresee(ctx, f.tokenRequest, question{userID: family.UserID, scopes: scopes, params: family.HookParams})
	return err
}

// find returns the family of the request without comparing a PIN. Errors: store.ErrNotFound.
func (f *refresh) find(ctx context.Context) (store.TokenFamily, error) {
	if f.client.Installation == nil {
		return f.h.Tokens.FamilyOf(ctx, f.presented)
	}
	return f.h.Tokens.FamilyOfProfile(ctx, f.client.ID, f.profileID, f.kind)
}

// seen returns what others said about a family's next token, nil when nobody had to be asked, or the failure in what they
// said. A family that was not there a moment ago is asked about when the request is repeated.
func (f *refresh) seen(family store.TokenFamily) (*foresight, error) {
	switch {
	case !asksOthers(f.settings, f.client):
		return nil, nil //nolint:nilnil // nobody is asked
	case f.ahead == nil || f.about != family.ID:
		return nil, fmt.Errorf("the refresh token was made this moment: %w", store.ErrUnavailable)
	case f.ahead.refusal != nil:
		return nil, f.ahead.refusal
	}
	return f.ahead, nil
}

// userOf is the account that was read together with a family.
func userOf(f store.TokenFamily) (store.Account, error) {
	account := store.Account{ID: f.UserID, Namespace: f.Namespace, Username: f.Username}
	if err := json.Unmarshal(f.UserDetails, &account.Attributes); err != nil {
		return store.Account{}, fmt.Errorf("read attributes of account: %w", err)
	}
	return account, nil
}
