// Package clientauth finds out which client is calling: app installations, web clients and API clients, by secret, by
// signed assertion (RFC 7523), or, for public clients, by name alone.
//
// It returns a typed reason when it refuses; the caller maps that to its own answer and audit code. It knows no HTTP.
package clientauth
