package settings_test

import (
	"bytes"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"reflect"
	"strings"
	"sync"
	"testing"

	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// imported is what another server kept of a secret.
func imported(t *testing.T, clear string) string {
	t.Helper()
	salt := []byte("somesalt")
	hash, err := pbkdf2.Key(sha1.New, clear, salt, 10, sha1.Size)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawStdEncoding.EncodeToString
	return "$pbkdf2-sha1$i=10$" + encode(salt) + "$" + encode(hash)
}

func importing(hash string) settings.Document {
	return settings.Document{WebClients: []settings.WebClient{{
		ID: "shop", HashedSecret: settings.NewSecret(hash), Grants: []settings.Grant{settings.ClientCredentials},
	}}}
}

func TestTheOutsideIsKeptAndExported(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		s := w.service()
		d := outside(t)
		first := apply(t, s, d)
		var made []string
		for _, g := range first.Generated {
			made = append(made, string(g.Kind)+" "+g.Name+" "+g.Member)
		}
		want := []string{
			"identity_provider branch custom.signing_secret", "web_hook tokens signing_secret", "web_hook details signing_secret",
		}
		if !reflect.DeepEqual(made, want) {
			t.Errorf("made %q, want %q", made, want)
		}
		if d.WebHooks[0].SigningSecret.Reveal() != "" || d.IdentityProviders[branch].Custom.SigningSecret.Reveal() != "" {
			t.Error("applying changed the document")
		}
		now := s.Current()
		if p := now.IdentityProvider("google"); p.OAuth.ClientSecret.Reveal() != "at google" || p.UserInfoSource.Password.Reveal() != "correct horse" {
			t.Errorf("%+v", p)
		}
		if now.Document.OAuth.ScopeVerification.Password.Reveal() != "correct horse" || now.WebHook("tokens").SigningSecret.Empty() {
			t.Error("secrets are not there")
		}

		if again := apply(t, s, d); !again.Empty() || len(again.Generated) != 0 {
			t.Errorf("applied again: %+v", again)
		}
		exported, err := s.Export(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var text bytes.Buffer
		if err := exported.WriteYAML(&text); err != nil {
			t.Fatal(err)
		}
		for _, hidden := range []string{"correct horse", "at google", "at old", "whsec_", "$bcrypt$"} {
			if strings.Contains(text.String(), hidden) {
				t.Errorf("the export shows %q", hidden)
			}
		}
		parsed, err := settings.Parse(text.Bytes(), "")
		if err != nil {
			t.Fatalf("%v\n%s", err, &text)
		}
		if changes := apply(t, s, parsed); !changes.Empty() {
			t.Errorf("the export changes %+v", changes.List)
		}

		d.IdentityProviders[google].OAuth.ClientSecret = settings.NewSecret("another")
		changes := apply(t, s, d)
		if len(changes.List) != 1 || !reflect.DeepEqual(changes.List[0].Members, []string{"oauth.client_secret"}) {
			t.Errorf("another secret: %+v", changes.List)
		}
	})
}

func TestAnImportedSecretIsSettled(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		s := w.service()
		const clear = "the secret of the shop"
		hash := imported(t, clear)
		apply(t, s, importing(hash))
		shop := s.Current().WebClient("shop")
		if shop.HashedSecret.Reveal() != hash || len(shop.Secret.Digest) != 0 {
			t.Fatalf("imported: %+v", shop)
		}
		rows, err := w.sql.Settings(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if bytes.Contains(row.Body, []byte("pbkdf2")) {
				t.Error("the imported hash is stored in clear")
			}
		}

		if err := s.SettleClientSecret(t.Context(), "shop", "another hash", clear); err != nil {
			t.Fatal(err)
		}
		if s.Current().WebClient("shop").HashedSecret.Empty() {
			t.Fatal("settled by another hash")
		}
		before := s.Current().Number
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if err := s.SettleClientSecret(t.Context(), "shop", hash, clear); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		other := w.service()
		if err := other.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, now := range []*settings.Snapshot{s.Current(), other.Current()} {
			shop := now.WebClient("shop")
			if !shop.HashedSecret.Empty() || !w.keys.Equal(secret.ForClientSecret, shop.Secret.Digest, clear) {
				t.Errorf("settled: %+v", shop)
			}
			if now.Number != before+1 {
				t.Errorf("version %d, want %d: settled more than once", now.Number, before+1)
			}
		}

		for name, d := range map[string]settings.Document{
			"the same document": importing(hash),
			"redacted": func() settings.Document {
				d := importing(hash)
				d.WebClients[0].HashedSecret = settings.Redacted()
				return d
			}(),
			"left out": func() settings.Document {
				d := importing(hash)
				d.WebClients[0].HashedSecret = settings.Secret{}
				return d
			}(),
		} {
			if changes := apply(t, s, d); !changes.Empty() || len(changes.Generated) != 0 {
				t.Errorf("%s: %+v", name, changes)
			}
		}
		if shop := s.Current().WebClient("shop"); !w.keys.Equal(secret.ForClientSecret, shop.Secret.Digest, clear) {
			t.Error("the settled secret is gone")
		}
		if changes := apply(t, s, importing(imported(t, "another"))); len(changes.List) != 1 {
			t.Errorf("another import: %+v", changes)
		}
		if shop := s.Current().WebClient("shop"); len(shop.Secret.Digest) != 0 || shop.HashedSecret.Empty() {
			t.Errorf("another import: %+v", shop)
		}
	})
}

func TestAClientCannotBeTakenForAUser(t *testing.T) {
	for name, person := range map[string]store.Account{
		"of this server":   {ID: "shop", Username: "ann"},
		"of another place": {ID: "shop", Username: "shop", Namespace: "google"},
	} {
		w := newWorld(t, "")
		if err := w.sql.PutAccount(t.Context(), person); err != nil {
			t.Fatal(err)
		}
		_, err := w.service().Apply(t.Context(), importing(imported(t, "x")), "ann")
		if want := `web_clients[0].client_id: "shop" is the id of a user: choose another`; err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}
