// Package pushauth serves authentication transactions: a portal asks "is it really you?", the phone of the user answers.
//
// Portal (server to server, below /oauth/api/v{2,3,4}/authenticate):
//
//	GET  user/{user_id}/device/{device_id}/enabled   types usable for a user on one device (v4)
//	GET  user/{user_id}/application/{app_id}/enabled types usable for a user on one application (v3)
//	GET  user/{user_id}/enabled/{type}               whether one type is usable for a user (v2)
//	GET  user/{user_id}/enabled                      types usable for a user, with the devices
//	POST user                                        start a transaction
//	POST user/{user_id}/push/resend                  send the push again
//	GET  transaction/{transaction_id}                fetch the result
//
// App (below /oauth/mobile-auth):
//
//	POST v1/transactions/pending                     open transactions of the installation
//	POST v1/transactions/fetch                       the secured message, once
//	POST v1/transactions/answer, v2/…                the signed answer; v2 when transaction data is signed
//
// What is in flight lives in Redis. What ends a transaction is one SQL transaction: the row of its outcome, its events
// and the callback to the portal; Redis follows. See Endings. Push messages leave through Pusher, callbacks through
// Callbacks.
//
// The package does not enroll devices, does not issue tokens and does not check who may call the portal API.
package pushauth
