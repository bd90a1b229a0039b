// Package oidc speaks with foreign OpenID providers and OAuth 2.0 servers as their client: discovery, the code exchange,
// ID tokens, profiles. It believes nothing that it has not checked, and says in one word what was wrong (Refusal), which is
// what an operator needs to find the mistake in somebody else's server.
//
// It has no endpoints and knows neither transactions nor people: package idp does.
package oidc
