// Package token issues, verifies, rotates and revokes tokens, and counts wrong PINs. It knows no HTTP.
//
// Access tokens are opaque (64 hex digits, kept in Redis under their keyed hash) or JWTs (RFC 9068, with a record for
// each jti). Refresh tokens belong to families kept in SQL; each successor is derived from its family, so that a lost
// answer can be repeated. Revocations are rows in SQL, held as a snapshot in memory and checked by every Verify.
package token
