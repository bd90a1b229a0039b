// Package idp finds out who sits at the browser, by identity providers of several kinds.
//
// Accounts are the people of this server. It serves their sign-in page and slows down whoever guesses passwords without
// locking out the owner at a browser that is known:
//
//	GET, POST /oauth/sign-in
//
// OAuth sends the browser to a foreign OpenID provider or OAuth 2.0 server and takes back what it says:
//
//	GET /oauth/oauth-idp/start
//	GET /oauth/oauth-idp/callback
//
// Header believes a reverse proxy that has signed the user in:
//
//	GET /oauth/authorize/header
//
// Each hands the identified user back to the authorization request that waits. The package knows nothing of clients, scopes
// and codes.
package idp
