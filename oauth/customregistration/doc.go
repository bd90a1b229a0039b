// Package customregistration registers users without a browser: the app asks by API, and somebody else decides who the user is.
//
//	POST /oauth/custom-registration/{idp}/init, /complete      installations with a secret, web clients: Basic
//	POST /oauth/v2/custom-registration/{idp}/init, /complete   installations with a key: an assertion in the body
//	POST /oauth/api/v3/custom-registration/{idp}/backchannel   back ends
//	POST /oauth/api/v1/two-way-otp                             portals
//	GET, POST /oauth/two-way-otp                               people: two codes instead of a password
//
// Who decides is a web hook of the operator (providers of type CUSTOM_API_ONE_STEP and CUSTOM_API_TWO_STEP), or two codes of six
// digits that travel in opposite directions between the phone and a portal where the user is signed in (TWO_WAY_OTP_API, and
// TWO_WAY_OTP on a page). Either way the decision is taken once: a row of SQL ends in the transaction that issues the tokens.
//
// The tokens themselves, and the rules about clients, scopes and profiles, are those of the token endpoint.
package customregistration
