// Package outcome holds the ways a request can fail: a Failure carries the error code of the answer, its text, and
// the audit code of the event. Handlers return failures; package web is the only place that turns one into event,
// log line and answer.
package outcome
