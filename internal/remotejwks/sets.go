package remotejwks

import (
	"context"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	shortestLife = time.Minute // of a fetched set, whatever its server says
	longestLife  = 24 * time.Hour
	usualLife    = time.Hour        // when the server says nothing
	lastGoodLife = 24 * time.Hour   // for which a set outlives its life while the far side fails
	forcedEvery  = time.Minute      // between two fetches because a key was missing
	failingEvery = time.Minute      // between two tries of a failing address whose last good set is still in use
	emptyEvery   = 10 * time.Second // between two tries of a failing address that never answered
	maxSets      = 1024             // kept at a time
)

// Sets keeps the JWK sets of others. Every field is required. Safe for concurrent use.
type Sets struct {
	Client  *http.Client   // guarded, without redirects: see outbound.New
	Private []netip.Prefix // networks that Client may reach; a loopback address among them may be called over plain http
	Now     func() time.Time

	mu   sync.Mutex
	sets map[string]*entry // by address
}

// entry is what is known about one address. Sets.mu guards it.
type entry struct {
	set    *jose.JSONWebKeySet // last good one; nil = none yet
	ends   time.Time           // of its life
	tried  time.Time           // start of the last fetch that failed; zero after one that succeeded
	forced time.Time           // last fetch because a key was missing
	used   time.Time
	err    error         // of the last fetch
	flight chan struct{} // closed when the fetch under way ends; nil = none is
}

// Keys returns the set at an address; it must not be changed. Callers who ask at the same time share one fetch, which
// goes on when one of them leaves.
// Errors: ErrUnavailable, also with what is no set; those of ctx.
func (s *Sets) Keys(ctx context.Context, uri string) (*jose.JSONWebKeySet, error) {
	set, _, err := s.get(ctx, uri, false)
	return set, err
}

// seek returns the set; when it does not have what is sought, it is fetched anew first, unless that happened within a
// minute.
func (s *Sets) seek(ctx context.Context, uri string, has func(*jose.JSONWebKeySet) bool) (*jose.JSONWebKeySet, error) {
	set, fresh, err := s.get(ctx, uri, false)
	if err != nil || has(set) {
		return set, err
	}
	if fresh { // that was the fetch of this minute
		s.mu.Lock()
		defer s.mu.Unlock()
		s.entry(uri).forced = s.Now()
		return set, nil
	}
	newer, _, err := s.get(ctx, uri, true)
	if err != nil {
		return set, nil // the last good one answers: it does not have the key
	}
	return newer, nil
}

// get returns the set at an address and whether it was fetched for this call. A forced call does not trust the life of
// the kept one.
func (s *Sets) get(ctx context.Context, uri string, forced bool) (*jose.JSONWebKeySet, bool, error) {
	s.mu.Lock()
	e, now := s.entry(uri), s.Now()
	e.used = now
	due := e.due(now)
	if forced && now.Sub(e.forced) >= forcedEvery {
		due, e.forced = true, now
	}
	if !due && e.flight == nil {
		defer s.mu.Unlock()
		return e.answer(now)
	}
	if e.flight == nil {
		e.flight = make(chan struct{})
		go s.fly(context.WithoutCancel(ctx), uri, e)
	}
	flight := e.flight
	s.mu.Unlock()

	select {
	case <-flight:
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	set, _, err := e.answer(s.Now())
	return set, true, err
}

// due tells whether the set must be fetched before anybody may use it.
func (e *entry) due(now time.Time) bool {
	if e.set != nil && now.Before(e.ends) {
		return false
	}
	wait := emptyEvery
	if e.set != nil {
		wait = failingEvery
	}
	return e.tried.IsZero() || now.Sub(e.tried) >= wait
}

// answer is what the entry has for callers now.
func (e *entry) answer(now time.Time) (*jose.JSONWebKeySet, bool, error) {
	if e.set != nil && (e.err == nil || now.Before(e.ends.Add(lastGoodLife))) {
		return e.set, false, nil
	}
	return nil, false, e.err
}

// fly fetches a set and wakes those who wait.
func (s *Sets) fly(ctx context.Context, uri string, e *entry) {
	began := s.Now()
	set, life, err := s.fetch(ctx, uri)
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.err = err; err != nil {
		e.tried = began
	} else {
		e.set, e.ends, e.tried = set, began.Add(life), time.Time{}
	}
	close(e.flight)
	e.flight = nil
}

// entry returns what is known about an address; the least recently used one makes room for a new one.
func (s *Sets) entry(uri string) *entry {
	if e := s.sets[uri]; e != nil {
		return e
	}
	if s.sets == nil {
		s.sets = map[string]*entry{}
	}
	if len(s.sets) >= maxSets {
		oldest, at := "", time.Time{}
		for other, e := range s.sets {
			if oldest == "" || e.used.Before(at) {
				oldest, at = other, e.used
			}
		}
		delete(s.sets, oldest) // who waits for its fetch holds the entry and is served all the same
	}
	e := &entry{}
	s.sets[uri] = e
	return e
}
