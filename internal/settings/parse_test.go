package settings_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"tokenserver/internal/settings"
)

func TestParseIsStrict(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "empty", "\n")
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", ""},
		{"a comment", "# nothing\n", ""},
		{"unknown key", "scopes:\n  - id: read\n    usagelimit: 1\n", `[3:5] unknown field "usagelimit"`},
		{"unknown list", "scope: []\n", `[1:1] unknown field "scope"`},
		{"repeated key", "scopes: []\nscopes: []\n", `[2:1] mapping key "scopes" already defined at [1:1]`},
		{"wrong kind", "scopes: 7\n", "[1:9] the value of scopes is not of the kind that belongs there: want a list: [a, b], or lines that begin with -"},
		{"text for a number", "scopes:\n  - {id: a, usage_limit: many}\n", "[2:26] the value of usage_limit is not of the kind that belongs there: want a whole number"},
		{"text for a switch", "scopes:\n  - id: a\n    persistent_consent: yess\n", "[3:25] the value of persistent_consent is not of the kind that belongs there: want true or false"},
		{"text for a list", "web_clients:\n  - client_id: a\n    grant_types: DEVICE_CODE\n", "[3:18] the value of grant_types is not of the kind that belongs there: want a list"},
		{"list for a section", "oauth: []\n", "[1:8] the value of oauth is not of the kind that belongs there: want keys with their values"},
		{"text in place of an entry", "scopes: [openid]\n", "[1:10] a value is not of the kind that belongs there: want keys with their values"},
		{"two documents", "scopes: []\n---\nscopes: []\n", "want one YAML document"},
		{"alias", "scopes: &s []\npin_policies: *s\n", "anchors, aliases and merge keys are not accepted"},
		{"no YAML", "scopes: [\n", "["},
		{"secret form", "users:\n  - {id: a, username: a, password: {secret: x}}\n", "want the text itself, {file: PATH}, {env: NAME} or {redacted: true}"},
		{"two forms", "users:\n  - {id: a, username: a, password: {env: A, file: b}}\n", "want the text itself"},
		{"no file", "users:\n  - {id: a, username: a, password: {file: none}}\n", "users[0].password: open "},
		{"empty file", "users:\n  - {id: a, username: a, password: {file: empty}}\n", "users[0].password: "},
		{"no variable", "callbacks:\n  - {url: 'https://a', username: a, password: {env: SETTINGS_TEST_NONE}}\n", "callbacks[0].password: environment variable SETTINGS_TEST_NONE is not set"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := settings.Parse([]byte(tc.text), dir)
			if (err == nil) != (tc.want == "") || (err != nil && !strings.Contains(err.Error(), tc.want)) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestParseShowsNoSecret(t *testing.T) {
	_, err := settings.Parse([]byte("users:\n  - id: a\n    password: hidden\n    pasword: hidden\n"), "")
	if err == nil || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v, want an error that does not quote the document", err)
	}
}

func TestJSONTakesNoFiles(t *testing.T) {
	for text, want := range map[string]bool{
		`"text"`:                    true,
		`{"redacted":true}`:         true,
		`null`:                      true,
		`{"redacted":false}`:        false,
		`{"file":"/etc/passwd"}`:    false,
		`{"env":"HOME"}`:            false,
		`{"redacted":true,"x":"y"}`: false,
		`7`:                         false,
	} {
		var s settings.Secret
		if err := json.Unmarshal([]byte(text), &s); (err == nil) != want {
			t.Errorf("%s: %v, want accepted = %t", text, err, want)
		}
	}
}

// FuzzParse: whatever the bytes are, nothing panics, and what parses and is written as YAML parses to the same again.
func FuzzParse(f *testing.F) {
	f.Add([]byte("scopes:\n  - {id: read, usage_limit: 1}\n"))
	f.Add([]byte(`{"users":[{"id":"a","username":"a","password":{"redacted":true},"attributes":{"name":"A"}}]}`))
	f.Add([]byte("applications:\n  - id: bank\n    versions: [{platform: ios, version: '1'}]\n    max_pin_failures: 0\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if bytes.Contains(text, []byte("file")) {
			return // the fuzzer does not read what it finds on this machine
		}
		d, err := settings.Parse(text, t.TempDir())
		if err != nil {
			return
		}
		_ = d.Validate()
		var once, twice bytes.Buffer
		if err := d.WriteYAML(&once); err != nil {
			t.Fatal(err)
		}
		back, err := settings.Parse(once.Bytes(), "")
		if err != nil {
			t.Fatalf("%v\n%s", err, once.String())
		}
		if err := back.WriteYAML(&twice); err != nil {
			t.Fatal(err)
		}
		if once.String() != twice.String() {
			t.Errorf("written, read and written again:\n%s\nnot\n%s", twice.String(), once.String())
		}
	})
}
