package device

// Refusal is why something a device sent is not accepted. Callers never tell the device which one it was; the audit
// event does, as its reason.
type Refusal string

// The refusals, in the order of the checks.
const (
	BadShape      Refusal = "shape" // not a compact JWS or JWE of this profile
	BadKey        Refusal = "key"   // not a public P-256 JWK
	UnknownKey    Refusal = "kid"   // no active enrollment has that id
	BadSignature  Refusal = "signature"
	BadType       Refusal = "typ"
	BadAudience   Refusal = "aud"
	BadTime       Refusal = "iat"
	BadID         Refusal = "jti"
	Replayed      Refusal = "replay" // the jti was used by another JWS of this key
	BadClaims     Refusal = "claims"
	Undecryptable Refusal = "decryption"
)

// Error prints the refusal for the server log.
func (r Refusal) Error() string { return "refused by the device protocol: " + string(r) }
