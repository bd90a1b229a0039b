package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/store"
)

// racers is how many goroutines compete for something that only one may get.
const racers = 50

// Installations is the part of a store that keeps installations.
type Installations interface {
	AddInstallation(ctx context.Context, i store.Installation) error
	Installation(ctx context.Context, clientID string) (store.Installation, error)
	InstallationByKey(ctx context.Context, keyID string) (store.Installation, error)
	LockInstallation(ctx context.Context, clientID string) (store.Installation, error)
	InstallationsOfUser(ctx context.Context, userID string, limit int) ([]store.Installation, error)
	HasInstallations(ctx context.Context, application, platform, version string) (bool, error)
	ChangeInstallation(ctx context.Context, before string, i store.Installation) error
	MoveInstallation(ctx context.Context, clientID, from, to string) error
	TouchInstallation(ctx context.Context, clientID, osVersion, model, sdkVersion string, seen time.Time) error
	SettleSecret(ctx context.Context, clientID string, digest []byte) error
	RenameInstallation(ctx context.Context, clientID, name string) error
	DeleteInstallation(ctx context.Context, clientID string) error
	InTx(ctx context.Context, f func(context.Context) error) error
	Profiles
}

// moment is not in UTC and has more digits than a store keeps.
var moment = time.Date(2026, 11, 20, 13, 14, 15, 123456789, time.FixedZone("", 3600))

// kept is moment as a store gives it back.
var kept = moment.UTC().Truncate(time.Microsecond)

func installation(clientID string) store.Installation {
	return store.Installation{
		ClientID: clientID, RegistrationID: "reg-" + clientID, Application: "bank", Platform: "android", Version: "1.0",
		APIVersion: 1, OSVersion: "14", Model: "Pixel 8", SDKVersion: "11.2.0", DeviceName: "Zoë’s phone 📱",
		SecretForm: store.SecretBound, SecretDigest: []byte{1, 0, 255}, UpgradeKey: []byte{2}, SignatureIndex: 3,
		CreatedAt: kept, LastSeen: kept,
	}
}

func keyed(clientID, keyID string) store.Installation {
	i := installation(clientID)
	i.APIVersion, i.SecretForm, i.SecretDigest, i.UpgradeKey = 2, "", nil, nil
	i.KeyID, i.PublicJWK = keyID, []byte(`{"kty":"EC"}`)
	return i
}

// TestInstallations checks everything that registration needs of a store.
func TestInstallations(t *testing.T, s Installations) {
	t.Run("round trip", func(t *testing.T) { roundTripInstallation(t, s) })
	t.Run("one registration id and one key each", func(t *testing.T) { uniqueInstallations(t, s) })
	t.Run("one winner", func(t *testing.T) { raceForInstallation(t, s) })
	t.Run("change", func(t *testing.T) { changeInstallation(t, s) })
	t.Run("one change for each challenge", func(t *testing.T) { raceForChange(t, s) })
	t.Run("settle the secret", func(t *testing.T) { settleSecret(t, s) })
	t.Run("version", func(t *testing.T) { moveInstallation(t, s) })
	t.Run("of a user", func(t *testing.T) { installationsOfUser(t, s) })
	t.Run("delete", func(t *testing.T) { deleteInstallation(t, s) })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Fatalf("got error %v, want %v", got, want)
	}
}

func same(t *testing.T, got, want any) {
	t.Helper()
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got  %+v\nwant %+v", got, want)
	}
}

func roundTripInstallation(t *testing.T, s Installations) {
	ctx := t.Context()
	want := installation("round")
	want.PriorSecretDigest, want.PriorUpgradeKey, want.UpgradedAt = []byte{4}, []byte{5}, kept
	stored := want
	stored.CreatedAt, stored.LastSeen, stored.UpgradedAt = moment, moment, moment
	must(t, s.AddInstallation(ctx, stored))
	got, err := s.Installation(ctx, "round")
	must(t, err)
	same(t, got, want)

	want = keyed("round-key", "thumb-round")
	must(t, s.AddInstallation(ctx, want))
	got, err = s.InstallationByKey(ctx, "thumb-round")
	must(t, err)
	same(t, got, want)

	must(t, s.TouchInstallation(ctx, "round-key", "15", "Pixel 9", "12.0.0", kept.Add(time.Hour)))
	must(t, s.RenameInstallation(ctx, "round-key", "mine"))
	want.OSVersion, want.Model, want.SDKVersion, want.LastSeen = "15", "Pixel 9", "12.0.0", kept.Add(time.Hour)
	want.DeviceName = "mine"
	must(t, s.InTx(ctx, func(ctx context.Context) error {
		got, err = s.LockInstallation(ctx, "round-key")
		return err
	}))
	same(t, got, want)

	_, err = s.Installation(ctx, "nobody")
	wantErr(t, err, store.ErrNotFound)
	_, err = s.InstallationByKey(ctx, "nothing")
	wantErr(t, err, store.ErrNotFound)
	wantErr(t, s.TouchInstallation(ctx, "nobody", "", "", "", kept), store.ErrNotFound)
	wantErr(t, s.RenameInstallation(ctx, "nobody", "x"), store.ErrNotFound)
}

func uniqueInstallations(t *testing.T, s Installations) {
	ctx := t.Context()
	must(t, s.AddInstallation(ctx, keyed("unique-1", "thumb-unique")))
	again := keyed("unique-2", "thumb-other")
	again.RegistrationID = "reg-unique-1"
	wantErr(t, s.AddInstallation(ctx, again), store.ErrConflict)
	wantErr(t, s.AddInstallation(ctx, keyed("unique-3", "thumb-unique")), store.ErrConflict)
	wantErr(t, s.AddInstallation(ctx, keyed("unique-1", "thumb-third")), store.ErrConflict)
	_, err := s.Installation(ctx, "unique-2")
	wantErr(t, err, store.ErrNotFound)
}

func raceForInstallation(t *testing.T, s Installations) {
	won := race(t, func(n int) error {
		i := installation(fmt.Sprintf("race-%d", n))
		i.RegistrationID = "reg-race"
		return s.InTx(t.Context(), func(ctx context.Context) error { return s.AddInstallation(ctx, i) })
	})
	if won != 1 {
		t.Fatalf("%d completions of one registration succeeded, want 1", won)
	}
}

func changeInstallation(t *testing.T, s Installations) {
	ctx := t.Context()
	must(t, s.AddInstallation(ctx, installation("change")))
	must(t, s.AddInstallation(ctx, keyed("change-other", "thumb-change-other")))
	next := installation("change")
	next.RegistrationID, next.Version, next.SecretDigest, next.PriorSecretDigest = "reg-up-1", "2.0", []byte{9}, []byte{1, 0, 255}
	next.UpgradeKey, next.PriorUpgradeKey, next.UpgradedAt = []byte{8}, []byte{2}, kept
	must(t, s.ChangeInstallation(ctx, "reg-change", next))
	got, err := s.Installation(ctx, "change")
	must(t, err)
	same(t, got, next)

	wantErr(t, s.ChangeInstallation(ctx, "reg-change", next), store.ErrConflict) // somebody was faster
	wantErr(t, s.ChangeInstallation(ctx, "reg-up-1", next), store.ErrConflict)   // the same challenge again
	keyedNext := keyed("change", "thumb-change-other")
	keyedNext.RegistrationID = "reg-up-2"
	wantErr(t, s.ChangeInstallation(ctx, "reg-up-1", keyedNext), store.ErrConflict) // somebody else's key
	keyedNext.KeyID = "thumb-change"
	must(t, s.ChangeInstallation(ctx, "reg-up-1", keyedNext))
	got, err = s.Installation(ctx, "change")
	must(t, err)
	same(t, got, keyedNext)
}

func raceForChange(t *testing.T, s Installations) {
	must(t, s.AddInstallation(t.Context(), installation("race-change")))
	won := race(t, func(n int) error {
		next := installation("race-change")
		next.RegistrationID = fmt.Sprintf("reg-race-up-%d", n)
		return s.InTx(t.Context(), func(ctx context.Context) error {
			return s.ChangeInstallation(ctx, "reg-race-change", next)
		})
	})
	if won != 1 {
		t.Fatalf("%d changes of one state succeeded, want 1", won)
	}
}

func settleSecret(t *testing.T, s Installations) {
	ctx := t.Context()
	i := installation("settle")
	i.PriorSecretDigest, i.PriorUpgradeKey = []byte{4}, []byte{5}
	must(t, s.AddInstallation(ctx, i))
	must(t, s.SettleSecret(ctx, "settle", []byte{4}))
	got, err := s.Installation(ctx, "settle")
	must(t, err)
	if !bytes.Equal(got.PriorSecretDigest, []byte{4}) {
		t.Fatal("the prior secret is gone although only it was used")
	}
	must(t, s.SettleSecret(ctx, "settle", i.SecretDigest))
	got, err = s.Installation(ctx, "settle")
	must(t, err)
	i.PriorSecretDigest, i.PriorUpgradeKey = nil, nil
	same(t, got, i)
}

func moveInstallation(t *testing.T, s Installations) {
	ctx := t.Context()
	i := installation("move")
	i.Application = "moving"
	must(t, s.AddInstallation(ctx, i))
	must(t, s.MoveInstallation(ctx, "move", "1.0", "1.1"))
	wantErr(t, s.MoveInstallation(ctx, "move", "1.0", "1.2"), store.ErrConflict)
	wantErr(t, s.MoveInstallation(ctx, "nobody", "1.0", "1.2"), store.ErrConflict)
	for version, want := range map[string]bool{"1.0": false, "1.1": true, "1.2": false} {
		used, err := s.HasInstallations(ctx, "moving", "android", version)
		must(t, err)
		if used != want {
			t.Fatalf("version %s in use: %v, want %v", version, used, want)
		}
	}
}

func installationsOfUser(t *testing.T, s Installations) {
	ctx := t.Context()
	for n, id := range []string{"of-c", "of-a", "of-b"} {
		i := installation(id)
		i.CreatedAt = kept.Add(time.Duration(n) * time.Second)
		must(t, s.AddInstallation(ctx, i))
		must(t, s.AddProfile(ctx, store.Profile{ClientID: id, ProfileID: "AAAAAA", UserID: "of-user", CreatedAt: kept}))
	}
	for limit, want := range map[int][]string{10: {"of-c", "of-a", "of-b"}, 2: {"of-c", "of-a"}} {
		list, err := s.InstallationsOfUser(ctx, "of-user", limit)
		must(t, err)
		var got []string
		for _, i := range list {
			got = append(got, i.ClientID)
		}
		same(t, got, want)
	}
}

func deleteInstallation(t *testing.T, s Installations) {
	ctx := t.Context()
	must(t, s.AddInstallation(ctx, installation("delete")))
	must(t, s.AddProfile(ctx, store.Profile{ClientID: "delete", ProfileID: "AAAAAA", UserID: "u", CreatedAt: kept}))
	must(t, s.DeleteInstallation(ctx, "delete"))
	wantErr(t, s.DeleteInstallation(ctx, "delete"), store.ErrNotFound)
	_, err := s.Profile(ctx, "delete", "AAAAAA")
	wantErr(t, err, store.ErrNotFound)
}

// race calls try from many goroutines at once and returns how many succeeded. Any error but a conflict fails the test.
func race(t *testing.T, try func(n int) error) int {
	t.Helper()
	var group sync.WaitGroup
	var won atomic.Int64
	start := make(chan struct{})
	for n := range racers {
		group.Go(func() {
			<-start
			err := try(n)
			switch {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, store.ErrConflict):
				t.Errorf("racer %d: %v", n, err)
			}
		})
	}
	close(start)
	group.Wait()
	return int(won.Load())
}
