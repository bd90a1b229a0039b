package saml

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"

	"tokenserver/internal/settings"
)

// errNoKey is returned when a key pair is not set up.
var errNoKey = errors.New("no key pair")

// pair is a private key and the certificate that shows its public half.
type pair struct {
	key         *rsa.PrivateKey
	certificate *x509.Certificate
}

// signingPair reads the key pair with which messages are signed. Errors: errNoKey when there is none.
func signingPair(s *settings.SAMLServiceProvider) (pair, error) {
	return readPair(s.SigningKey.Reveal(), s.SigningCertificate)
}

// decryptionPair reads the key pair to which identity providers encrypt assertions. Errors: errNoKey when there is none.
func decryptionPair(s *settings.SAMLServiceProvider) (pair, error) {
	return readPair(s.DecryptionKey.Reveal(), s.DecryptionCertificate)
}

func readPair(key, certificate string) (pair, error) {
	if key == "" || certificate == "" {
		return pair{}, errNoKey
	}
	block, _ := pem.Decode([]byte(key))
	if block == nil {
		return pair{}, errors.New("private key is no PEM")
	}
	private, err := readRSA(block)
	if err != nil {
		return pair{}, err
	}
	shown, _ := pem.Decode([]byte(certificate))
	if shown == nil || shown.Type != "CERTIFICATE" {
		return pair{}, errors.New("certificate is no PEM")
	}
	c, err := x509.ParseCertificate(shown.Bytes)
	if err != nil {
		return pair{}, fmt.Errorf("certificate: %w", err)
	}
	if !private.PublicKey.Equal(c.PublicKey) {
		return pair{}, errors.New("certificate and private key do not belong together")
	}
	return pair{private, c}, nil
}

// readRSA reads PKCS #1 and PKCS #8.
func readRSA(block *pem.Block) (*rsa.PrivateKey, error) {
	if block.Type == "RSA PRIVATE KEY" {
		key, err := x509.ParsePKCS1PrivateKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("private key: %w", err)
		}
		return key, nil
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("private key: %w", err)
	}
	private, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("private key is not RSA")
	}
	return private, nil
}
