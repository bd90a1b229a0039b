// Package idp finds out who sits at the browser. It serves the sign-in page of the built-in accounts,
//
//	GET, POST /oauth/sign-in
//
// slows down whoever guesses passwords without locking out the owner at a browser that is known, and hands the identified
// user back to the authorization request that waits. It knows nothing of clients, scopes and codes.
package idp
