package people

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"tokenserver/internal/outbound"
	"tokenserver/internal/secret"
	"tokenserver/internal/settings"
	"tokenserver/internal/strictjson"
	"tokenserver/store"
)

const (
	usualCacheLife = 5 * time.Minute
	// troubleLife is how long a source that gave no answer is left alone: who waits for it waits once.
	troubleLife = 10 * time.Second
	// forDetails separates the keyed hashes under which details are kept.
	forDetails secret.Purpose = "user-info source"
)

// Details is asked where the attributes of a person are needed: it returns the person with what the provider's user-info
// source says, which wins over what was stored at the sign-in. p nil, or without a source, changes nothing. Answers are
// kept for a while; fresh asks the source again. A source that gives no answer is a warning in the log and never an
// error: the stored attributes count then.
func (s *Service) Details(ctx context.Context, p *settings.IdentityProvider, a store.Account, fresh bool) store.Account {
	if p == nil || p.UserInfoSource == nil {
		return a
	}
	key := s.detailsKey(p, a)
	if !fresh {
		if said, known := s.kept(ctx, key); known {
			return with(a, said)
		}
	}
	said, err := s.askSource(ctx, p, a)
	if err != nil {
		s.Log.WarnContext(ctx, "user-info source gave no answer, the stored attributes count", "idp", p.ID, "error", err)
		s.keep(ctx, key, nil, troubleLife)
		return a
	}
	life := usualCacheLife
	if seconds := p.UserInfoSource.CacheLife; seconds > 0 {
		life = time.Duration(seconds) * time.Second
	}
	s.keep(ctx, key, said, life)
	return with(a, said)
}

// with returns a person with further attributes, which replace those of the same name.
func with(a store.Account, said store.Attributes) store.Account {
	if len(said) == 0 {
		return a
	}
	merged := make(store.Attributes, len(a.Attributes)+len(said))
	maps.Copy(merged, a.Attributes)
	maps.Copy(merged, said)
	a.Attributes = merged
	return a
}

// detailsKey names what is kept: another address or another mapping is another answer.
func (s *Service) detailsKey(p *settings.IdentityProvider, a store.Account) string {
	parts := []string{p.ID, p.UserInfoSource.URL, a.ID, idAtSource(a)}
	for _, m := range p.AttributeMappings {
		parts = append(parts, m.From, m.To)
	}
	return hex.EncodeToString(s.Keys.MAC(forDetails, parts...))
}

// kept returns what is kept, and whether anything is: that the source gave no answer is kept too. A cache that is away is
// no cache.
func (s *Service) kept(ctx context.Context, key string) (store.Attributes, bool) {
	text, err := s.Cache.UserDetails(ctx, key)
	var said store.Attributes
	if err == nil {
		err = json.Unmarshal(text, &said)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		s.Log.WarnContext(ctx, "kept user details are not usable", "error", err)
	}
	return said, err == nil
}

func (s *Service) keep(ctx context.Context, key string, said store.Attributes, life time.Duration) {
	text, err := json.Marshal(said)
	if err == nil {
		err = s.Cache.KeepUserDetails(ctx, key, text, life)
	}
	if err != nil {
		s.Log.WarnContext(ctx, "user details are not kept", "error", err)
	}
}

// errSourceID is returned for a user id that would change the address in which it stands.
var errSourceID = errors.New("the user id cannot stand in an address")

// idAtSource is the person's id as the identity provider issued it.
func idAtSource(a store.Account) string {
	if a.ExternalID != "" {
		return a.ExternalID
	}
	return a.ID
}

// askSource asks the source once.
func (s *Service) askSource(ctx context.Context, p *settings.IdentityProvider, a store.Account) (store.Attributes, error) {
	id := idAtSource(a)
	if id == "." || id == ".." {
		return nil, errSourceID
	}
	// Escaped for the query, an id cannot end its part of the path or of the query either.
	escaped := strings.ReplaceAll(url.QueryEscape(id), "+", "%20")
	address := strings.ReplaceAll(p.UserInfoSource.URL, "{userId}", escaped)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errSourceID
	}
	request.Header.Set("Accept", "application/json")
	if p.UserInfoSource.Username != "" {
		request.SetBasicAuth(p.UserInfoSource.Username, p.UserInfoSource.Password.Reveal())
	}
	answer, exchange, err := outbound.Ask(s.Source, request, s.Now)
	if err != nil {
		return nil, err
	}
	members, err := strictjson.Object(answer)
	if err != nil {
		return nil, exchange.Because("malformed answer", err)
	}
	said, err := renamed(members, p.AttributeMappings)
	if err != nil {
		return nil, exchange.Because("malformed answer", err)
	}
	return said, nil
}

// renamed reads the members of an answer. A mapping gives a member its name here; one without a mapping keeps its own,
// because a source speaks to this server alone. What is null, and the user id, says nothing about the person.
func renamed(members map[string]json.RawMessage, mappings []settings.AttributeMapping) (store.Attributes, error) {
	said := make(store.Attributes, len(members))
	taken := map[string]bool{}
	for _, m := range mappings {
		raw, given := members[m.From]
		if !given {
			continue
		}
		taken[m.From] = true
		if err := put(said, m.To, raw); err != nil {
			return nil, err
		}
	}
	for name, raw := range members {
		if _, named := said[name]; taken[name] || named {
			continue
		}
		if err := put(said, name, raw); err != nil {
			return nil, err
		}
	}
	delete(said, "userId")
	return said, nil
}

func put(into store.Attributes, name string, raw json.RawMessage) error {
	if bytes.Equal(raw, []byte("null")) {
		return nil
	}
	var value any
	if err := json.Unmarshal(raw, &value); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	into[name] = value
	return nil
}
