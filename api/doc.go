// Package api serves the server-to-server APIs of portals and back ends, and decides who may call them: Access is the
// middleware in front of every such endpoint, also of those that other packages serve.
//
// It owns the API_ codes. It keeps nothing itself.
package api
