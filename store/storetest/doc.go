// Package storetest is one conformance suite for all engines: round trips, single use under real concurrency, expiry,
// time zones. The tests of sqlstore run it on SQLite and PostgreSQL, those of redisstore on the in-process server, a
// real one and a cluster.
package storetest
