package device

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"
)

// strict is base64url without padding that refuses stray bits: each value has one spelling.
func strict() *base64.Encoding { return base64.RawURLEncoding.Strict() }

// object reads one JSON object. A repeated member is an error: encoding/json would silently take the last one.
func object(raw []byte) (map[string]json.RawMessage, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	if token, err := d.Token(); err != nil || token != json.Delim('{') {
		return nil, errors.New("not a JSON object")
	}
	members := map[string]json.RawMessage{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return nil, err
		}
		name, ok := token.(string)
		if !ok {
			return nil, errors.New("a member without a name")
		}
		if _, repeated := members[name]; repeated {
			return nil, errors.New("a repeated member")
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		members[name] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something after the object")
	}
	return members, nil
}

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
