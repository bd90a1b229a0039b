package settings

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
)

// Secret is a value of the settings that the server must know in clear: a vendor key, a callback password. It prints
// as [redacted] and is sealed when stored. In YAML it is the text itself, or {file: PATH}, or {env: NAME}; the paths
// are relative to the document. An export shows {redacted: true}, which keeps what is stored when it is applied.
type Secret struct {
	clear string
	keep  bool   // {redacted: true}
	file  string // not read yet: see Parse
	env   string // not read yet
}

// NewSecret wraps a value.
func NewSecret(clear string) Secret { return Secret{clear: clear} }

// Redacted stands for whatever is stored at its place.
func Redacted() Secret { return Secret{keep: true} }

// Reveal returns the value in clear.
func (s Secret) Reveal() string { return s.clear }

// Empty tells whether there is no value.
func (s Secret) Empty() bool { return s.clear == "" }

// Kept tells whether the secret stands for whatever is stored.
func (s Secret) Kept() bool { return s.keep }

// IsZero tells whether nothing was written at all; encoders leave it out.
func (s Secret) IsZero() bool { return s == Secret{} }

// String keeps the value out of logs.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return "[redacted]"
}

// GoString keeps the value out of %#v.
func (s Secret) GoString() string { return s.String() }

// LogValue keeps the value out of slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// placeholder is what stands for a secret that is not shown.
type placeholder struct {
	Redacted bool `yaml:"redacted" json:"redacted"`
}

var errSecretForm = errors.New("want the text itself, {file: PATH}, {env: NAME} or {redacted: true}")

// UnmarshalYAML reads any of the forms.
func (s *Secret) UnmarshalYAML(unmarshal func(any) error) error {
	var text string
	if unmarshal(&text) == nil {
		*s = Secret{clear: text}
		return nil
	}
	var members map[string]any
	if err := unmarshal(&members); err != nil || len(members) != 1 {
		return errSecretForm
	}
	for name, value := range members {
		switch text, isText := value.(string); {
		case name == "redacted" && value == true:
			*s = Secret{keep: true}
		case name == "file" && isText && text != "":
			*s = Secret{file: text}
		case name == "env" && isText && text != "":
			*s = Secret{env: text}
		default:
			return errSecretForm
		}
	}
	return nil
}

// MarshalYAML never writes the value.
func (s Secret) MarshalYAML() (any, error) {
	if s.IsZero() {
		return nil, nil
	}
	return placeholder{true}, nil
}

// UnmarshalJSON reads a text or {"redacted":true}. Files and variables of the server cannot be named from outside.
func (s *Secret) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	switch {
	case bytes.Equal(data, []byte("null")):
		*s = Secret{}
	case len(data) > 0 && data[0] == '"':
		var text string
		if err := json.Unmarshal(data, &text); err != nil {
			return fmt.Errorf("secret: %w", err)
		}
		*s = Secret{clear: text}
	default:
		var w placeholder
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&w); err != nil || !w.Redacted {
			return errors.New(`secret: want a text or {"redacted": true}`)
		}
		*s = Secret{keep: true}
	}
	return nil
}

// MarshalJSON never writes the value.
func (s Secret) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	return []byte(`{"redacted":true}`), nil
}

// ClientSecret is the secret of a machine: only its keyed hash is kept once it has been applied.
type ClientSecret struct {
	Secret        // in a document that is being applied
	Digest []byte // keyed hash under the purpose "client-secret"; in snapshots
	Origin []byte // keyed hash of the imported hash that Digest replaced; in snapshots
}

// IsZero tells whether there is neither a secret nor a hash.
func (s ClientSecret) IsZero() bool { return s.Secret.IsZero() && len(s.Digest) == 0 }
