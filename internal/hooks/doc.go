// Package hooks asks the web hooks of clients while a user waits: one may take scopes away from a token and add claims
// to it, one may change what is said about a person.
//
// Hooks are asked once, never again for the same question. Each request carries the headers of Standard Webhooks,
// signed with the secret of that hook, and besides, as configured, a JWT signed with the server's keys, a password, or
// nothing. What a hook answers is read strictly: anything that is no answer is a failure, and a switch of the hook says
// whether that ends the request or is passed over with a warning in the log.
package hooks
