package clientauth_test

import (
	"context"
	"crypto/pbkdf2"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/audit"
	"tokenserver/internal/clientauth"
	"tokenserver/internal/ratelimit"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

const importedSecret = "a secret from another server"

// importedKit has a web client "shop" and an API client "desk" whose secrets were imported; settings are the real ones.
func importedKit(t *testing.T, limit int) (*kit, *settings.Service) {
	t.Helper()
	k := newKit(t)
	salt := []byte("somesalt")
	hash, err := pbkdf2.Key(sha1.New, importedSecret, salt, 1000, sha1.Size)
	if err != nil {
		t.Fatal(err)
	}
	encode := base64.RawStdEncoding.EncodeToString
	text := settings.NewSecret("$pbkdf2-sha1$i=1000$" + encode(salt) + "$" + encode(hash))
	s := &settings.Service{
		Documents: k.Store, Accounts: k.Store, Installations: k.Store, Keys: k.Keys, Audit: &audit.Recorder{Now: k.Now}, Now: k.Now,
		Log: slog.New(slog.DiscardHandler),
	}
	_, err = s.Apply(t.Context(), settings.Document{
		WebClients: []settings.WebClient{{ID: "shop", HashedSecret: text, Grants: []settings.Grant{settings.ClientCredentials}}},
		APIClients: []settings.APIClient{{ID: "desk", HashedSecret: text}},
	}, "")
	if err != nil {
		t.Fatal(err)
	}
	k.service.Imports, k.service.Slow = s, make(chan struct{}, 1)
	k.service.Failures = &ratelimit.Limiter{Counts: k.Redis, Name: "client", Limit: limit, Window: time.Minute, Now: k.Now}
	return k, s
}

func TestImportedSecrets(t *testing.T) {
	k, s := importedKit(t, 1000)
	try := func(id, secret string) clientauth.Reason {
		_, err := k.service.Authenticate(t.Context(), s.Current(), clientauth.Credentials{Basic: true, BasicID: id, BasicSecret: secret})
		return reasonOf(t, err)
	}
	for _, wrong := range []string{"", "another", importedSecret + " "} {
		if got := try("shop", wrong); got != clientauth.WrongSecret {
			t.Errorf("%q: %q", wrong, got)
		}
	}
	if s.Current().WebClient("shop").HashedSecret.Empty() {
		t.Fatal("a wrong secret replaced the hash")
	}
	var all sync.WaitGroup
	for _, id := range []string{"shop", "desk", "shop", "desk", "shop"} {
		all.Go(func() {
			if got := try(id, importedSecret); got != "" {
				t.Errorf("%s: %q", id, got)
			}
		})
	}
	all.Wait()
	if web, api := s.Current().WebClient("shop"), s.Current().APIClient("desk"); !web.HashedSecret.Empty() || !api.HashedSecret.Empty() {
		t.Error("the imported hash is still there")
	}
	k.service.Slow = nil // would block for ever
	if try("shop", importedSecret) != "" || try("shop", "another") != clientauth.WrongSecret {
		t.Error("the keyed hash does not do")
	}
}

func TestImportedSecretsOfThrottledClients(t *testing.T) {
	k, s := importedKit(t, 3)
	wrong := clientauth.Credentials{Basic: true, BasicID: "shop", BasicSecret: "another"}
	var compared, throttled atomic.Int32
	k.service.Slow <- struct{}{} // everybody gets past the first look at the budget
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			_, err := k.service.Authenticate(t.Context(), s.Current(), wrong)
			switch reasonOf(t, err) {
			case clientauth.WrongSecret:
				compared.Add(1)
			case clientauth.Throttled:
				throttled.Add(1)
			default:
				t.Error(err)
			}
		})
	}
	<-k.service.Slow
	all.Wait()
	if n := compared.Load(); n != 3 || n+throttled.Load() != 30 {
		t.Errorf("%d compared, %d throttled", n, throttled.Load())
	}
	k.service.Slow = nil // would block for ever
	if _, err := k.service.Authenticate(t.Context(), s.Current(), wrong); reasonOf(t, err) != clientauth.Throttled {
		t.Errorf("%v", err)
	}
}

func TestWhoGivesUpWaitingIsTold(t *testing.T) {
	k, s := importedKit(t, 3)
	k.service.Slow <- struct{}{}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	_, err := k.service.Authenticate(ctx, s.Current(), clientauth.Credentials{Basic: true, BasicID: "shop", BasicSecret: importedSecret})
	if !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("%v", err)
	}
}

// A client begins with many requests at once: whoever waited behind the first success does not work as hard again,
// though the settings of the request still hold the imported hash.
func TestImportedSecretIsWorkedOutOnce(t *testing.T) {
	k, s := importedKit(t, 1000)
	before := s.Current()
	try := func(ctx context.Context, id, secret string) error {
		_, err := k.service.Authenticate(ctx, before, clientauth.Credentials{Basic: true, BasicID: id, BasicSecret: secret})
		return err
	}
	if err := try(t.Context(), "shop", importedSecret); err != nil {
		t.Fatal(err)
	}
	k.service.Slow <- struct{}{} // whoever wants to work has to wait, and gives up
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if err := try(ctx, "shop", importedSecret); err != nil {
		t.Errorf("the same secret again: %v", err)
	}
	for _, other := range [][2]string{{"shop", "another"}, {"desk", importedSecret}} {
		if err := try(ctx, other[0], other[1]); !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s, %s: %v", other[0], other[1], err)
		}
	}
}
