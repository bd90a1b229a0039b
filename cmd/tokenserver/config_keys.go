package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"tokenserver/internal/secret"
)

const (
	encryptionKeyBytes = 32
	encryptionKeyFile  = "encryption.key" // in the data folder
)

// newEncryptionKey makes a key-encryption key as the configuration writes it.
func newEncryptionKey() string {
	return base64.StdEncoding.EncodeToString(secret.Bytes(encryptionKeyBytes))
}

// parseKeys reads the key-encryption keys of the configuration, the current one first. Without a current one it returns
// the former ones alone. Messages never quote a key.
func parseKeys(current, former string) ([][]byte, error) {
	var keys [][]byte
	var problems []error
	if current != "" {
		k, err := parseKey(current)
		if err != nil {
			problems = append(problems, fmt.Errorf("keys.encryption_key: %w", err))
		}
		keys = append(keys, k)
	}
	for i, text := range strings.FieldsFunc(former, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) }) {
		k, err := parseKey(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("keys.former_keys: number %d: %w", i+1, err))
		}
		keys = append(keys, k)
	}
	return keys, errors.Join(problems...)
}

func parseKey(text string) ([]byte, error) {
	text = strings.TrimSpace(text)
	if k, err := hex.DecodeString(text); err == nil && len(k) == encryptionKeyBytes {
		return k, nil
	}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.RawStdEncoding, base64.URLEncoding, base64.RawURLEncoding} {
		if k, err := encoding.DecodeString(text); err == nil && len(k) == encryptionKeyBytes {
			return k, nil
		}
	}
	return nil, fmt.Errorf("want %d bytes in base64 or hex", encryptionKeyBytes)
}

// OpenKeys returns the keys of the server. Without a configured key-encryption key it uses the one in the data folder,
// which it makes at the first start, readable by the owner only; made tells that it did.
func (c *Config) OpenKeys() (keys *secret.Keys, made bool, err error) {
	all, err := parseKeys(c.Keys.EncryptionKey.Reveal(), c.Keys.FormerKeys.Reveal())
	if err != nil {
		return nil, false, err
	}
	if c.Keys.EncryptionKey.Empty() {
		current, isNew, err := c.storedKey()
		if err != nil {
			return nil, false, fmt.Errorf("encryption key: %w", err)
		}
		all, made = append([][]byte{current}, all...), isNew
	}
	keys, err = secret.NewKeys(all...)
	return keys, made, err
}

// storedKey reads the key of the data folder or makes it.
func (c *Config) storedKey() (k []byte, made bool, err error) {
	if err := c.makeDataDir(); err != nil {
		return nil, false, err
	}
	name := filepath.Join(c.DataDir, encryptionKeyFile)
	text, err := os.ReadFile(name)
	switch {
	case err == nil:
		k, err := parseKey(string(text))
		if err != nil {
			return nil, false, fmt.Errorf("%s: %w", name, err)
		}
		return k, false, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, false, err
	}
	made = true
	fresh := newEncryptionKey()
	if err := writeNew(name, fresh+"\n"); err != nil {
		if errors.Is(err, fs.ErrExist) { // another process was faster
			return c.storedKey()
		}
		return nil, false, err
	}
	k, err = parseKey(fresh)
	return k, made, err
}

// writeNew writes a file that must not exist, whole or not at all: a crash leaves no half of a key behind.
func writeNew(name, text string) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Link(f.Name(), name) // fails when name exists
}

// makeDataDir makes the data folder, readable by the owner only, when it is missing.
func (c *Config) makeDataDir() error {
	const ownerOnly = 0o700
	if err := os.MkdirAll(c.DataDir, ownerOnly); err != nil {
		return fmt.Errorf("data_dir: %w", err)
	}
	return nil
}
