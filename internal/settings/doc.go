// Package settings holds everything that an administrator edits: applications and their versions, scopes, clients,
// policies, authentication types, push configurations, identity providers, switches.
//
// It validates a document as a whole, naming all problems at once, applies it idempotently, and serves immutable
// snapshots: each request works on one. The file of the process itself (listeners, stores, keys) is not settings; see
// the Config of cmd/tokenserver.
package settings
