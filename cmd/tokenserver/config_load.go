package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/spf13/pflag"
)

const maxConfigFile = 1 << 20

// loadConfig puts the sources over each other: defaults < file < environment < flags. All problems are named at once.
// It reads the files of secrets, and derives what is left empty. Relative paths are relative to the working directory,
// those in the file, but for store.dsn, to the folder of the file.
func loadConfig(file string, environ []string, flags *pflag.FlagSet) (Config, error) {
	c := Defaults()
	all := options(&c)
	byPath := make(map[string]option, len(all))
	for _, o := range all {
		byPath[o.path] = o
	}
	variables, problems := readEnviron(environ, all)
	if file == "" {
		file = variables[envPrefix+"CONFIG"]
	}
	if file != "" {
		problems = append(problems, readConfigFile(file, byPath)...)
	}
	for _, o := range all {
		if text, set := variables[o.env()]; set {
			if err := o.set(text); err != nil {
				problems = append(problems, fmt.Errorf("%s: %w", o.env(), err))
			}
		}
	}
	if flags != nil {
		flags.Visit(func(f *pflag.Flag) {
			for _, o := range all {
				if o.flag() == f.Name && f.Name != "" {
					if err := o.set(f.Value.String()); err != nil {
						problems = append(problems, fmt.Errorf("--%s: %w", f.Name, err))
					}
				}
			}
		})
	}
	problems = append(problems, c.readSecretFiles(byPath)...)
	if c.Store.DSN.Empty() {
		c.Store.DSN = DSN{"sqlite:" + filepath.Join(c.DataDir, "tokenserver.db")}
	}
	if err := c.Validate(); err != nil { // what could not be read above has its default here
		problems = append(problems, err)
	}
	return c, errors.Join(problems...)
}

// orchestrated matches what Kubernetes puts into the environment for a Service that is called tokenserver.
var orchestrated = regexp.MustCompile(`^TOKENSERVER_(SERVICE_(HOST|PORT)(_.*)?|PORT(_.*)?|TEST_.*|BIN)$`)

// readEnviron returns the variables of ours, and complains of those that set nothing.
func readEnviron(environ []string, all []option) (map[string]string, []error) {
	known := map[string]bool{envPrefix + "CONFIG": true}
	for _, o := range all {
		known[o.env()] = true
	}
	variables := map[string]string{}
	var problems []error
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		switch {
		case !strings.HasPrefix(name, envPrefix):
		case known[name]:
			variables[name] = value
		case name == phonePasswordVariable || name == phonePINVariable: // of another command; its values are none of ours
		case !orchestrated.MatchString(name):
			problems = append(problems, fmt.Errorf("%s: no such setting%s", name, nearest(name, known)))
		}
	}
	return variables, problems
}

// readConfigFile sets what the YAML file says.
func readConfigFile(name string, byPath map[string]option) []error {
	f, err := os.Open(name)
	if err != nil {
		return []error{fmt.Errorf("read configuration: %w", err)}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfigFile+1))
	switch {
	case err != nil:
		return []error{fmt.Errorf("read configuration: %w", err)}
	case len(text) > maxConfigFile:
		return []error{fmt.Errorf("%s: is longer than %d bytes", name, maxConfigFile)}
	}
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		message, _, _ := strings.Cut(yaml.FormatError(err, false, false), "\n") // the rest quotes the file
		return []error{fmt.Errorf("%s: %s", name, message)}
	}
	r := &configReader{file: name, byPath: byPath}
	for i, document := range tree.Docs {
		if i > 0 {
			r.complain(document.Body, "want one YAML document, not several between ---")
		} else if document.Body != nil {
			r.walk("", document.Body)
		}
	}
	return r.problems
}

// configReader walks the tree of a configuration file.
type configReader struct {
	file     string
	byPath   map[string]option
	problems []error
}

func (r *configReader) complain(at ast.Node, format string, args ...any) {
	position := ""
	if at != nil && at.GetToken() != nil {
		position = fmt.Sprintf(":%d", at.GetToken().Position.Line)
	}
	r.problems = append(r.problems, fmt.Errorf("%s%s: %s", r.file, position, fmt.Sprintf(format, args...)))
}

func (r *configReader) walk(path string, node ast.Node) {
	if o, leaf := r.byPath[path]; leaf {
		r.leaf(o, node)
		return
	}
	var members []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		members = n.Values
	case *ast.MappingValueNode:
		members = []*ast.MappingValueNode{n}
	case *ast.NullNode:
		return
	default:
		r.complain(node, "%s: want keys and values", strings.TrimSuffix("the configuration "+path, " "))
		return
	}
	for _, m := range members {
		key := m.Key.GetToken().Value
		below := strings.TrimPrefix(path+"."+key, ".")
		if !r.known(below) {
			names := make(map[string]bool, len(r.byPath))
			for name := range r.byPath {
				names[name] = true
			}
			r.complain(m.Key, "%s: no such setting%s", below, nearest(below, names))
			continue
		}
		r.walk(below, m.Value)
	}
}

// known tells whether a path is an option or leads to some.
func (r *configReader) known(path string) bool {
	for name := range r.byPath {
		if name == path || strings.HasPrefix(name, path+".") {
			return true
		}
	}
	return false
}

func (r *configReader) leaf(o option, node ast.Node) {
	if text, plain := scalar(node); o.secret() && (!plain || text != "") {
		r.complain(node, "%s: secrets do not belong into this file: write it into a file of its own and name that in %s_file, or set %s", o.path, o.path, o.env())
		return
	}
	var values []string
	switch n := node.(type) {
	case *ast.NullNode:
		return
	case *ast.SequenceNode:
		for _, item := range n.Values {
			text, ok := scalar(item)
			if !ok {
				r.complain(item, "%s: want plain values", o.path)
				return
			}
			values = append(values, text)
		}
	default:
		text, ok := scalar(node)
		if !ok {
			r.complain(node, "%s: want a plain value", o.path)
			return
		}
		values = []string{text}
	}
	if err := o.setList(values); err != nil {
		r.complain(node, "%s: %v", o.path, err)
		return
	}
	if field, isText := o.value.Addr().Interface().(*string); isText && isPath(o.path) && *field != "" && !filepath.IsAbs(*field) {
		*field = filepath.Join(filepath.Dir(r.file), *field)
	}
}

// isPath tells whether an option names a file or folder.
func isPath(path string) bool {
	return path == "data_dir" || strings.HasSuffix(path, "_file")
}

// scalar returns the text of a plain value as it was written.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return n.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// nearest suggests the name that was meant, if one is near.
func nearest(name string, known map[string]bool) string {
	best, least := "", len(name)/3+1
	for _, candidate := range sortedNames(known) {
		if d := distance(name, candidate); d < least {
			best, least = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return ": did you mean " + best + "?"
}

func sortedNames(m map[string]bool) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// distance is the number of single letters to insert, delete or replace (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// readSecretFiles fills the options whose value is in a file of its own.
func (c *Config) readSecretFiles(byPath map[string]option) []error {
	var problems []error
	for _, path := range []string{"store.dsn", "redis.password", "keys.encryption_key", "keys.former_keys"} {
		file := byPath[path+"_file"].show()
		if file == "" {
			continue
		}
		o := byPath[path]
		if o.show() != "" {
			problems = append(problems, fmt.Errorf("%s and %s_file are both set: remove one", path, path))
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s_file: %w", path, err))
			continue
		}
		value := strings.TrimRight(string(text), "\r\n")
		if value == "" {
			problems = append(problems, fmt.Errorf("%s_file: %s is empty", path, file))
			continue
		}
		if err := o.set(value); err != nil {
			problems = append(problems, fmt.Errorf("%s_file: %w", path, err))
		}
	}
	return problems
}
