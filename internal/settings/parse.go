package settings

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	maxDocument   = 8 << 20 // bytes of a document
	maxSecretFile = 64 << 10
)

// Parse reads a document in YAML (or JSON, which is YAML). Unknown and repeated keys, a second document and aliases are
// refused; messages name line and column. Files named by secrets are relative to dir. Parse does not judge the
// content: see Rules.Validate.
func Parse(text []byte, dir string) (Document, error) {
	if len(text) > maxDocument {
		return Document{}, fmt.Errorf("settings: the document has %d bytes: at most %d are read", len(text), maxDocument)
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return Document{}, fmt.Errorf("settings: %s", plain(err))
	}
	if len(file.Docs) > 1 {
		return Document{}, errors.New("settings: want one YAML document, not several between ---")
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return Document{}, nil
	}
	if err := sober(file.Docs[0].Body); err != nil {
		return Document{}, err
	}
	var d Document
	if err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(&d); err != nil {
		return Document{}, fmt.Errorf("settings: %s", plain(err))
	}
	if err := d.readSecrets(dir); err != nil {
		return Document{}, err
	}
	return d, nil
}

// plain is the message of the YAML library with line and column, without the excerpt, which may hold a secret. What it says
// about kinds of values is put into the words of a document: its own are Go's.
func plain(err error) string {
	var wrong *yaml.TypeError
	if errors.As(err, &wrong) && wrong.Token != nil && wrong.DstType != nil {
		return at(wrong.Token) + "is not of the kind that belongs there: want " + kind(wrong.DstType)
	}
	var node *yaml.UnexpectedNodeTypeError
	if errors.As(err, &node) && node.Token != nil {
		return at(node.Token) + "is not of the kind that belongs there: want " + nodeKind(node.Expected)
	}
	text := yaml.FormatError(err, false, false)
	text, _, _ = strings.Cut(text, "\n")
	return text
}

// at is the place of a token, and the key that it is the value of where the line tells.
func at(t *token.Token) string {
	place := fmt.Sprintf("[%d:%d] ", t.Position.Line, t.Position.Column)
	if colon := t.Prev; colon != nil && colon.Type == token.MappingValueType && colon.Prev != nil {
		return place + "the value of " + clip(colon.Prev.Value) + " "
	}
	return place + "a value "
}

func kind(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.String:
		return "a text"
	case reflect.Slice:
		return nodeKind(ast.SequenceType)
	case reflect.Pointer:
		return kind(t.Elem())
	default:
		return nodeKind(ast.MappingType)
	}
}

func nodeKind(t ast.NodeType) string {
	switch t {
	case ast.SequenceType:
		return "a list: [a, b], or lines that begin with -"
	case ast.MappingType:
		return "keys with their values"
	default:
		return "a " + strings.ToLower(t.YAMLName())
	}
}

// sober refuses aliases, which can make a small document expand without end.
func sober(node ast.Node) error {
	var err error
	ast.Walk(&visitor{&err}, node)
	return err
}

type visitor struct{ err *error }

// Visit implements ast.Visitor.
func (v *visitor) Visit(node ast.Node) ast.Visitor {
	switch node.(type) {
	case *ast.AliasNode, *ast.AnchorNode, *ast.MergeKeyNode:
		at := node.GetToken().Position
		*v.err = fmt.Errorf("settings: [%d:%d] anchors, aliases and merge keys are not accepted: write the value out", at.Line, at.Column)
	}
	if *v.err != nil {
		return nil
	}
	return v
}

// readSecrets fetches what {file: PATH} and {env: NAME} name. All that is missing is named at once. Errors: *Invalid.
func (d *Document) readSecrets(dir string) error {
	var found problems
	for _, e := range entities(d) {
		if h, ok := e.value.(holder); ok {
			for _, member := range sortedKeys(h.secrets()) {
				h.secrets()[member].read(dir, e.path+"."+member, &found)
			}
		}
		if m, ok := e.value.(machine); ok {
			m.credentials().secret.read(dir, e.path+".client_secret", &found)
		}
	}
	for i := range d.Users {
		d.Users[i].Password.read(dir, fmt.Sprintf("users[%d].password", i), &found)
	}
	return found.err()
}

func (s *Secret) read(dir, path string, found *problems) {
	switch {
	case s.env != "":
		value, set := os.LookupEnv(s.env)
		if !set || value == "" {
			found.add(path, "environment variable %s is not set", clip(s.env))
			return
		}
		*s = NewSecret(value)
	case s.file != "":
		name := s.file
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		text, err := readShort(name)
		if err != nil {
			found.add(path, "%v", err)
			return
		}
		*s = NewSecret(text)
	}
}

// readShort reads a secret from a file, without the line end that editors add.
func readShort(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	switch {
	case err != nil:
		return "", err
	case len(text) > maxSecretFile:
		return "", fmt.Errorf("%s is longer than %d bytes", name, maxSecretFile)
	}
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		return "", fmt.Errorf("%s is empty", name)
	}
	return secret, nil
}
