// Package oauth serves the OAuth 2.0 and OpenID Connect endpoints: authorization and consent in the browser, the token
// endpoint with a file for each grant, revocation, introspection, userinfo, discovery and keys.
//
// It owns the CONSENT_, AUTHORIZATION_, AUTHZ_REQUEST_ and TOKEN_ codes. It does not register clients, and it does not
// know how tokens are kept: that is internal/token.
package oauth
