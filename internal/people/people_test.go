package people_test

import (
	"errors"
	"testing"

	"tokenserver/internal/audittest"
	"tokenserver/internal/people"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

func service(t *testing.T) *people.Service {
	t.Helper()
	e := audittest.New(t)
	return &people.Service{Accounts: e.Store, Settings: e.Settings, Clients: e.Store, Cache: e.Redis, Keys: e.Keys, Log: e.Log, Now: e.Now}
}

// TestUnusableUserIDs: what a decoder has replaced, and what cannot be seen, names nobody.
func TestUnusableUserIDs(t *testing.T) {
	s := service(t)
	p := &settings.IdentityProvider{ID: "abroad", Type: settings.OIDCProvider}
	for _, id := range []string{"", "a n", " ann", "ann\u00a0", "ann\u3000", "a\u0085n", "a\x00n", "a\xffn", "a\ufffdn", "ann\n"} {
		if _, err := s.Meet(t.Context(), p, store.Identity{UserID: id}); !errors.Is(err, people.ErrUnusable) {
			t.Errorf("%q: %v, want ErrUnusable", id, err)
		}
	}
}

// TestOpaqueUserIDs: ids that differ in case, or in how a letter is written, are different persons.
func TestOpaqueUserIDs(t *testing.T) {
	s := service(t)
	p := &settings.IdentityProvider{ID: "abroad", Type: settings.OIDCProvider}
	for _, id := range []string{"xY7", "Xy7", "jos\u00e9", "jose\u0301", "\uff41nn", "ann"} {
		person, err := s.Meet(t.Context(), p, store.Identity{UserID: id, Attributes: store.Attributes{"said": id}})
		if err != nil || person.ID != id {
			t.Errorf("%q: %+v, %v", id, person, err)
		}
	}
}
