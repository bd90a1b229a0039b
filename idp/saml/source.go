package saml

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"tokenserver/internal/outbound"
	"tokenserver/internal/settings"
)

// How long fetched metadata are kept, and how often one address is asked at most.
const (
	keepMetadata    = time.Hour
	leastKept       = 5 * time.Minute // whatever cacheDuration says
	refetchInterval = time.Minute     // while there is something to work with
	retryInterval   = 5 * time.Second // while there is nothing
)

// Source knows the metadata of identity providers: from the settings, or fetched from the address given there and kept.
// While an address does not answer, what it said last counts. Make it with NewSource; safe for concurrent use.
type Source struct {
	client *http.Client
	now    func() time.Time
	log    *slog.Logger

	mu    sync.Mutex
	known map[string]*fetched
}

// fetched is what one address has said. Its own lock makes the callers wait for one fetch.
type fetched struct {
	mu        sync.Mutex
	last      metadata
	have      bool
	fetchedAt time.Time // of last
	triedAt   time.Time
}

// NewSource returns a source that fetches through client.
func NewSource(client *http.Client, now func() time.Time, log *slog.Logger) *Source {
	return &Source{client: client, now: now, log: log, known: map[string]*fetched{}}
}

// of returns the metadata of a provider. fresh asks again where that may help, because a key is not known yet.
// Errors: errMetadata, and those of the exchange when there has never been an answer.
func (s *Source) of(ctx context.Context, p *settings.SAMLSection, fresh bool) (metadata, error) {
	if p.MetadataURL == "" {
		return readMetadata([]byte(p.Metadata), p.EntityID, s.now())
	}
	f := s.entry(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	now := s.now()
	tried := !f.triedAt.IsZero() && now.Sub(f.triedAt) < refetchInterval
	switch usable := f.have && f.valid(now); {
	case usable && (tried || !fresh && now.Sub(f.fetchedAt) < f.life()):
		return f.last, nil
	case !usable && tried && now.Sub(f.triedAt) < retryInterval:
		return metadata{}, fmt.Errorf("%w: they could not be fetched a moment ago", errMetadata)
	}
	f.triedAt = now
	m, err := s.fetch(context.WithoutCancel(ctx), p) // others wait for it
	switch {
	case err == nil:
		f.last, f.have, f.fetchedAt = m, true, now
		return m, nil
	case f.have && f.valid(now):
		s.log.WarnContext(ctx, "metadata of the identity provider could not be refreshed", slog.String("entity_id", p.EntityID), slog.Any("error", err))
		return f.last, nil
	}
	return metadata{}, err
}

// entry returns the place of one address and entity.
func (s *Source) entry(p *settings.SAMLSection) *fetched {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := p.MetadataURL + " " + p.EntityID
	f := s.known[key]
	if f == nil {
		f = &fetched{}
		s.known[key] = f
	}
	return f
}

// life is how long the last answer is not asked for again.
func (f *fetched) life() time.Duration {
	if f.last.cacheFor > 0 {
		return min(max(f.last.cacheFor, leastKept), keepMetadata)
	}
	return keepMetadata
}

func (f *fetched) valid(now time.Time) bool {
	return f.last.validUntil.IsZero() || now.Before(f.last.validUntil)
}

func (s *Source) fetch(ctx context.Context, p *settings.SAMLSection) (metadata, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.MetadataURL, nil)
	if err != nil {
		return metadata{}, fmt.Errorf("fetch metadata: %w", err)
	}
	request.Header.Set("Accept", "application/samlmetadata+xml, application/xml, text/xml")
	answer, err := s.client.Do(request)
	if err != nil {
		return metadata{}, fmt.Errorf("fetch metadata: %w", outbound.WithoutQuery(err))
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return metadata{}, fmt.Errorf("fetch metadata: status %d", answer.StatusCode)
	}
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxMetadata+1))
	if err != nil {
		return metadata{}, fmt.Errorf("fetch metadata: %w", err)
	}
	return readMetadata(text, p.EntityID, s.now())
}
