package settings

// Secret is a value of the settings that the server must know in clear: a vendor key, a callback password. It prints
// as [redacted] and is sealed when stored. In YAML it is the text itself, or {file: PATH}, or {env: NAME}.
type Secret struct {
	clear string
}

// NewSecret wraps a value.
func NewSecret(clear string) Secret { return Secret{clear} }

// Reveal returns the value in clear.
func (s Secret) Reveal() string { return s.clear }

// Empty tells whether there is no value.
func (s Secret) Empty() bool { return s.clear == "" }

// String keeps the value out of logs.
func (s Secret) String() string {
	if s.Empty() {
		return ""
	}
	return "[redacted]"
}

// ClientSecret is the secret of a machine: only its keyed hash is kept once it has been applied.
type ClientSecret struct {
	Secret        // in a document that is being applied
	Digest []byte // keyed hash under the purpose "client-secret", in snapshots
}
