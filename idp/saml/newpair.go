package saml

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// What a new key pair is like. Identity providers take the key out of our metadata and do not look at the dates, but some
// show them, so the certificate lives long.
const (
	newKeyBits = 3072
	pairLife   = 10 * 365 * 24 * time.Hour
	serialBits = 127
)

// NewPair makes a key pair for the settings: a private key (PKCS #8) and a self-signed certificate, both PEM.
func NewPair(commonName string, now time.Time) (key, certificate string, err error) {
	private, err := rsa.GenerateKey(rand.Reader, newKeyBits)
	if err != nil {
		return "", "", fmt.Errorf("make key pair: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), serialBits))
	if err != nil {
		return "", "", fmt.Errorf("make key pair: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: commonName}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(pairLife),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		return "", "", fmt.Errorf("make key pair: %w", err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return "", "", fmt.Errorf("make key pair: %w", err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})),
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}
