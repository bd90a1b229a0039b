package people

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// longestUserID is in bytes: OpenID Connect Core §2 allows 255 for the claim "sub".
const longestUserID = 255

// Service keeps the persons for whom identity providers vouch. Every field is required.
type Service struct {
	Accounts accounts
	Settings settingsSource
	Clients  installations
	Source   *http.Client // of user-info sources
	Cache    detailsCache
	Keys     *secret.Keys
	Log      *slog.Logger
	Now      func() time.Time
}

// accounts keeps people; see sqlstore.Store.
type accounts interface {
	// Account returns one person. Errors: store.ErrNotFound.
	Account(ctx context.Context, userID string) (store.Account, error)
	// PutAccount adds or changes one. Errors: store.ErrConflict when the id belongs to another namespace.
	PutAccount(ctx context.Context, a store.Account) error
}

// detailsCache keeps what user-info sources say; see redisstore.Store.
type detailsCache interface {
	KeepUserDetails(ctx context.Context, key string, details []byte, life time.Duration) error
	// UserDetails errors: store.ErrNotFound.
	UserDetails(ctx context.Context, key string) ([]byte, error)
}

type settingsSource interface{ Current() *settings.Snapshot }

// installations knows the registered copies of apps.
type installations interface {
	Installation(ctx context.Context, clientID string) (store.Installation, error)
}

// ErrUnusable is returned when what an identity provider says names nobody: the user id is empty, too long or no text.
var ErrUnusable = errors.New("the identity provider names no usable user id")

// Meet takes in what a provider says about a person: the attributes are mapped, and the person is kept as he or she is
// now. It joins the transaction of ctx if there is one. For the built-in accounts it only reads.
// Errors: ErrUnusable, store.ErrConflict (the user id belongs to another namespace, or to a client), store.ErrRevoked
// (disabled), store.ErrNotFound (no such built-in account), store.ErrUnavailable.
func (s *Service) Meet(ctx context.Context, p *settings.IdentityProvider, id store.Identity) (store.Account, error) {
	attributes := mapped(id.Attributes, p.AttributeMappings)
	external := id.UserID
	if named := attributes.Text("userId"); named != "" && p.Vouches() && mapsTo(p, "userId") {
		id.UserID = named
	}
	delete(attributes, "userId")
	if id.UserID == "" || len(id.UserID) > longestUserID || !printable(id.UserID) {
		return store.Account{}, ErrUnusable
	}
	was, err := s.Accounts.Account(ctx, id.UserID)
	exists := err == nil
	switch {
	case err != nil && (!errors.Is(err, store.ErrNotFound) || !p.Vouches()):
		return store.Account{}, fmt.Errorf("meet user: %w", err)
	case exists && was.Namespace != p.UserNamespace():
		return store.Account{}, fmt.Errorf("meet user: the id belongs to another identity provider: %w", store.ErrConflict)
	case exists && was.Disabled:
		return was, fmt.Errorf("meet user: %w", store.ErrRevoked)
	case !p.Vouches():
		return was, nil
	}
	is := was
	is.ID, is.Namespace, is.ExternalID, is.Username = id.UserID, p.UserNamespace(), external, id.UserID
	if id.Attributes != nil || !exists { // a provider that says nothing about the person takes nothing away
		is.Attributes = attributes
	}
	if exists && is.ExternalID == was.ExternalID && reflect.DeepEqual(is.Attributes, was.Attributes) {
		return was, nil
	}
	if !exists {
		// A client's own token has its id as subject: nobody may be taken for it (RFC 9700 §4.15).
		if err := s.noClient(ctx, id.UserID); err != nil {
			return store.Account{}, err
		}
		is.CreatedAt = s.Now()
	}
	is.UpdatedAt = s.Now()
	if err := s.Accounts.PutAccount(ctx, is); err != nil {
		return store.Account{}, fmt.Errorf("meet user: %w", err)
	}
	return is, nil
}

// Person returns the person behind a user id. Errors: store.ErrNotFound when there is none that may sign in.
func (s *Service) Person(ctx context.Context, userID string) (store.Account, error) {
	person, err := s.Accounts.Account(ctx, userID)
	if err != nil {
		return store.Account{}, fmt.Errorf("read person: %w", err)
	}
	if person.Disabled {
		return store.Account{}, fmt.Errorf("read person: disabled: %w", store.ErrNotFound)
	}
	return person, nil
}

// noClient refuses user ids that are client ids.
func (s *Service) noClient(ctx context.Context, id string) error {
	snapshot := s.Settings.Current()
	taken := snapshot.WebClient(id) != nil || snapshot.APIClient(id) != nil
	if !taken {
		_, err := s.Clients.Installation(ctx, id)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("meet user: %w", err)
		}
		taken = err == nil
	}
	if taken {
		return fmt.Errorf("meet user: the id belongs to a client: %w", store.ErrConflict)
	}
	return nil
}

// mapped gives attributes their names here. Without mappings every one passes. Empty ones are left out.
func mapped(from store.Attributes, mappings []settings.AttributeMapping) store.Attributes {
	to := store.Attributes{}
	put := func(name string, value any) {
		if value != nil && value != "" {
			to[name] = value
		}
	}
	if len(mappings) == 0 {
		for name, value := range from {
			put(name, value)
		}
		return to
	}
	for _, m := range mappings {
		put(m.To, from[m.From])
	}
	return to
}

func mapsTo(p *settings.IdentityProvider, name string) bool {
	for _, m := range p.AttributeMappings {
		if m.To == name {
			return true
		}
	}
	return false
}

// printable tells whether a user id can stand in tokens, logs and URLs as it is. U+FFFD is what decoders make of anything
// that is no text: two ids that hold it may have been different ones.
func printable(id string) bool {
	return utf8.ValidString(id) && !strings.ContainsFunc(id, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) || unicode.IsSpace(r)
	})
}
