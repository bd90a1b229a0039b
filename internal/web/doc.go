// Package web is the shell around every handler: it gives a request its trail, buffers the answer, turns a returned
// error into event, log line and answer, and commits what is still pending before the first byte leaves. Handlers
// bind their input through it (BindJSON, BindForm, BearerToken, BasicCredentials) and know nothing else of HTTP
// plumbing. Unknown routes and wrong methods are answered here, without an event.
package web
