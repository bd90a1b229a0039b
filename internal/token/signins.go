package token

import (
	"context"
	"fmt"
	"slices"
	"time"

	"tokenserver/store"
)

// coexistence is how long a sign-in at a web client is safe from the next one: somebody who signs in twice at once keeps
// both, and a lost answer is asked for again.
const coexistence = 10 * time.Second

// endEarlier ends the former sign-ins of a user at a web client with the same scopes, in whatever order, in the
// transaction of ctx: a session is not left behind by the next one. Where several may live at a time, the oldest go. Grants with other scopes are other uses and stay, and
// so do access tokens that came without a refresh token: they end by themselves.
func (s *Service) endEarlier(ctx context.Context, g Grant, now time.Time) error {
	former, err := s.Search.Families(ctx, store.FamilyFilter{ClientID: g.ClientID, ProfileID: StaticProfile, UserID: g.UserID, Kind: g.Kind})
	if err != nil {
		return fmt.Errorf("find earlier sign-ins: %w", err)
	}
	former = slices.DeleteFunc(former, func(f store.TokenFamily) bool { return !sameSet(f.Scopes, g.Scopes) })
	// They come oldest first; this sign-in is one more.
	for _, f := range former[:max(0, len(former)+1-max(g.Sessions, 1))] {
		if now.Sub(f.CreatedAt) < coexistence {
			continue
		}
		if _, err := s.revokeFamilies(ctx, store.FamilyFilter{ID: f.ID}); err != nil {
			return fmt.Errorf("end earlier sign-in: %w", err)
		}
	}
	return nil
}

func sameSet(a, b []string) bool {
	if slices.Equal(a, b) {
		return true
	}
	within := func(list, of []string) bool {
		return !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(of, s) })
	}
	return within(a, b) && within(b, a)
}
