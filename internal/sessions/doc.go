// Package sessions keeps who is signed in at which browser: how long a session lasts, which clients got answers in it,
// and what happens when it ends before its time.
//
// A session is a record in Redis. That it has ended is decided in SQL, in one transaction with its events, the end of the
// tokens that go with it, and the jobs that tell the clients (OpenID Connect Back-Channel Logout 1.0); Redis follows.
package sessions
