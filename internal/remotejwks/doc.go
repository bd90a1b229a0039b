// Package remotejwks fetches the JWK sets (RFC 7517) that others publish: of clients that sign assertions, of relying
// parties that want encrypted ID tokens, of identity providers.
//
// A set is kept as long as its server says, within limits. A key id that is not in it makes it be fetched once more,
// so that a rotation is noticed at once, but an attacker who invents key ids gains one request a minute at most. While
// the far side fails, the last good set stays in use for a day.
//
// The package has no endpoints and records no events; its callers know what a missing key means to them.
package remotejwks
