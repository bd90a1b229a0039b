package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"tokenserver/internal/settings"
)

// TestKeysSAML: what the command prints are settings that are accepted as they stand.
func TestKeysSAML(t *testing.T) {
	s := newShell(t)
	for use, args := range map[string][]string{"signing": {"keys", "saml"}, "decryption": {"keys", "saml", "--decryption"}} {
		document, err := settings.Parse([]byte(s.ok(t, "", args...)), "")
		if err != nil {
			t.Fatalf("%s: %v", use, err)
		}
		key, certificate := document.SAML.SigningKey, document.SAML.SigningCertificate
		if use == "decryption" {
			key, certificate = document.SAML.DecryptionKey, document.SAML.DecryptionCertificate
		}
		if !strings.HasPrefix(key.Reveal(), "-----BEGIN PRIVATE KEY-----\n") || !strings.HasPrefix(certificate, "-----BEGIN CERTIFICATE-----\n") {
			t.Errorf("%s: key pair is missing", use)
		}
		path := filepath.Join(s.dir, use+".yaml")
		if err := os.WriteFile(path, []byte(s.ok(t, "", args...)), 0o600); err != nil {
			t.Fatal(err)
		}
		s.ok(t, "", "admin", "apply", "--dry-run", path) // ends with 0 when the document is valid
	}
}
