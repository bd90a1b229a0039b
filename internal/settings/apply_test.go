package settings_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/testenv"
	"tokenserver/store"
)

// eachEngine runs f on SQLite and PostgreSQL.
func eachEngine(t *testing.T, f func(t *testing.T, w *world)) {
	t.Run("sqlite", func(t *testing.T) { f(t, newWorld(t, "")) })
	t.Run("postgres", func(t *testing.T) { f(t, newWorld(t, testenv.Postgres(t))) })
}

func TestApplyNamesWhatChanges(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		s := w.service()
		base := full(t)
		apply(t, s, base)
		for _, tc := range []struct {
			name   string
			change func(d *settings.Document)
			want   []settings.Change
		}{
			{
				"a member", func(d *settings.Document) { d.Applications[0].Name = "Bank" },
				[]settings.Change{{settings.Updated, settings.KindApplication, "bank", []string{"name"}}},
			},
			{
				"a switch of its own", func(d *settings.Document) { d.Features.MobileAuthentication = new(bool) },
				[]settings.Change{{settings.Updated, settings.KindFeatures, "", []string{"mobile_authentication"}}},
			},
			{
				"deep inside", func(d *settings.Document) { d.Applications[0].Versions[0].Status = settings.LoginOnly },
				[]settings.Change{{settings.Updated, settings.KindApplication, "bank", []string{"versions"}}},
			},
			{
				"a sealed secret", func(d *settings.Document) { d.Callbacks[0].Password = settings.NewSecret("another one") },
				[]settings.Change{{settings.Updated, settings.KindCallback, "https://portal.example/result", []string{"password"}}},
			},
			{"a client secret", func(d *settings.Document) {
				d.WebClients[0].Secret = settings.ClientSecret{Secret: settings.NewSecret(strings.Repeat("x", 32))}
			}, []settings.Change{{settings.Updated, settings.KindWebClient, "portal", []string{"client_secret"}}}},
			{"added in front", func(d *settings.Document) {
				d.Scopes = slices.Insert(d.Scopes, 0, settings.Scope{ID: "first"})
			}, []settings.Change{{settings.Created, settings.KindScope, "first", nil}}},
			{
				"removed in front", func(d *settings.Document) { d.Applications = d.Applications[1:] },
				[]settings.Change{{settings.Removed, settings.KindApplication, "bank", nil}},
			},
			{
				"another order", func(d *settings.Document) { slices.Reverse(d.AuthenticationTypes) },
				[]settings.Change{
					{settings.Updated, settings.KindAuthenticationType, "payment", []string{"position"}},
					{settings.Updated, settings.KindAuthenticationType, "login", []string{"position"}},
				},
			},
			{
				"attributes of a user", func(d *settings.Document) { d.Users[0].Attributes = nil },
				[]settings.Change{{settings.Updated, settings.KindUser, "u-1", []string{"attributes"}}},
			},
			{
				"a password", func(d *settings.Document) { d.Users[0].Password = settings.NewSecret("quite another") },
				[]settings.Change{{settings.Updated, settings.KindUser, "u-1", []string{"password"}}},
			},
			{"a user left out", func(d *settings.Document) { d.Users = d.Users[:1] }, nil},
			{"no password", func(d *settings.Document) { d.Users[0].Password = settings.Secret{} }, nil},
		} {
			t.Run(tc.name, func(t *testing.T) {
				start := s.Current().Number
				next := full(t)
				keepKeys(&next, base)
				tc.change(&next)
				planned, err := s.Plan(t.Context(), next)
				if err != nil {
					t.Fatal(err)
				}
				if !reflect.DeepEqual(planned.List, tc.want) || s.Current().Number != start {
					t.Errorf("plan %+v, want %+v", planned.List, tc.want)
				}
				got := apply(t, s, next)
				if !reflect.DeepEqual(got.List, tc.want) || len(got.Generated) != 0 {
					t.Fatalf("got %+v %v, want %+v", got.List, got.Generated, tc.want)
				}
				wantVersion := start
				if len(tc.want) > 0 {
					wantVersion++
				}
				if got.Version != wantVersion || s.Current().Number != wantVersion {
					t.Errorf("version %d, current %d, want %d", got.Version, s.Current().Number, wantVersion)
				}
				if again := apply(t, s, next); !again.Empty() {
					t.Errorf("again: %+v", again)
				}
				apply(t, s, base)
			})
		}
		wantOrder := []string{"login", "payment"}
		var order []string
		for _, a := range s.Current().Document.AuthenticationTypes {
			order = append(order, a.Name)
		}
		if !slices.Equal(order, wantOrder) {
			t.Errorf("order %q, want %q", order, wantOrder)
		}
	})
}

// keepKeys gives d the vendor keys of base: full makes new ones each time.
func keepKeys(d *settings.Document, base settings.Document) {
	d.PushConfigurations = slices.Clone(base.PushConfigurations)
	d.APIClients[1].PublicKey = base.APIClients[1].PublicKey
}

func TestApplyRefusesAsAWhole(t *testing.T) {
	w := newWorld(t, "")
	s := w.service()
	d := full(t)
	d.Callbacks[0].Password = settings.Redacted()
	d.APIClients[0].Secret = settings.ClientSecret{Secret: settings.Redacted()}
	d.Users[0].Password = settings.Redacted()
	d.Users[1].Password = settings.Secret{}
	d.Scopes[0].UsageLimit = -1

	_, err := s.Apply(t.Context(), d, "ann")
	var invalid *settings.Invalid
	if !errors.As(err, &invalid) {
		t.Fatalf("err %v, want *Invalid", err)
	}
	var paths []string
	for _, p := range invalid.Problems {
		paths = append(paths, p.Path)
	}
	want := []string{"scopes[0].usage_limit", "api_clients[0].client_secret", "callbacks[0].password", "users[0].password", "users[1].password"}
	if !slices.Equal(paths, want) {
		t.Errorf("problems %q, want %q", paths, want)
	}
	if rows, err := w.sql.Settings(t.Context()); err != nil || len(rows) != 0 {
		t.Errorf("%d rows are stored (%v), want none", len(rows), err)
	}
	if accounts, err := w.sql.Accounts(t.Context()); err != nil || len(accounts) != 0 {
		t.Errorf("%d accounts are stored (%v), want none", len(accounts), err)
	}
	if events := w.events(t); len(events) != 0 {
		t.Errorf("events %q, want none", events)
	}
}

func TestApplyKeepsWhatInstallationsNeed(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		s := w.service()
		d := full(t)
		apply(t, s, d)
		err := w.sql.AddInstallation(t.Context(), store.Installation{
			ClientID: strings.Repeat("A", 64), RegistrationID: "r", Application: "bank", Platform: "ios", Version: "1.2.0",
			APIVersion: 2, KeyID: "k", PublicJWK: []byte("{}"), CreatedAt: time.Now(), LastSeen: time.Now(),
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			name   string
			change func(d *settings.Document)
			want   string
		}{
			{
				"version in use", func(d *settings.Document) { d.Applications[0].Versions = d.Applications[0].Versions[:1] },
				`applications: version "1.2.0" of "bank" on ios is missing, but it has registered installations: keep it and set its status to DISABLED`,
			},
			{
				"application in use", func(d *settings.Document) { d.Applications = d.Applications[1:] },
				`applications: "bank" is missing, but it has registered installations: keep it and set the status of its versions to DISABLED`,
			},
			{"version not in use", func(d *settings.Document) { d.Applications[0].Versions = d.Applications[0].Versions[1:] }, ""},
			{"application not in use", func(d *settings.Document) { d.Applications = d.Applications[:1] }, ""},
		} {
			t.Run(tc.name, func(t *testing.T) {
				next := export(t, s)
				tc.change(&next)
				_, err := s.Apply(t.Context(), next, "ann")
				var invalid *settings.Invalid
				switch {
				case tc.want == "" && err != nil:
					t.Fatal(err)
				case tc.want != "" && (!errors.As(err, &invalid) || invalid.Error() != tc.want):
					t.Fatalf("got %v, want %s", err, tc.want)
				}
				apply(t, s, d)
			})
		}
	})
}

func TestUnchangedPasswordsKeepTheirHash(t *testing.T) {
	w := newWorld(t, "")
	s := w.service()
	d := full(t)
	apply(t, s, d)
	hashes := func() map[string]string {
		accounts, err := w.sql.Accounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		m := map[string]string{}
		for _, a := range accounts {
			m[a.Username] = a.PasswordHash
		}
		return m
	}
	before := hashes()
	d.Users[0].Disabled = true
	d.Users[1].Password = settings.NewSecret("something else")
	apply(t, s, d)
	after := hashes()
	if before["ann"] != after["ann"] {
		t.Error("the hash of an unchanged password changed")
	}
	if right, err := secret.VerifyPassword(after["Bob"], "something else"); err != nil || !right {
		t.Errorf("the new password does not verify (%v)", err)
	}
	d.Users[1].Username = "ANN"
	if _, err := s.Apply(t.Context(), d, "ann"); err == nil || !strings.Contains(err.Error(), "users[1].username") {
		t.Errorf("two users with one name, but for its case: %v", err)
	}
	d.Users = []settings.User{{ID: "u-3", Username: "ａｎｎ", Password: settings.NewSecret("long enough")}}
	if _, err := s.Apply(t.Context(), d, "ann"); err == nil || !strings.Contains(err.Error(), `belongs to the account "u-1" already`) {
		t.Errorf("a name that another account has: %v", err)
	}
}

func TestSecretsFollowANewEncryptionKey(t *testing.T) {
	w := newWorld(t, "")
	d := full(t)
	apply(t, w.service(), d)

	other, err := secret.NewKeys(bytes.Repeat([]byte{9}, 32))
	if err != nil {
		t.Fatal(err)
	}
	w.keys = other
	if err := w.service().Load(t.Context()); !errors.Is(err, secret.ErrUnsealed) || !strings.Contains(err.Error(), "key-encryption key") {
		t.Fatalf("with a foreign key: %v, want ErrUnsealed and a hint", err)
	}
	if w.keys, err = secret.NewKeys(bytes.Repeat([]byte{9}, 32), bytes.Repeat([]byte{7}, 32)); err != nil {
		t.Fatal(err)
	}
	s := w.service()
	if err := s.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	apply(t, s, export(t, s)) // seals anew
	w.keys = other
	s = w.service()
	if err := s.Load(t.Context()); err != nil {
		t.Fatalf("the former key is still needed: %v", err)
	}
	if got := s.Current().Callback("https://portal.example/result").Password.Reveal(); got != "correct horse" {
		t.Errorf("password %q came back changed", got)
	}
}

func TestSecretsCannotBeMoved(t *testing.T) {
	w := newWorld(t, "")
	apply(t, w.service(), full(t))
	rows, err := w.sql.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = w.sql.InTx(t.Context(), func(ctx context.Context) error {
		for _, r := range rows {
			if r.Kind == string(settings.KindCallback) {
				body := bytes.Replace(r.Body, []byte("https://portal.example/result"), []byte("https://thief.example/result"), 1)
				_, err := w.sql.WriteSettings(ctx, []store.Setting{{Kind: r.Kind, Name: "https://thief.example/result", Body: body}}, nil)
				return err
			}
		}
		return errors.New("no callback is stored")
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.service().Load(t.Context()); !errors.Is(err, secret.ErrUnsealed) {
		t.Errorf("a secret opens at another place: %v", err)
	}
}

// TestOneOfManyWritersWins: processes that start together apply the same document; it is applied once.
func TestOneOfManyWritersWins(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		d := full(t)
		d.Users = nil // their slow hashes would only take time
		const writers = 10
		results := make(chan settings.Changes, writers)
		var wait sync.WaitGroup
		for range writers {
			wait.Go(func() {
				changes, err := w.service().Apply(t.Context(), d, "ann")
				if err != nil {
					t.Error(err)
				}
				results <- changes
			})
		}
		wait.Wait()
		close(results)
		winners, generated := 0, ""
		for changes := range results {
			if changes.Version != 1 {
				t.Errorf("version %d, want 1", changes.Version)
			}
			if !changes.Empty() {
				winners++
				generated = changes.Generated[0].Value
			}
		}
		s := w.service()
		if err := s.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := s.Current().Document.Callbacks[0].SigningSecret.Reveal(); winners != 1 || got != generated {
			t.Errorf("%d writers changed something, want 1; the shown secret is the stored one: %t", winners, got == generated)
		}
	})
}
