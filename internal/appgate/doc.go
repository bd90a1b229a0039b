// Package appgate holds the rules that decide whether a build of an app may talk to the server at all: the
// identification headers, the status of its version, the version of its operating system, the application signature,
// and which version an installation may enter without a proof.
//
// The values of the headers are self-asserted, so they only ever restrict: a lie may get a client refused, never let
// in. Registration, validation and upgrade run the whole gate and map its steps to their own codes; endpoints behind
// client authentication use Usable and Gate.Move.
package appgate
