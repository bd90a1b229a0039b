package saml

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// The namespaces of what is read and written.
const (
	nsProtocol   = "urn:oasis:names:tc:SAML:2.0:protocol"
	nsAssertion  = "urn:oasis:names:tc:SAML:2.0:assertion"
	nsMetadata   = "urn:oasis:names:tc:SAML:2.0:metadata"
	nsSignature  = "http://www.w3.org/2000/09/xmldsig#"
	nsEncryption = "http://www.w3.org/2001/04/xmlenc#"
	nsEncrypt11  = "http://www.w3.org/2009/xmlenc11#"
)

// The limits of one document.
const (
	maxDepth      = 48
	maxElements   = 5000
	maxAttributes = 32       // of one element
	maxMessage    = 64 << 10 // bytes of a message
	maxMetadata   = 1 << 20
)

// errDocument is returned for what is no XML, or XML of a kind that no SAML message needs.
var errDocument = errors.New("document is not acceptable")

// parseMessage reads a protocol message. Comments are refused with the rest: they have made readers see different texts.
func parseMessage(text []byte) (*etree.Element, error) {
	return parse(text, maxMessage, false)
}

// parse reads one document after it has been looked through for what parsers and verifiers have disagreed about: document
// types and with them entities, processing instructions, other encodings than UTF-8, repeated attributes, ids that are
// not unique, and sizes nobody needs.
func parse(text []byte, most int, comments bool) (*etree.Element, error) {
	if len(text) > most {
		return nil, fmt.Errorf("%w: %d bytes", errDocument, len(text))
	}
	if err := inspect(text, comments); err != nil {
		return nil, err
	}
	doc := etree.NewDocument()
	doc.ReadSettings = etree.ReadSettings{PreserveDuplicateAttrs: true, MaxDepth: maxDepth + 1}
	if err := doc.ReadFromBytes(text); err != nil {
		return nil, fmt.Errorf("%w: %w", errDocument, err)
	}
	if doc.Root() == nil {
		return nil, fmt.Errorf("%w: no element", errDocument)
	}
	return doc.Root(), nil
}

// inspection counts what has gone by in a document.
type inspection struct {
	depth, elements, roots int
	ids                    map[string]bool
	comments               bool
}

func inspect(text []byte, comments bool) error {
	decoder := xml.NewDecoder(bytes.NewReader(text))
	decoder.Strict = true
	seen := inspection{ids: map[string]bool{}, comments: comments}
	for first := true; ; first = false {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%w: %w", errDocument, err)
		}
		if what := seen.objection(token, first); what != "" {
			return fmt.Errorf("%w: %s", errDocument, what)
		}
	}
}

// objection says what is wrong with one token, "" = nothing.
func (i *inspection) objection(token xml.Token, first bool) string {
	switch t := token.(type) {
	case xml.StartElement:
		return i.open(t)
	case xml.EndElement:
		i.depth--
	case xml.Directive:
		return "document type"
	case xml.ProcInst:
		if t.Target != "xml" || !first {
			return "processing instruction"
		}
	case xml.Comment:
		if !i.comments {
			return "comment"
		}
	case xml.CharData:
		if i.depth == 0 && len(bytes.TrimSpace(t)) > 0 {
			return "text outside the element"
		}
	}
	return ""
}

func (i *inspection) open(e xml.StartElement) string {
	if i.depth == 0 {
		i.roots++
	}
	i.depth++
	i.elements++
	switch {
	case i.roots > 1:
		return "several elements"
	case i.depth > maxDepth:
		return "too deep"
	case i.elements > maxElements:
		return "too many elements"
	case len(e.Attr) > maxAttributes:
		return "too many attributes"
	}
	names := make(map[xml.Name]bool, len(e.Attr))
	for _, a := range e.Attr {
		if names[a.Name] {
			return "repeated attribute"
		}
		names[a.Name] = true
		if !strings.EqualFold(a.Name.Local, "id") || a.Name.Space == "xmlns" {
			continue
		}
		if a.Name.Space != "" {
			return "id in a namespace"
		}
		if i.ids[a.Value] {
			return "id is not unique"
		}
		i.ids[a.Value] = true
	}
	return ""
}

// is tells whether an element has a name.
func is(e *etree.Element, namespace, tag string) bool {
	return e != nil && e.Tag == tag && e.NamespaceURI() == namespace
}

// children returns the child elements of one name.
func children(e *etree.Element, namespace, tag string) []*etree.Element {
	var all []*etree.Element
	if e == nil {
		return nil
	}
	for _, child := range e.ChildElements() {
		if is(child, namespace, tag) {
			all = append(all, child)
		}
	}
	return all
}

// only returns the one child of a name; nil when there is none, or more than one.
func only(e *etree.Element, namespace, tag string) *etree.Element {
	if all := children(e, namespace, tag); len(all) == 1 {
		return all[0]
	}
	return nil
}

// count counts the elements of one name at any depth, the element itself included.
func count(e *etree.Element, namespace, tag string) int {
	n := 0
	if is(e, namespace, tag) {
		n++
	}
	for _, child := range e.ChildElements() {
		n += count(child, namespace, tag)
	}
	return n
}

// attribute returns an attribute without namespace, "" when there is none.
func attribute(e *etree.Element, name string) string {
	if e == nil {
		return ""
	}
	for _, a := range e.Attr {
		if a.Space == "" && a.Key == name {
			return a.Value
		}
	}
	return ""
}

// content is exact without the white space around the text.
func content(e *etree.Element) (text string, ok bool) {
	text, ok = exact(e)
	return strings.TrimSpace(text), ok
}

// exact returns the text of an element that holds nothing else, as it is written: who is called "ann " is not ann. ok is
// false for an element with anything but text inside: half a text would name somebody else.
func exact(e *etree.Element) (text string, ok bool) {
	if e == nil {
		return "", false
	}
	var all strings.Builder
	for _, token := range e.Child {
		part, isText := token.(*etree.CharData)
		if !isText {
			return "", false
		}
		all.WriteString(part.Data)
	}
	return all.String(), true
}

// moment reads an attribute of the type xs:dateTime. Absent is zero.
func moment(e *etree.Element, name string) (time.Time, error) {
	text := attribute(e, name)
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} { // SAML Core §1.3.3: UTC without a zone
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%w: %s is no time", errDocument, name)
}

// stamp writes a time (SAML Core §1.3.3).
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// element makes a child element; prefix and tag name it.
func element(parent *etree.Element, name string, attributes ...string) *etree.Element {
	e := parent.CreateElement(name)
	for i := 0; i+1 < len(attributes); i += 2 {
		e.CreateAttr(attributes[i], attributes[i+1])
	}
	return e
}

// bytesOf writes an element as a document.
func bytesOf(e *etree.Element) ([]byte, error) {
	doc := etree.NewDocumentWithRoot(e)
	text, err := doc.WriteToBytes()
	if err != nil {
		return nil, fmt.Errorf("write document: %w", err)
	}
	return text, nil
}
