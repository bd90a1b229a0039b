// Package keys holds the ring of signing keys for ID tokens and JWT access tokens: previous, current and next. The next
// key is published before it signs, and the previous one stays published while its tokens live.
//
// The keys are kept sealed in SQL and read again at most 60 s later, so that all processes sign with the same one.
package keys
