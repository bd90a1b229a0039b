package saml

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
)

// outgoing is a message on its way through the browser.
type outgoing struct {
	document   *etree.Element
	parameter  string // parameterRequest or parameterResponse
	relayState string
}

// fields returns the form of a message, which is signed inside (SAML Bindings §3.5.4).
func (m outgoing) fields(keys pair) (url.Values, error) {
	signed, err := sign(m.document, keys.key, keys.certificate)
	if err != nil {
		return nil, err
	}
	text, err := bytesOf(signed)
	if err != nil {
		return nil, err
	}
	form := url.Values{m.parameter: {base64.StdEncoding.EncodeToString(text)}}
	if m.relayState != "" {
		form.Set(parameterRelay, m.relayState)
	}
	return form, nil
}

// redirect returns the address with the message and its signature in the query (SAML Bindings §3.4.4.1).
func (m outgoing) redirect(to string, key *rsa.PrivateKey) (string, error) {
	text, err := bytesOf(m.document)
	if err != nil {
		return "", err
	}
	var small bytes.Buffer
	w, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		return "", fmt.Errorf("deflate message: %w", err)
	}
	if _, err := w.Write(text); err != nil {
		return "", fmt.Errorf("deflate message: %w", err)
	}
	if err := w.Close(); err != nil {
		return "", fmt.Errorf("deflate message: %w", err)
	}
	query := m.parameter + "=" + url.QueryEscape(base64.StdEncoding.EncodeToString(small.Bytes()))
	if m.relayState != "" {
		query += "&RelayState=" + url.QueryEscape(m.relayState)
	}
	query += "&SigAlg=" + url.QueryEscape(dsig.RSASHA256SignatureMethod)
	digest := sha256.Sum256([]byte(query))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
	if err != nil {
		return "", fmt.Errorf("sign message: %w", err)
	}
	separator := "?"
	if strings.Contains(to, "?") {
		separator = "&"
	}
	return to + separator + query + "&Signature=" + url.QueryEscape(base64.StdEncoding.EncodeToString(signature)), nil
}
