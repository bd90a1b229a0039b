// Package audit is the product's promise: every outcome writes exactly one code of a fixed catalogue.
//
// It owns the catalogue (catalogue.txt, the contract; codes_gen.go is generated from it), the event, and the trail
// that collects the events of one request until a store commits them. It does not know where events are kept:
// package sqlstore writes a trail's events in the same transaction as the effect that they report, and package web
// commits what is left before it sends an answer.
//
// The core codes are closed: an outcome that has a core code writes that code and nothing finer; the finer reason
// goes into the details. Outcomes without a core code write an extension code.
package audit

//go:generate go run ./internal/gen
