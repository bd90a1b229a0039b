package storetest

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"tokenserver/store"
)

// TokenFamilies is the part of a store that keeps refresh tokens.
type TokenFamilies interface {
	InTx(ctx context.Context, f func(context.Context) error) error
	AddFamily(ctx context.Context, f store.TokenFamily) error
	FamilyOfProfile(ctx context.Context, clientID, profileID string, kind store.TokenKind) (store.TokenFamily, error)
	Family(ctx context.Context, id string) (store.TokenFamily, error)
	RotateFamily(ctx context.Context, from int, f store.TokenFamily) error
	TouchFamily(ctx context.Context, id string, generation int, used bool, accessToken string) error
	DeleteFamilies(ctx context.Context, which store.FamilyFilter) ([]string, error)
	HasFamily(ctx context.Context, which store.FamilyFilter, now time.Time) (bool, error)
	Families(ctx context.Context, which store.FamilyFilter) ([]store.TokenFamily, error)
	ForgetFamilies(ctx context.Context, before time.Time) (int64, error)
}

// TestTokenFamilies checks round trips, that one rotation of many wins, that former tokens are found, and filters.
func TestTokenFamilies(t *testing.T, s TokenFamilies) {
	ctx := t.Context()
	now := time.Date(2026, 11, 20, 12, 0, 0, 123_000, time.UTC)
	family := func(id, client, profile, user string, kind store.TokenKind) store.TokenFamily {
		return store.TokenFamily{
			ID: id, ClientID: client, ProfileID: profile, UserID: user, Kind: kind, Scopes: []string{"read", "openid"},
			Nonce: []byte{0, 1, 255}, CurrentHash: []byte(id + "-0"), AccessToken: "a0", RotatedAt: now, CreatedAt: now,
			AuthTime: now.Add(-time.Minute), ACR: "urn:level:2", AMR: []string{"pwd", "sms"}, CodeHash: []byte("code-" + id),
			UserGone: true, // there are no accounts in this test
		}
	}
	t.Run("round trip", func(t *testing.T) {
		f := family("f1", "C1", "P1", "ann", store.DefaultToken)
		f.ExpiresAt, f.EndsAt = now.Add(time.Hour).In(time.FixedZone("", 7200)), now.Add(24*time.Hour)
		must(t, s.AddFamily(ctx, f))
		f.ExpiresAt = f.ExpiresAt.UTC()
		got, err := s.FamilyOfProfile(ctx, "C1", "P1", store.DefaultToken)
		must(t, err)
		same(t, got, f)
		got, err = s.Family(ctx, "f1")
		must(t, err)
		same(t, got, f)
		_, err = s.FamilyOfProfile(ctx, "C1", "P1", store.FingerprintToken)
		wantErr(t, err, store.ErrNotFound)
		_, err = s.Family(ctx, "nothing")
		wantErr(t, err, store.ErrNotFound)
	})
	t.Run("one family of a kind for a profile", func(t *testing.T) {
		wantErr(t, s.AddFamily(ctx, family("f2", "C1", "P1", "ann", store.DefaultToken)), store.ErrConflict)
		must(t, s.AddFamily(ctx, family("f3", "C1", "P1", "ann", store.FingerprintToken)))
		must(t, s.AddFamily(ctx, family("w1", "web", "static", "ann", store.DefaultToken)))
		must(t, s.AddFamily(ctx, family("w2", "web", "static", "ann", store.DefaultToken)))
	})
	t.Run("one rotation wins", func(t *testing.T) {
		won := race(t, func(i int) error {
			return s.InTx(ctx, func(ctx context.Context) error {
				f, err := s.Family(ctx, "w1")
				if err != nil {
					return err
				}
				if f.Generation != 0 {
					return store.ErrConflict
				}
				f.Generation, f.PreviousHash, f.CurrentHash = 1, f.CurrentHash, []byte(fmt.Sprintf("w1-1 by %d", i))
				return s.RotateFamily(ctx, 0, f)
			})
		})
		if won != 1 {
			t.Fatalf("%d callers rotated, want 1", won)
		}
		f, err := s.Family(ctx, "w1")
		must(t, err)
		if f.Generation != 1 || string(f.PreviousHash) != "w1-0" {
			t.Errorf("generation %d, previous %q", f.Generation, f.PreviousHash)
		}
		wantErr(t, s.RotateFamily(ctx, 0, f), store.ErrConflict)
		must(t, s.TouchFamily(ctx, "w1", 0, true, "late")) // another generation: nothing happens
		must(t, s.TouchFamily(ctx, "w1", 1, true, "a1"))
		f, err = s.Family(ctx, "w1")
		must(t, err)
		if !f.Used || f.AccessToken != "a1" {
			t.Errorf("used %v, access token %q", f.Used, f.AccessToken)
		}
	})
	t.Run("ends", func(t *testing.T) {
		for _, step := range []struct {
			at   time.Time
			want bool
		}{{now, true}, {now.Add(time.Hour), false}} {
			has, err := s.HasFamily(ctx, store.FamilyFilter{ClientID: "C1", ProfileID: "P1", Kind: store.DefaultToken}, step.at)
			must(t, err)
			if has != step.want {
				t.Errorf("at %v: %v", step.at, has)
			}
		}
		has, err := s.HasFamily(ctx, store.FamilyFilter{ClientID: "C1", Kind: store.FingerprintToken}, now.Add(1000*time.Hour))
		must(t, err)
		if !has {
			t.Error("an unlimited family has ended")
		}
	})
	t.Run("forgotten when over", func(t *testing.T) {
		for id, ends := range map[string][2]time.Time{
			"o1": {now.Add(time.Minute)}, "o2": {now.Add(time.Hour), now.Add(time.Minute)}, "o3": {now.Add(time.Hour), now.Add(time.Hour)}, "o4": {},
		} {
			f := family(id, "old", "static", "zoe", store.DefaultToken)
			f.ExpiresAt, f.EndsAt = ends[0], ends[1]
			must(t, s.AddFamily(ctx, f))
		}
		n, err := s.ForgetFamilies(ctx, now.Add(2*time.Minute))
		must(t, err)
		same(t, n, int64(2))
		ids, err := s.DeleteFamilies(ctx, store.FamilyFilter{UserID: "zoe"})
		must(t, err)
		slices.Sort(ids)
		same(t, ids, []string{"o3", "o4"})
	})
	t.Run("filters", func(t *testing.T) {
		must(t, s.AddFamily(ctx, family("f4", "C2", "P1", "bob", store.DefaultToken)))
		for _, tc := range []struct {
			which store.FamilyFilter
			want  []string
		}{
			{store.FamilyFilter{}, nil},
			{store.FamilyFilter{ID: "nothing"}, nil},
			{store.FamilyFilter{ClientID: "C1"}, []string{"f1", "f3"}},
			{store.FamilyFilter{ClientID: "C1", Kind: store.FingerprintToken}, []string{"f3"}},
			{store.FamilyFilter{UserID: "ann"}, []string{"f1", "f3", "w1", "w2"}},
		} {
			list, err := s.Families(ctx, tc.which)
			must(t, err)
			var ids []string
			for _, f := range list {
				ids = append(ids, f.ID)
			}
			slices.Sort(ids)
			same(t, ids, tc.want)
		}
		ids, err := s.DeleteFamilies(ctx, store.FamilyFilter{UserID: "ann"})
		must(t, err)
		slices.Sort(ids)
		same(t, ids, []string{"f1", "f3", "w1", "w2"})
		ids, err = s.DeleteFamilies(ctx, store.FamilyFilter{})
		must(t, err)
		same(t, ids, []string(nil))
		_, err = s.Family(ctx, "w2")
		wantErr(t, err, store.ErrNotFound)
		_, err = s.FamilyOfProfile(ctx, "C2", "P1", store.DefaultToken)
		must(t, err)
	})
}

// Revocations is the part of a store that keeps revocations.
type Revocations interface {
	AddRevocations(ctx context.Context, rows []store.Revocation, until time.Time) error
	RevocationsAfter(ctx context.Context, after int64, now time.Time) ([]store.Revocation, int64, error)
	ForgetRevocations(ctx context.Context, now time.Time) error
}

// TestRevocations checks that rows come back in order and from a sequence on, and end with their time.
func TestRevocations(t *testing.T, s Revocations) {
	ctx := t.Context()
	now := time.Date(2026, 11, 20, 12, 0, 0, 123_456_000, time.UTC)
	rows := make([]store.Revocation, 0, 250)
	for i := range 250 {
		rows = append(rows, store.Revocation{Subject: fmt.Sprintf("family:%d", i), Before: now.Add(time.Duration(i) * time.Microsecond)})
	}
	must(t, s.AddRevocations(ctx, nil, now))
	must(t, s.AddRevocations(ctx, rows, now.Add(time.Hour)))
	got, highest, err := s.RevocationsAfter(ctx, 0, now)
	must(t, err)
	same(t, got, rows)
	must(t, s.AddRevocations(ctx, rows[:1], now.Add(2*time.Hour)))
	got, later, err := s.RevocationsAfter(ctx, highest, now)
	must(t, err)
	same(t, got, rows[:1])
	if later <= highest {
		t.Errorf("sequence %d after %d", later, highest)
	}
	got, same1, err := s.RevocationsAfter(ctx, later, now)
	must(t, err)
	if len(got) != 0 || same1 != later {
		t.Errorf("%d rows, sequence %d", len(got), same1)
	}
	got, _, err = s.RevocationsAfter(ctx, 0, now.Add(time.Hour))
	must(t, err)
	same(t, got, rows[:1])
	must(t, s.ForgetRevocations(ctx, now.Add(time.Hour)))
	got, _, err = s.RevocationsAfter(ctx, 0, now)
	must(t, err)
	same(t, got, rows[:1])
}

// SigningKeys is the part of a store that keeps the ring of signing keys.
type SigningKeys interface {
	SigningKeys(ctx context.Context) ([]store.SigningKey, error)
	AddSigningKeys(ctx context.Context, keys ...store.SigningKey) error
	RotateSigningKeys(ctx context.Context, current string, next store.SigningKey) error
	ReplaceSigningKeys(ctx context.Context, current string, keys ...store.SigningKey) error
}

// TestSigningKeys checks that processes that start at once agree on the keys, and that one rotation of many wins.
func TestSigningKeys(t *testing.T, s SigningKeys) {
	ctx := t.Context()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	key := func(id string, slot store.KeySlot) store.SigningKey {
		return store.SigningKey{ID: id, Slot: slot, Algorithm: "ES256", Sealed: []byte("sealed " + id), CreatedAt: now}
	}
	slots := func(t *testing.T) map[store.KeySlot]string {
		t.Helper()
		list, err := s.SigningKeys(ctx)
		must(t, err)
		got := map[store.KeySlot]string{}
		for _, k := range list {
			got[k.Slot] = k.ID
		}
		if len(got) != len(list) {
			t.Errorf("%d keys in %d slots", len(list), len(got))
		}
		return got
	}
	race(t, func(i int) error {
		return s.AddSigningKeys(ctx, key(fmt.Sprintf("c%d", i), store.CurrentKey), key(fmt.Sprintf("n%d", i), store.NextKey))
	})
	first := slots(t)
	if len(first) != 2 || first[store.CurrentKey][1:] != first[store.NextKey][1:] {
		t.Fatalf("first keys %v: two processes mixed", first)
	}
	won := race(t, func(i int) error {
		return s.RotateSigningKeys(ctx, first[store.CurrentKey], key(fmt.Sprintf("r%d", i), store.NextKey))
	})
	if won != 1 {
		t.Fatalf("%d callers rotated, want 1", won)
	}
	second := slots(t)
	if second[store.PreviousKey] != first[store.CurrentKey] || second[store.CurrentKey] != first[store.NextKey] || second[store.NextKey][0] != 'r' {
		t.Errorf("after %v: %v", first, second)
	}
	must(t, s.ReplaceSigningKeys(ctx, second[store.CurrentKey], key("x", store.CurrentKey), key("y", store.NextKey)))
	same(t, slots(t), map[store.KeySlot]string{store.PreviousKey: second[store.CurrentKey], store.CurrentKey: "x", store.NextKey: "y"})
	wantErr(t, s.ReplaceSigningKeys(ctx, "other", key("v", store.CurrentKey), key("w", store.NextKey)), store.ErrConflict)
	list, err := s.SigningKeys(ctx)
	must(t, err)
	for _, k := range list {
		if k.ID == "x" {
			same(t, k, key("x", store.CurrentKey))
		}
	}
}
