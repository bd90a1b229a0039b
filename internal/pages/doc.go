// Package pages renders what people see in a browser: sign-in, consent, the way back into the app, errors. Server-side
// HTML that works without scripts, in English, Dutch, German and French, by keyboard and screen reader, light and dark.
//
// Every page carries a strict Content-Security-Policy: no inline script or style, no frame around it, forms go to this
// server and to the one origin that waits for the answer. Style and script are served under names that hold their hash.
package pages
