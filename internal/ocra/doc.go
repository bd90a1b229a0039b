// Package ocra computes responses of the OATH challenge-response algorithm (RFC 6287) for suites with a question and,
// optionally, a time step. Counter, PIN and session inputs are not supported: nothing here uses them.
package ocra
