// Package saml signs users in at SAML 2.0 identity providers: this server is their service provider. It serves
//
//	GET  /oauth/saml/metadata               who we are, for the administrators of identity providers
//	GET  /oauth/saml/{identifier}/metadata  the same, when every client has an entity id of its own
//	GET  /oauth/saml/start                  sends the browser to the identity provider, with a signed AuthnRequest
//	POST /oauth/saml/acs                    takes the answer
//	GET, POST /oauth/saml/slo               single logout: requests of identity providers, and their answers to ours
//
// and hands the identified user back to the authorization request that waits. What an answer says is believed only where
// a signature by a key of the provider's metadata covers it; everything is read from the very bytes that were verified.
// The package knows nothing of clients, scopes and codes.
package saml
