// Package registration makes every installed copy of an app an OAuth client of its own, checks it at each start, and
// moves it to the next version of the app. Its outcomes are the DYNAMIC_, CLIENT_VALIDATION_, CLIENT_CREDENTIALS_CHECK_
// and MOBILE_CLIENT_ codes.
//
//	POST /oauth/v1/client/registration/init      a challenge, for the secret protocol
//	POST /oauth/v1/client/registration/complete  the response (OCRA) to it; hands out client id and secret
//	POST /oauth/v2/client/registration/init      a challenge, for the key protocol
//	POST /oauth/v2/client/registration           a statement signed with the installation's own key
//	POST /oauth/v1/client/validation             the check at app start, for installations with a secret
//	POST /oauth/v2/client/validation             the same for installations with a key
//	POST /oauth/v1/client/upgrade                proof of a new version and of the old secret; hands out a new one
//	POST /oauth/v2/client/upgrade                statement of a new version; also the way from secret to key
//	PUT  /oauth/v1/client/device-name            the name under which the user sees the installation
//
// Every request runs the app version gate of package appgate first. Client authentication itself is package
// clientauth's. Attestation is not required yet: evidence that is sent is recorded as ignored.
package registration
