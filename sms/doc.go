// Package sms sends text messages through a gateway: any service that honours a small HTTP contract, or Twilio.
//
// Sender chooses the gateway and the sender that the settings name, tries one sender after the other, and says in three words why
// a message did not leave: the number is refused, the gateway throttles, the gateway is down. A further gateway is one more file
// with a type that implements Gateway, and its row in the table of makers.
//
// The package makes no codes, keeps nothing, and serves no endpoint: what a message is for is its callers' affair. That a gateway
// has taken a message does not say that a phone has got it.
package sms
