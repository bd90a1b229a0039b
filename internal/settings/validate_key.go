package settings

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const (
	minRSABits = 2048
	maxRSABits = 4096
)

// ParsePublicKey reads the public key of a client: one PEM block, PUBLIC KEY or CERTIFICATE, with an RSA key of 2048 to
// 4096 bits, an elliptic one of 256 or more, or an Ed25519 one. It returns *rsa.PublicKey, *ecdsa.PublicKey or
// ed25519.PublicKey.
func ParsePublicKey(text string) (any, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("want one PEM block: -----BEGIN PUBLIC KEY-----")
	}
	var public any
	switch block.Type {
	case "PUBLIC KEY":
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, errors.New("the PEM block holds no public key that can be read")
		}
		public = parsed
	case "CERTIFICATE":
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, errors.New("the PEM block holds no certificate that can be read")
		}
		public = certificate.PublicKey
	default:
		return nil, fmt.Errorf("a PEM block %q is not accepted: want PUBLIC KEY", clip(block.Type))
	}
	switch k := public.(type) {
	case *rsa.PublicKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("an RSA key of %d bits is not accepted: want %d to %d", bits, minRSABits, maxRSABits)
		}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize < 256 {
			return nil, errors.New("want an elliptic key on P-256 or larger")
		}
	case ed25519.PublicKey:
	default:
		return nil, errors.New("want an RSA, an elliptic (P-256 or larger) or an Ed25519 key")
	}
	return public, nil
}

// ParsePrivateKey reads a private key that this server signs or decrypts with: one PEM block of PKCS #8, PKCS #1 or
// SEC 1, with an RSA key of 2048 to 4096 bits or an elliptic one of 256 or more. It returns *rsa.PrivateKey or
// *ecdsa.PrivateKey. Errors never quote the text.
func ParsePrivateKey(text string) (crypto.Signer, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("want one PEM block: -----BEGIN PRIVATE KEY-----")
	}
	var parsed any
	var err error
	switch block.Type {
	case "PRIVATE KEY":
		parsed, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		parsed, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		parsed, err = x509.ParseECPrivateKey(block.Bytes)
	default:
		return nil, fmt.Errorf("a PEM block %q is not accepted: want PRIVATE KEY", clip(block.Type))
	}
	if err != nil {
		return nil, errors.New("the PEM block holds no private key that can be read")
	}
	switch k := parsed.(type) {
	case *rsa.PrivateKey:
		if bits := k.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return nil, fmt.Errorf("an RSA key of %d bits is not accepted: want %d to %d", bits, minRSABits, maxRSABits)
		}
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve.Params().BitSize < 256 {
			return nil, errors.New("want an elliptic key on P-256 or larger")
		}
		return k, nil
	}
	return nil, errors.New("want an RSA or an elliptic (P-256 or larger) key")
}

// ParseCertificate reads one PEM block CERTIFICATE.
func ParseCertificate(text string) (*x509.Certificate, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != "CERTIFICATE" || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("want one PEM block: -----BEGIN CERTIFICATE-----")
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("the PEM block holds no certificate that can be read")
	}
	return certificate, nil
}
