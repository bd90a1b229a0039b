package saml

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

// How a signature is no proof.
var (
	errUnsigned  = errors.New("not signed")
	errSignature = errors.New("signature is not valid")
	errAlgorithm = errors.New("signature algorithm is not accepted")
)

const excC14N = "http://www.w3.org/2001/10/xml-exc-c14n#"

// canonicalizations are those without comments.
func canonicalizations() []string {
	return []string{
		excC14N, dsig.CanonicalXML11AlgorithmId.String(), dsig.CanonicalXML10RecAlgorithmId.String(),
	}
}

// signatureMethods are those without SHA-1.
func signatureMethods() []string {
	return []string{
		dsig.RSASHA256SignatureMethod, dsig.RSASHA384SignatureMethod, dsig.RSASHA512SignatureMethod,
		dsig.ECDSASHA256SignatureMethod, dsig.ECDSASHA384SignatureMethod, dsig.ECDSASHA512SignatureMethod,
	}
}

func digestMethods() []string {
	return []string{
		"http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmldsig-more#sha384", "http://www.w3.org/2001/04/xmlenc#sha512",
	}
}

// verified checks the enveloped signature of an element and returns the element as it was signed: read anew from the
// canonical bytes whose digest the signature holds. Whatever else stood in the document is not in it. Keys come from the
// metadata alone; what a signature says about its key is ignored.
// Errors: errUnsigned, errAlgorithm, errSignature.
func verified(e *etree.Element, certificates []*x509.Certificate, now time.Time) (*etree.Element, error) {
	scope, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSignature, err)
	}
	alone, err := etreeutils.NSDetatch(scope, e) // with the namespaces that it stood in
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSignature, err)
	}
	signatures := children(alone, nsSignature, "Signature")
	switch {
	case len(signatures) == 0:
		return nil, errUnsigned
	case len(signatures) > 1:
		return nil, fmt.Errorf("%w: several", errSignature)
	}
	if err := judgeForm(alone, signatures[0]); err != nil {
		return nil, err
	}
	for _, info := range children(signatures[0], nsSignature, "KeyInfo") {
		signatures[0].RemoveChild(info)
	}
	err = errors.New("no key in the metadata")
	for _, certificate := range certificates {
		check := dsig.ValidationContext{
			CertificateStore: &dsig.MemoryX509CertificateStore{Roots: []*x509.Certificate{certificate}},
			IdAttribute:      "ID", Clock: dsig.NewFakeClockAt(now),
		}
		var signed *etree.Element
		if signed, err = check.Validate(alone); err == nil {
			if !is(signed, e.NamespaceURI(), e.Tag) || attribute(signed, "ID") != attribute(e, "ID") {
				return nil, fmt.Errorf("%w: covers something else", errSignature)
			}
			return signed, nil
		}
	}
	return nil, fmt.Errorf("%w: %w", errSignature, err)
}

// judgeForm allows signatures of the one form that SAML uses (SAML Core §5.4): one reference, to the element around the
// signature, enveloped and canonicalized, with algorithms that still hold.
func judgeForm(around, signature *etree.Element) error {
	info := only(signature, nsSignature, "SignedInfo")
	reference := only(info, nsSignature, "Reference")
	id := attribute(around, "ID")
	if reference == nil || id == "" || attribute(reference, "URI") != "#"+id {
		return fmt.Errorf("%w: reference", errSignature)
	}
	if count(signature, nsSignature, "Object") > 0 || count(signature, nsSignature, "Signature") > 1 {
		return fmt.Errorf("%w: it holds more than a signature", errSignature)
	}
	method := attribute(only(info, nsSignature, "SignatureMethod"), "Algorithm")
	digest := attribute(only(reference, nsSignature, "DigestMethod"), "Algorithm")
	if !slices.Contains(signatureMethods(), method) || !slices.Contains(digestMethods(), digest) {
		return errAlgorithm
	}
	if !slices.Contains(canonicalizations(), attribute(only(info, nsSignature, "CanonicalizationMethod"), "Algorithm")) {
		return fmt.Errorf("%w: canonicalization", errAlgorithm)
	}
	transforms := children(only(reference, nsSignature, "Transforms"), nsSignature, "Transform")
	if len(transforms) != 2 || attribute(transforms[0], "Algorithm") != dsig.EnvelopedSignatureAltorithmId.String() ||
		!slices.Contains(canonicalizations(), attribute(transforms[1], "Algorithm")) {
		return fmt.Errorf("%w: transforms", errAlgorithm)
	}
	return nil
}

// sign puts an enveloped signature into an element, behind its Issuer, where the schema wants it.
func sign(e *etree.Element, key *rsa.PrivateKey, certificate *x509.Certificate) (*etree.Element, error) {
	context, err := dsig.NewSigningContext(key, [][]byte{certificate.Raw})
	if err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	context.Hash = crypto.SHA256
	context.Canonicalizer = dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("")
	signature, err := context.ConstructSignature(e, true)
	if err != nil {
		return nil, fmt.Errorf("sign message: %w", err)
	}
	signed := e.Copy()
	at := 0
	if issuer := only(signed, nsAssertion, "Issuer"); issuer != nil {
		at = issuer.Index() + 1
	}
	signed.InsertChildAt(at, signature)
	return signed, nil
}
