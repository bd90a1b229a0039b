package sqlstore

import (
	"context"
	"fmt"
	"time"
)

// How long rows are kept after they have served. Each is far beyond the life of what could still refer to the row.
const (
	keepUsedCodes     = 24 * time.Hour       // a code lives a minute, a step-up half an hour, a custom registration ten
	keepEndedFamilies = 30 * 24 * time.Hour  // until then a refresh token is expired and no wrong PIN
	keepSignIns       = 30 * 24 * time.Hour  // the longest budget of sign-in attempts forgets after a day
	keepBrowsers      = 400 * 24 * time.Hour // browsers keep no cookie longer
)

// Sweep deletes what has served: marks of redeemed codes, ended refresh tokens, counts of sign-in attempts, browsers that
// were not seen for long, decided transactions, retired keys. It returns how many rows went. Any process may call it.
func (s *Store) Sweep(ctx context.Context, now time.Time) (int64, error) {
	swept, err := s.SweepTransactions(ctx, now)
	if err != nil {
		return swept, err
	}
	keys, err := s.SweepServerKeys(ctx, now.Add(-keepUsedCodes))
	if err != nil {
		return swept, err
	}
	swept += keys
	families, err := s.ForgetFamilies(ctx, now.Add(-keepEndedFamilies))
	if err != nil {
		return swept, err
	}
	swept += families
	for _, old := range []struct {
		query string
		keep  time.Duration
	}{
		{`DELETE FROM used_codes WHERE used_at < ?`, keepUsedCodes},
		{`DELETE FROM sign_in_attempts WHERE last_at < ?`, keepSignIns},
		{`DELETE FROM step_up_tries WHERE last_at < ?`, keepUsedCodes},
		{`DELETE FROM custom_registrations WHERE expires_at < ?`, keepUsedCodes},
		{`DELETE FROM known_browsers WHERE last_used < ?`, keepBrowsers},
	} {
		n, err := s.exec(ctx, old.query, micros(now.Add(-old.keep)))
		if err != nil {
			return swept, fmt.Errorf("sweep: %w", err)
		}
		swept += n
	}
	return swept, nil
}
