// Package outbound builds the one kind of HTTP client through which the server calls the outside world: callbacks,
// identity providers, JWK sets, push and SMS gateways, hooks.
//
// Most of those addresses are typed in by somebody, some by people who are not operators, so the client is guarded
// against being turned inward (server-side request forgery): every address is judged after name resolution, at the
// moment of the dial, so that a name which resolves differently the second time gains nothing. Purposes that must
// reach inside, such as a gateway in the same data centre, allow-list their prefixes and nothing else.
//
// The package has no endpoints, logs nothing and knows none of the protocols spoken through it. Environment proxies
// are ignored, because a proxy would resolve names out of sight of the guard.
package outbound
