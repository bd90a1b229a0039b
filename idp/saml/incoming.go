package saml

import (
	"bytes"
	"compress/flate"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/labstack/echo/v4"
	dsig "github.com/russellhaering/goxmldsig"

	"tokenserver/internal/web"
)

// The parameters of messages.
const (
	parameterRequest  = "SAMLRequest"
	parameterResponse = "SAMLResponse"
	parameterRelay    = "RelayState"
)

// maxQuery bounds the query of a redirect.
const maxQuery = 16 << 10 // bytes

// incoming is a message that the browser carried here by one of two bindings.
type incoming struct {
	root       *etree.Element
	isResponse bool
	relayState string

	signed    []byte // by redirect: what the signature covers
	algorithm string
	signature []byte
	byPost    bool
}

// receive reads a message. Errors: errDocument.
func receive(c echo.Context) (incoming, error) {
	if c.Request().Method == http.MethodPost {
		return receivePost(c)
	}
	return receiveRedirect(c.Request().URL.RawQuery)
}

func receivePost(c echo.Context) (incoming, error) {
	form, err := web.BindForm(c)
	if err != nil {
		return incoming{}, fmt.Errorf("%w: %w", errDocument, err)
	}
	m := incoming{byPost: true, relayState: form[parameterRelay], isResponse: form[parameterResponse] != ""}
	encoded := form[parameterRequest]
	if m.isResponse {
		if encoded != "" {
			return incoming{}, fmt.Errorf("%w: request and response at once", errDocument)
		}
		encoded = form[parameterResponse]
	}
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
	if err != nil {
		return incoming{}, fmt.Errorf("%w: no base64", errDocument)
	}
	m.root, err = parseMessage(text)
	return m, err
}

// receiveRedirect reads a query (SAML Bindings §3.4.4.1). The signature covers the parameters as they were encoded, so
// they are kept that way.
func receiveRedirect(query string) (incoming, error) {
	if len(query) > maxQuery {
		return incoming{}, fmt.Errorf("%w: query too long", errDocument)
	}
	raw := map[string]string{}
	for _, pair := range strings.Split(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if _, repeated := raw[name]; repeated {
			return incoming{}, fmt.Errorf("%w: repeated parameter", errDocument)
		}
		raw[name] = value
	}
	_, isResponse := raw[parameterResponse]
	_, isRequest := raw[parameterRequest]
	if isResponse == isRequest {
		return incoming{}, fmt.Errorf("%w: want a request or a response", errDocument)
	}
	name := parameterRequest
	if isResponse {
		name = parameterResponse
	}
	m := incoming{isResponse: isResponse}
	var encoded, signature string
	var err error
	for parameter, value := range map[string]*string{
		name: &encoded, parameterRelay: &m.relayState, "SigAlg": &m.algorithm, "Signature": &signature,
	} {
		if *value, err = url.QueryUnescape(raw[parameter]); err != nil || !web.IsText(*value) {
			return incoming{}, fmt.Errorf("%w: query", errDocument)
		}
	}
	covered := name + "=" + raw[name]
	if relay, has := raw[parameterRelay]; has {
		covered += "&" + parameterRelay + "=" + relay
	}
	m.signed = []byte(covered + "&SigAlg=" + raw["SigAlg"])
	if m.signature, err = base64.StdEncoding.DecodeString(signature); err != nil {
		return incoming{}, fmt.Errorf("%w: signature is no base64", errDocument)
	}
	m.root, err = inflate(encoded)
	return m, err
}

// inflate reads a deflated message, and stops where no message goes on.
func inflate(encoded string) (*etree.Element, error) {
	small, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: no base64", errDocument)
	}
	text, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(small)), maxMessage+1))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDocument, err)
	}
	return parseMessage(text)
}

// proved returns the message as it was signed. Errors: errUnsigned, errAlgorithm, errSignature.
func (m incoming) proved(certificates []*x509.Certificate, now time.Time) (*etree.Element, error) {
	if m.byPost {
		return verified(m.root, certificates, now)
	}
	if len(m.signature) == 0 {
		return nil, errUnsigned
	}
	algorithm, known := queryAlgorithm(m.algorithm)
	if !known {
		return nil, errAlgorithm
	}
	err := errors.New("no key in the metadata")
	for _, certificate := range certificates {
		if now.Before(certificate.NotBefore) || now.After(certificate.NotAfter) {
			continue
		}
		if err = certificate.CheckSignature(algorithm, m.signed, m.signature); err == nil {
			return m.root, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", errSignature, err)
}

// queryAlgorithm is one of signatureMethods, as package x509 calls it.
func queryAlgorithm(method string) (x509.SignatureAlgorithm, bool) {
	switch method {
	case dsig.RSASHA256SignatureMethod:
		return x509.SHA256WithRSA, true
	case dsig.RSASHA384SignatureMethod:
		return x509.SHA384WithRSA, true
	case dsig.RSASHA512SignatureMethod:
		return x509.SHA512WithRSA, true
	}
	return 0, false
}
