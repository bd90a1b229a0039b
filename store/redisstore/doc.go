// Package redisstore keeps what is in flight: authorization transactions, codes, registration challenges, enrollments,
// authentication transactions, opaque access tokens, replay marks. Typed records, one Lua script for each state move:
// of several racing callers exactly one wins.
//
// The same client speaks to a single server, Sentinel, a cluster, or the in-process server that the embedded default
// starts. Keys of one transaction share a hash tag. Scripts declare all their keys and take the time from Redis. Every
// record carries and checks its own expiry, because "expired" and "unknown" are different audit codes, and because the
// in-process server expires keys only when a ticker tells it to.
package redisstore
