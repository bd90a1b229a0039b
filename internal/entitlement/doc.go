// Package entitlement asks the scope verification service whether a person may have the scopes that a client asks for:
// whether somebody has the product behind them. It is asked at the authorization endpoint after the sign-in and before
// consent, and at the token endpoint for every grant that is about a person, so that an ended subscription ends access.
// Answers are not kept.
//
// A service that gives no verdict is a refusal of its own kind: callers end the request, they never go on without one.
package entitlement
