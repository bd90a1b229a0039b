// Package store holds the nouns of the server: plain records, their states, and the sentinel errors of the stores.
// The domains hold the verbs. Two packages keep the records: sqlstore what must survive, redisstore what is in flight.
// Interfaces live with their consumers.
package store

import "errors"

// The sentinel errors. Stores return them wrapped or bare; domains turn them into failures.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")          // the record is not in the state that the move needs, or exists already
	ErrExpired     = errors.New("expired")           // known, but its time is over
	ErrRevoked     = errors.New("revoked")           // known, but ended before its time
	ErrUnavailable = errors.New("store unavailable") // SQL or Redis does not answer, or a commit failed: 503
)
