package idp

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/secret"
	"tokenserver/store"
)

// forProvider separates the keyed hashes of what travels through a provider.
const forProvider secret.Purpose = "oauth-provider"

// roundTrip is one way of a browser to a provider and back. Nothing of it is stored: everything follows from the transaction
// and 256 random bits, so that no number of departures leaves anything behind.
type roundTrip struct {
	state    string // transaction "." random "." keyed hash
	verifier string // of PKCE
	nonce    string
}

// randomLength is how long the random part is: 32 bytes in base64url.
const randomLength = 43

// depart begins a round trip.
func (o *OAuth) depart(a store.Authorization) roundTrip { return o.trip(a, secret.NewChallenge()) }

// trip is the round trip of a transaction with that random part. It is bound to the transaction, its provider and its browser.
func (o *OAuth) trip(a store.Authorization, random string) roundTrip {
	encode := base64.RawURLEncoding.EncodeToString
	return roundTrip{
		state:    a.ID + "." + random + "." + encode(o.Keys.MAC(forProvider, stateParts(a, random)...)),
		verifier: encode(o.Keys.MAC(forProvider, "verifier", a.ID, random)),
		nonce:    encode(o.Keys.MAC(forProvider, "nonce", a.ID, random)),
	}
}

func stateParts(a store.Authorization, random string) []string {
	return []string{"state", a.ID, a.Provider, string(a.Browser), random}
}

// parseState takes a state apart; what it says is not proved yet.
func parseState(state string) (transactionID, random string, mac []byte, ok bool) {
	transactionID, rest, _ := strings.Cut(state, ".")
	random, encoded, _ := strings.Cut(rest, ".")
	mac, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || transactionID == "" || len(random) != randomLength || len(mac) != sha256.Size {
		return "", "", nil, false
	}
	return transactionID, random, mac, true
}

// arrive ends a round trip, once: the browser is the one that departed, and the state is the transaction's own. waiting is
// false when the user is known already. Errors: outcome.Failure.
func (o *OAuth) arrive(c echo.Context, state string) (a store.Authorization, trip roundTrip, waiting bool, err error) {
	id, random, mac, ok := parseState(state)
	if !ok {
		reason := "malformed"
		if state == "" {
			reason = "missing"
		}
		return a, trip, false, stateMismatch.About(audit.Reason(reason))
	}
	a, _, err = o.Journey.Waiting(c, id)
	moved := errors.Is(err, store.ErrConflict)
	if err != nil && !moved {
		return a, trip, false, ended(err, stateMismatch)
	}
	mismatch := stateMismatch.About(audit.Detail("idp", a.Provider))
	if !o.Keys.Equal(forProvider, mac, stateParts(a, random)...) {
		return a, trip, false, mismatch.About(audit.Reason("not of this transaction"))
	}
	err = o.spend(c.Request().Context(), a, state)
	switch {
	case errors.Is(err, store.ErrConflict):
		return a, trip, false, mismatch.Because(err).About(audit.Reason("used before"))
	case err != nil:
		return a, trip, false, err
	}
	return a, o.trip(a, random), !moved, nil
}

// spend uses a state up. Errors: store.ErrConflict when it was before.
func (o *OAuth) spend(ctx context.Context, a store.Authorization, state string) error {
	sum := sha256.Sum256([]byte(state))
	if _, err := o.Once.ClaimOnce(ctx, "idp-state", hex.EncodeToString(sum[:]), "", a.ExpiresAt); err != nil {
		return fmt.Errorf("use state: %w", err)
	}
	return nil
}
