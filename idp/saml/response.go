package saml

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// The status codes that have a meaning of their own here (SAML Core §3.2.2.2).
const (
	statusPrefix      = "urn:oasis:names:tc:SAML:2.0:status:"
	statusSuccess     = statusPrefix + "Success"
	statusResponder   = statusPrefix + "Responder"
	statusAuthnFailed = statusPrefix + "AuthnFailed"
	statusNoPassive   = statusPrefix + "NoPassive"
	statusDenied      = statusPrefix + "RequestDenied"
)

const (
	methodBearer = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
	clockSkew    = time.Minute // how far the clocks of both sides may be apart
)

// refusal is why a response is not accepted, in words for the audit log.
type refusal string

func (r refusal) Error() string { return "response refused: " + string(r) }

// The refusals that are answered in their own way.
const (
	refusedReplay refusal = "assertion was used before"
	refusedStale  refusal = "authentication is older than asked for"
)

// statusError is a response that says that the user was not signed in.
type statusError struct {
	code  string // the most specific status code
	cause string // a word of the deployment's own; "" = none
}

func (e statusError) Error() string { return "status " + e.code }

// expectation is what a response has to fit.
type expectation struct {
	issuer       string // entity id of the identity provider
	audience     string // our entity id
	acs          string // where responses are to be sent
	answers      func(requestID string) bool
	certificates []*x509.Certificate
	decryption   *rsa.PrivateKey // nil = assertions are not encrypted to us
	encrypted    bool            // only encrypted assertions are accepted
	now          time.Time
	notBefore    time.Time     // the user must have proved herself since; zero = whenever
	maxAge       time.Duration // ... and at most so long ago; negative = whenever
}

// read takes a response apart and believes what is signed. Errors: a refusal, a statusError, errUnsigned, errAlgorithm,
// errSignature, errDecrypt, errDocument. With errSignature a fresh look at the metadata may help.
func (x expectation) read(encoded string) (assertion, error) {
	text, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(encoded), ""))
	if err != nil {
		return assertion{}, fmt.Errorf("%w: no base64", errDocument)
	}
	response, err := parseMessage(text)
	if err != nil {
		return assertion{}, err
	}
	if !is(response, nsProtocol, "Response") {
		return assertion{}, fmt.Errorf("%w: no response", errDocument)
	}
	authentic := false
	switch signed, err := verified(response, x.certificates, x.now); {
	case err == nil:
		response, authentic = signed, true
	case !errors.Is(err, errUnsigned):
		return assertion{}, err
	}
	if err := x.checkResponse(response, authentic); err != nil {
		return assertion{}, err
	}
	e, err := x.assertionIn(response, authentic)
	if err != nil {
		return assertion{}, err
	}
	return x.checkAssertion(e)
}

// checkResponse checks the envelope.
func (x expectation) checkResponse(response *etree.Element, authentic bool) error {
	destination, issuers := attribute(response, "Destination"), children(response, nsAssertion, "Issuer")
	switch {
	case attribute(response, "Version") != "2.0":
		return refusal("version")
	case destination != x.acs && (destination != "" || authentic): // a signed message must name it (SAML Bindings §3.5.5.2)
		return refusal("destination")
	case !x.answers(attribute(response, "InResponseTo")):
		return refusal("in response to another request")
	case len(issuers) > 1:
		return refusal("issuer")
	}
	if len(issuers) == 1 && !x.issuedBy(issuers[0]) {
		return refusal("issuer")
	}
	return statusOf(response)
}

// issuedBy compares an Issuer, whose format is an entity id (SAML Core §2.2.5).
func (x expectation) issuedBy(issuer *etree.Element) bool {
	name, ok := content(issuer)
	format := attribute(issuer, "Format")
	return ok && name == x.issuer && (format == "" || format == "urn:oasis:names:tc:SAML:2.0:nameid-format:entity")
}

// statusOf returns nil for success, else a statusError.
func statusOf(response *etree.Element) error {
	status := only(response, nsProtocol, "Status")
	code := only(status, nsProtocol, "StatusCode")
	value := attribute(code, "Value")
	switch value {
	case "":
		return refusal("no status")
	case statusSuccess:
		return nil
	}
	if finer := attribute(only(code, nsProtocol, "StatusCode"), "Value"); finer != "" {
		value = finer
	}
	if !plainStatus(value) {
		value = statusResponder
	}
	message, _ := content(only(status, nsProtocol, "StatusMessage"))
	if !causeWord(message) {
		message = ""
	}
	return statusError{code: value, cause: message}
}

// plainStatus keeps what is not a URN out of redirects.
func plainStatus(value string) bool {
	const longest = 128
	return len(value) <= longest && strings.HasPrefix(value, "urn:") && !strings.ContainsFunc(value, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"<>\^{|}`, r)
	})
}

// causeWord tells whether a status message is a word for programs, such as no_existing_customer, and not for people.
func causeWord(message string) bool {
	const longest = 64
	return message != "" && len(message) <= longest && !strings.ContainsFunc(message, func(r rune) bool {
		return r != '_' && r != '-' && r != '.' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
	})
}

// assertionIn returns the one assertion of a response, as it was signed: by itself, or with the response around it.
func (x expectation) assertionIn(response *etree.Element, authentic bool) (*etree.Element, error) {
	plain, encrypted := children(response, nsAssertion, "Assertion"), children(response, nsAssertion, "EncryptedAssertion")
	all := count(response, nsAssertion, "Assertion") + count(response, nsAssertion, "EncryptedAssertion")
	if all != 1 || len(plain)+len(encrypted) != 1 {
		return nil, refusal("not exactly one assertion")
	}
	var e *etree.Element
	if len(encrypted) == 1 {
		opened, err := decrypted(encrypted[0], x.decryption, authentic)
		if err != nil {
			return nil, err
		}
		if count(opened, nsAssertion, "Assertion") != 1 || count(opened, nsAssertion, "EncryptedAssertion") != 0 {
			return nil, refusal("not exactly one assertion")
		}
		e = opened
	} else {
		if x.encrypted {
			return nil, refusal("assertion is not encrypted")
		}
		e = plain[0]
	}
	signed, err := verified(e, x.certificates, x.now)
	switch {
	case err == nil:
		return signed, nil
	case errors.Is(err, errUnsigned) && authentic:
		return e, nil
	}
	return nil, err
}

// checkAssertion checks an assertion that can be believed (SAML Profiles §4.1.4.3) and takes out what it says.
func (x expectation) checkAssertion(e *etree.Element) (assertion, error) {
	if attribute(e, "Version") != "2.0" || attribute(e, "ID") == "" {
		return assertion{}, refusal("version")
	}
	issuer := only(e, nsAssertion, "Issuer")
	if issuer == nil || !x.issuedBy(issuer) {
		return assertion{}, refusal("issuer")
	}
	until, err := x.checkSubject(only(e, nsAssertion, "Subject"))
	if err != nil {
		return assertion{}, err
	}
	if err := x.checkConditions(only(e, nsAssertion, "Conditions")); err != nil {
		return assertion{}, err
	}
	found, err := x.statements(e)
	if err != nil {
		return assertion{}, err
	}
	found.id, found.until = attribute(e, "ID"), until
	return found, nil
}

// checkSubject looks for the confirmation that the bearer at our address answers our request, and returns until when it holds.
func (x expectation) checkSubject(subject *etree.Element) (until time.Time, err error) {
	if subject == nil {
		return time.Time{}, refusal("no subject")
	}
	err = refusal("no bearer confirmation")
	for _, confirmation := range children(subject, nsAssertion, "SubjectConfirmation") {
		if attribute(confirmation, "Method") != methodBearer {
			continue
		}
		data := only(confirmation, nsAssertion, "SubjectConfirmationData")
		before, beforeErr := moment(data, "NotBefore")
		after, afterErr := moment(data, "NotOnOrAfter")
		switch {
		case beforeErr != nil || afterErr != nil || after.IsZero():
			err = refusal("confirmation without end")
		case attribute(data, "Recipient") != x.acs:
			err = refusal("recipient")
		case !x.answers(attribute(data, "InResponseTo")):
			err = refusal("in response to another request")
		default:
			if err = x.within(before, after); err == nil {
				return after, nil
			}
		}
	}
	return time.Time{}, err
}

// within compares a time span with the clock.
func (x expectation) within(before, after time.Time) error {
	switch {
	case !before.IsZero() && x.now.Add(clockSkew).Before(before):
		return refusal("not yet valid")
	case !after.IsZero() && !x.now.Add(-clockSkew).Before(after):
		return refusal("expired")
	}
	return nil
}

func (x expectation) checkConditions(conditions *etree.Element) error {
	if conditions == nil {
		return refusal("no conditions")
	}
	before, err := moment(conditions, "NotBefore")
	if err != nil {
		return err
	}
	after, err := moment(conditions, "NotOnOrAfter")
	if err != nil {
		return err
	}
	if err := x.within(before, after); err != nil {
		return err
	}
	restrictions := children(conditions, nsAssertion, "AudienceRestriction")
	if len(restrictions) == 0 {
		return refusal("audience")
	}
	for _, restriction := range restrictions { // all must fit, of each one of its audiences (SAML Core §2.5.1.4)
		if !slices.ContainsFunc(children(restriction, nsAssertion, "Audience"), func(e *etree.Element) bool {
			name, ok := content(e)
			return ok && name == x.audience
		}) {
			return refusal("audience")
		}
	}
	for _, condition := range conditions.ChildElements() {
		switch condition.Tag {
		case "AudienceRestriction", "OneTimeUse", "ProxyRestriction":
		default:
			return refusal("condition that is not understood")
		}
	}
	return nil
}
