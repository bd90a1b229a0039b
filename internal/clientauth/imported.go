package clientauth

import (
	"context"
	"fmt"

	"tokenserver/internal/phc"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

// imports replaces what another server kept of secrets; see settings.Service.
type imports interface {
	// SettleClientSecret replaces the imported hash of a client's secret by the keyed hash of the secret.
	SettleClientSecret(ctx context.Context, clientID, imported, clear string) error
}

// wrongAndCounted is WrongSecret whose failure has been counted.
const wrongAndCounted Reason = "wrong_secret_counted"

// settled is an imported hash of a client whose secret has been seen.
type settled struct{ clientID, imported string }

// seen tells whether the secret is the one that has been found good for the client's imported hash: settings that were
// read before still hold the hash.
func (s *Service) seen(client machine, given string) bool {
	digest, known := s.found.Load(settled{client.id, client.imported})
	return known && s.Keys.Equal(secret.ForClientSecret, digest.([]byte), given)
}

// checkImported checks a secret against the hash that another server kept. That is slow by design, so it waits for its
// turn; whoever used up the client's failures meanwhile has no further ones. The first success replaces the hash, and
// spares those who waited behind it the work.
func (s *Service) checkImported(ctx context.Context, client machine, given string) (Reason, error) {
	if s.seen(client, given) {
		return "", nil
	}
	hash, err := phc.Parse(client.imported)
	if err != nil {
		return WrongSecret, nil // no usable hash: nothing can be proved
	}
	select {
	case s.Slow <- struct{}{}:
		defer func() { <-s.Slow }()
	case <-ctx.Done():
		return "", fmt.Errorf("authenticate client: wait for a turn: %w: %w", store.ErrUnavailable, ctx.Err())
	}
	if s.Failures.Exceeded(client.id) {
		return Throttled, nil
	}
	if s.seen(client, given) {
		return "", nil
	}
	if !hash.Verify(given) {
		s.Failures.Spend(ctx, client.id) // before the next one gets its turn
		return wrongAndCounted, nil
	}
	if err := s.Imports.SettleClientSecret(ctx, client.id, client.imported, given); err != nil {
		return "", fmt.Errorf("authenticate client: %w", err)
	}
	s.found.Store(settled{client.id, client.imported}, s.Keys.MAC(secret.ForClientSecret, given))
	return "", nil
}
