// Package secret knows how secrets are kept: keyed hashes of tokens and machine secrets, sealed values, and argon2id
// for the passwords of people. Everything hangs on one key-encryption key; see Keys.
package secret
