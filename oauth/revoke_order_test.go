package oauth_test

import (
	"context"
	"slices"
	"testing"

	"tokenserver/audit"
	"tokenserver/store"
	"tokenserver/store/sqlstore"
)

// locks notes in which order rows of a profile and of its tokens are locked.
type locks struct {
	*sqlstore.Store
	order []string
}

func (l *locks) LockProfile(ctx context.Context, clientID, profileID string) (store.Profile, error) {
	l.order = append(l.order, "profile")
	return l.Store.LockProfile(ctx, clientID, profileID)
}

func (l *locks) DeleteFamilies(ctx context.Context, which store.FamilyFilter) ([]string, error) {
	l.order = append(l.order, "tokens")
	return l.Store.DeleteFamilies(ctx, which)
}

// A refresh locks the profile, then its tokens: whoever removes both keeps to that order.
func TestRevokeProfileLocksTheProfileFirst(t *testing.T) {
	k := newKit(t)
	p := newPhone(t, k, nil, nil)
	l := &locks{Store: k.Store}
	k.oauth.Book, k.tokens.Families = l, l
	bad(t, k.post(t, "/v1/revoke/profile", []string{p.id, p.secret}, "profile_id", p.profileID), 200, "")
	k.want(t, audit.TokenRevokeProfileSuccess)
	if i := slices.Index(l.order, "profile"); i != 0 {
		t.Errorf("%q", l.order)
	}
}
