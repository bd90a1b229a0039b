// Package audittest gives tests of handlers what is real: a SQLite store, a Redis server in this process, the shell
// that audits requests, keys, and a clock that stands still until the test moves it. Codes reads back which events were
// stored, so that a test compares the whole list and an event too many fails as loudly as one missing.
package audittest
