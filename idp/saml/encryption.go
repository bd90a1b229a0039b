package saml

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	_ "crypto/sha1" //nolint:gosec // RSA-OAEP of XML Encryption: the mask of OAEP does not need collision resistance
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/beevik/etree"
)

// errDecrypt is all that is said about an assertion that does not open: finer words would help whoever tries.
var errDecrypt = errors.New("assertion cannot be decrypted")

const (
	oaepMGF1P = nsEncryption + "rsa-oaep-mgf1p"
	oaep11    = nsEncrypt11 + "rsa-oaep"
	aes128GCM = nsEncrypt11 + "aes128-gcm"
	aes256GCM = nsEncrypt11 + "aes256-gcm"
	aes128CBC = nsEncryption + "aes128-cbc"
	aes256CBC = nsEncryption + "aes256-cbc"
)

// decrypted opens an EncryptedAssertion (XML Encryption 1.1): AES-GCM under a key that was encrypted to ours by RSA-OAEP.
// AES-CBC has no integrity of its own and is accepted only when a signature around it has been verified (authentic):
// anybody could else ask, message by message, how the padding of a changed text looks.
func decrypted(encrypted *etree.Element, key *rsa.PrivateKey, authentic bool) (*etree.Element, error) {
	data := only(encrypted, nsEncryption, "EncryptedData")
	method := attribute(only(data, nsEncryption, "EncryptionMethod"), "Algorithm")
	size, chained := cipherOf(method)
	if key == nil || size == 0 || chained && !authentic {
		return nil, errDecrypt
	}
	wrapped := only(only(data, nsSignature, "KeyInfo"), nsEncryption, "EncryptedKey")
	if wrapped == nil {
		wrapped = only(encrypted, nsEncryption, "EncryptedKey") // beside the data
	}
	secret, err := unwrapped(wrapped, key)
	if err != nil || len(secret) != size {
		return nil, errDecrypt
	}
	sealed, err := cipherValue(data)
	if err != nil {
		return nil, errDecrypt
	}
	open := openGCM
	if chained {
		open = openCBC
	}
	clear, err := open(secret, sealed)
	if err != nil {
		return nil, errDecrypt
	}
	assertion, err := parseMessage(clear)
	if err != nil || !is(assertion, nsAssertion, "Assertion") {
		return nil, errDecrypt
	}
	return assertion, nil
}

// cipherOf returns the key size in bytes, 0 = not accepted.
func cipherOf(method string) (size int, chained bool) {
	switch method {
	case aes128GCM:
		return 16, false
	case aes256GCM:
		return 32, false
	case aes128CBC:
		return 16, true
	case aes256CBC:
		return 32, true
	}
	return 0, false
}

// unwrapped decrypts the key of the data. PKCS #1 v1.5 is not accepted.
func unwrapped(wrapped *etree.Element, key *rsa.PrivateKey) ([]byte, error) {
	method := only(wrapped, nsEncryption, "EncryptionMethod")
	hash, ok := hashOf(attribute(only(method, nsSignature, "DigestMethod"), "Algorithm"))
	mask := crypto.SHA1
	switch attribute(method, "Algorithm") {
	case oaepMGF1P:
	case oaep11:
		var known bool
		mask, known = maskOf(attribute(only(method, nsEncrypt11, "MGF"), "Algorithm"))
		ok = ok && known
	default:
		ok = false
	}
	if !ok || only(method, nsEncryption, "OAEPparams") != nil {
		return nil, errDecrypt
	}
	sealed, err := cipherValue(wrapped)
	if err != nil {
		return nil, err
	}
	secret, err := key.Decrypt(nil, sealed, &rsa.OAEPOptions{Hash: hash, MGFHash: mask})
	if err != nil {
		return nil, fmt.Errorf("decrypt key: %w", err)
	}
	return secret, nil
}

func hashOf(algorithm string) (crypto.Hash, bool) {
	switch algorithm {
	case "", "http://www.w3.org/2000/09/xmldsig#sha1":
		return crypto.SHA1, true
	case nsEncryption + "sha256":
		return crypto.SHA256, true
	case nsEncryption + "sha512":
		return crypto.SHA512, true
	}
	return 0, false
}

func maskOf(algorithm string) (crypto.Hash, bool) {
	switch algorithm {
	case "", nsEncrypt11 + "mgf1sha1":
		return crypto.SHA1, true
	case nsEncrypt11 + "mgf1sha256":
		return crypto.SHA256, true
	case nsEncrypt11 + "mgf1sha512":
		return crypto.SHA512, true
	}
	return 0, false
}

func cipherValue(e *etree.Element) ([]byte, error) {
	text, ok := content(only(only(e, nsEncryption, "CipherData"), nsEncryption, "CipherValue"))
	if !ok {
		return nil, errDecrypt
	}
	value, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, fmt.Errorf("cipher value: %w", err)
	}
	return value, nil
}

// openGCM: 96 bits of nonce, then the text, then 128 bits of tag (XML Encryption 1.1 §5.2.4).
func openGCM(secret, sealed []byte) ([]byte, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("AES: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, fmt.Errorf("AES-GCM: %w", err)
	}
	if len(sealed) < aead.NonceSize() {
		return nil, errDecrypt
	}
	clear, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil)
	if err != nil {
		return nil, fmt.Errorf("AES-GCM: %w", err)
	}
	return clear, nil
}

// openCBC: the last byte says how much of the last block is padding (XML Encryption §5.2).
func openCBC(secret, sealed []byte) ([]byte, error) {
	block, err := aes.NewCipher(secret)
	if err != nil {
		return nil, fmt.Errorf("AES: %w", err)
	}
	if len(sealed) < 2*aes.BlockSize || len(sealed)%aes.BlockSize != 0 {
		return nil, errDecrypt
	}
	clear := make([]byte, len(sealed)-aes.BlockSize)
	cipher.NewCBCDecrypter(block, sealed[:aes.BlockSize]).CryptBlocks(clear, sealed[aes.BlockSize:])
	padding := int(clear[len(clear)-1])
	if padding == 0 || padding > aes.BlockSize {
		return nil, errDecrypt
	}
	return clear[:len(clear)-padding], nil
}
