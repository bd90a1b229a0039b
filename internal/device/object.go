package device

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// strict is base64url without padding that refuses stray bits: each value has one spelling.
func strict() *base64.Encoding { return base64.RawURLEncoding.Strict() }

// texts reads an object whose members are all texts, each under one of the names; object members are left out when
// named in other.
func texts(members map[string]json.RawMessage, names map[string]*string, other ...string) error {
	left := len(members)
	for name, into := range names {
		raw, ok := members[name]
		if !ok {
			continue
		}
		left--
		if err := json.Unmarshal(raw, into); err != nil || string(raw) == "null" {
			return errors.New("a member is not a text")
		}
	}
	for _, name := range other {
		if _, ok := members[name]; ok {
			left--
		}
	}
	if left != 0 {
		return errors.New("an unknown member")
	}
	return nil
}

const maxIdentifier = 64

// identifier tells whether a kid has the form of ours: UUIDs and thumbprints. Foreign bytes do not reach the stores.
func identifier(s string) bool {
	return s != "" && len(s) <= maxIdentifier &&
		strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.") == ""
}
