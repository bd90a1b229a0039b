package clientauth

import (
	"context"
	"fmt"

	"tokenserver/internal/phc"
	"tokenserver/store"
)

// imports replaces what another server kept of secrets; see settings.Service.
type imports interface {
	// SettleClientSecret replaces the imported hash of a client's secret by the keyed hash of the secret.
	SettleClientSecret(ctx context.Context, clientID, imported, clear string) error
}

// wrongAndCounted is WrongSecret whose failure has been counted.
const wrongAndCounted Reason = "wrong_secret_counted"

// checkImported checks a secret against the hash that another server kept. That is slow by design, so it waits for its
// turn; whoever used up the client's failures meanwhile has no further ones. The first success replaces the hash.
func (s *Service) checkImported(ctx context.Context, client machine, given string) (Reason, error) {
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
	if !hash.Verify(given) {
		s.Failures.Spend(ctx, client.id) // before the next one gets its turn
		return wrongAndCounted, nil
	}
	if err := s.Imports.SettleClientSecret(ctx, client.id, client.imported, given); err != nil {
		return "", fmt.Errorf("authenticate client: %w", err)
	}
	return "", nil
}
