// Package device knows the JOSE profile that devices and server speak in mobile authentication: which keys, which
// signatures, which encryption, and nothing besides. Enrollment and transactions build on it; it has no HTTP and no
// audit codes.
//
// Device to server: compact JWS, ES256 only, a header of alg, typ and either kid (the enrollment) or jwk (the first
// step), claims with aud, iat and jti. Both directions encrypt as compact JWE, ECDH-ES on P-256 with A256GCM, always
// sign first. What is not listed is refused: crit, jku, x5u, none, HS*, RS*, compression, party info.
package device
