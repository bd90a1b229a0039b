// Package enrollment binds app instances, one user on one installation, to keys for mobile authentication.
//
//	POST /oauth/mobile-auth/v1/enrollments               init: keys of the device, push token
//	POST /oauth/mobile-auth/v1/enrollments/key           keys of the server; may be repeated
//	POST /oauth/mobile-auth/v1/enrollments/acknowledge   the enrollment becomes active
//	PUT  /oauth/mobile-auth/v1/push-token                another push token, for all users of an installation
//
// An enrollment in flight lives in Redis for ten minutes; only the acknowledge step changes what is stored, so that an
// abandoned one costs nobody a working device. The one exception is the reinstall: the same user with the same push
// token on another installation loses the old app instance at init, because its push token is dead anyway.
//
// It writes the ENROLLMENT_ codes. It sends nothing to devices and knows nothing of transactions.
package enrollment
