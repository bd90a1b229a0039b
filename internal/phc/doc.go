// Package phc verifies client secrets that another server hashed: PHC strings, "$id$parameters$salt$hash", of
// pbkdf2-sha1, argon2id and bcrypt.
//
// Hashes come from documents, so their cost is bounded when they are read: none can hold a core for more than about a
// second, or more than 256 MiB of memory. The package hashes nothing anew: this server keeps the secrets of machines as
// keyed hashes, see package secret.
package phc
