package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the root; no package lives in the root itself.
const module = "tokenserver"

// source is one parsed Go file.
type source struct {
	file   string // path from the root, with slashes
	folder string // of the file: the import path without module
	test   bool
	lines  int
	set    *token.FileSet
	tree   *ast.File
}

// position names a place for people: file and line.
func (s source) position(n ast.Node) string {
	return s.file + ":" + strconv.Itoa(s.set.Position(n.Pos()).Line)
}

// generated reports whether the file says so in the form of https://go.dev/s/generatedcode.
func (s source) generated() bool { return ast.IsGenerated(s.tree) }

// importName returns the name under which the file imports a package, or "" when it does not.
func (s source) importName(of string) string {
	for _, spec := range s.tree.Imports {
		if importPath(spec) != of {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(of)
	}
	return ""
}

func importPath(spec *ast.ImportSpec) string {
	p, err := strconv.Unquote(spec.Path.Value)
	if err != nil {
		return spec.Path.Value
	}
	return p
}

// root finds the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == filepath.Dir(dir) {
			t.Fatal("no go.mod above the working folder")
		}
	}
}

// skipped reports whether a folder holds nothing of ours: hidden, built, fetched, or a module of its own.
func skipped(dir, rel string) bool {
	name := filepath.Base(rel)
	if rel == "." {
		return false
	}
	if strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_") || rel == "bin" || rel == "build" || name == "node_modules" {
		return true
	}
	_, err := os.Stat(filepath.Join(dir, rel, "go.mod"))
	return err == nil
}

// files lists all files with the extension, as paths from the root.
func files(t *testing.T, extension string) []string {
	t.Helper()
	dir := root(t)
	var found []string
	err := filepath.WalkDir(dir, func(p string, entry fs.DirEntry, err error) error {
		if err != nil {
			if os.IsNotExist(err) {
				return nil // removed while we walked
			}
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if skipped(dir, rel) {
				return filepath.SkipDir
			}
			return nil
		}
		if filepath.Ext(p) == extension {
			found = append(found, filepath.ToSlash(rel))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// sources parses the whole tree, without testdata.
func sources(t *testing.T) []source {
	t.Helper()
	dir := root(t)
	var all []source
	for _, file := range files(t, ".go") {
		if strings.Contains("/"+file, "/testdata/") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, parse(t, file, string(text)))
	}
	if len(all) < 20 {
		t.Fatalf("only %d Go files found: this is not the tree", len(all))
	}
	return all
}

func parse(t *testing.T, file, text string) source {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, text, parser.ParseComments)
	if err != nil {
		t.Fatalf("parse: %v", err)
	}
	return source{
		file: file, folder: path.Dir(file), test: strings.HasSuffix(file, "_test.go"),
		lines: strings.Count(text, "\n"), set: set, tree: tree,
	}
}

// within reports whether folder is one of parents or lies below one.
func within(folder string, parents ...string) bool {
	for _, parent := range parents {
		if folder == parent || strings.HasPrefix(folder, parent+"/") {
			return true
		}
	}
	return false
}
