package arch

import (
	"fmt"
	"go/ast"
	"go/token"
	"strings"
	"testing"
)

// finding is one breach of a rule.
type finding struct {
	where string
	what  string
}

// packageState finds what makes a package differ from one moment to the next: init functions, variables that are
// written after their declaration or could only be useful if they were, and writes to variables of other packages of
// ours. Tables, sentinels, patterns, templates and embedded files are declared with their value and only read: fine.
func packageState(files []source) []finding {
	var found []finding
	variables := map[string]*ast.ValueSpec{}
	for _, s := range files {
		for _, decl := range s.tree.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				if decl.Recv == nil && decl.Name.Name == "init" {
					found = append(found, finding{s.position(decl), "an init function"})
				}
			case *ast.GenDecl:
				if decl.Tok == token.VAR {
					found = append(found, declared(s, decl, variables)...)
				}
			}
		}
	}
	for _, s := range files {
		found = append(found, written(s, variables)...)
	}
	return found
}

// declared collects the variables of one declaration and finds those that are state by their form.
func declared(s source, decl *ast.GenDecl, variables map[string]*ast.ValueSpec) []finding {
	var found []finding
	for _, spec := range decl.Specs {
		spec := spec.(*ast.ValueSpec)
		for _, name := range spec.Names {
			variables[name.Name] = spec
		}
		embedded := strings.Contains(directives(decl.Doc)+directives(spec.Doc), "//go:embed ")
		switch {
		case len(spec.Values) == 0 && !embedded:
			found = append(found, finding{s.position(spec), "a variable without a value: it waits to be written"})
		case stateful(spec.Type):
			found = append(found, finding{s.position(spec), "a variable of a type that exists to change"})
		}
		for _, value := range spec.Values {
			if changeable(value) {
				found = append(found, finding{s.position(spec), "a variable that begins empty: it waits to be filled"})
			}
		}
	}
	return found
}

func directives(group *ast.CommentGroup) string {
	var all strings.Builder
	if group != nil {
		for _, comment := range group.List {
			all.WriteString(comment.Text + "\n")
		}
	}
	return all.String()
}

// stateful reports whether a type is of sync, sync/atomic or a channel.
func stateful(expr ast.Expr) bool {
	switch expr := expr.(type) {
	case *ast.ChanType:
		return true
	case *ast.StarExpr:
		return stateful(expr.X)
	case *ast.IndexExpr:
		return stateful(expr.X)
	case *ast.SelectorExpr:
		x, ok := expr.X.(*ast.Ident)
		return ok && (x.Name == "sync" || x.Name == "atomic")
	}
	return false
}

// changeable reports whether a value is made only to be changed: make, new, an empty map or slice, sync.X{}.
func changeable(expr ast.Expr) bool {
	switch expr := expr.(type) {
	case *ast.UnaryExpr:
		return expr.Op == token.AND && changeable(expr.X)
	case *ast.CallExpr:
		fun, ok := expr.Fun.(*ast.Ident)
		return ok && (fun.Name == "make" || fun.Name == "new")
	case *ast.CompositeLit:
		switch expr.Type.(type) {
		case *ast.MapType, *ast.ArrayType:
			return len(expr.Elts) == 0
		}
		return stateful(expr.Type)
	}
	return false
}

// written finds writes inside functions to the given variables and to exported variables of other packages of ours.
func written(s source, variables map[string]*ast.ValueSpec) []finding {
	ours := map[string]bool{}
	for _, spec := range s.tree.Imports {
		if strings.HasPrefix(importPath(spec), module+"/") {
			ours[s.importName(importPath(spec))] = true
		}
	}
	isState := func(expr ast.Expr) (string, bool) {
		base, selected := baseOf(expr)
		if base == nil {
			return "", false
		}
		if base.Obj == nil { // not declared in this file: of the package, universal, or an import
			if _, ok := variables[base.Name]; ok {
				return base.Name, true
			}
			return base.Name + "." + selected, ours[base.Name] && selected != ""
		}
		spec, ok := base.Obj.Decl.(*ast.ValueSpec)
		return base.Name, ok && variables[base.Name] == spec
	}
	var found []finding
	report := func(n ast.Node, exprs ...ast.Expr) {
		for _, expr := range exprs {
			if name, ok := isState(expr); ok {
				found = append(found, finding{s.position(n), fmt.Sprintf("writes the package variable %s", name)})
			}
		}
	}
	ast.Inspect(s.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			if n.Tok != token.DEFINE {
				report(n, n.Lhs...)
			}
		case *ast.IncDecStmt:
			report(n, n.X)
		case *ast.RangeStmt:
			if n.Tok == token.ASSIGN {
				report(n, n.Key, n.Value)
			}
		case *ast.SendStmt:
			report(n, n.Chan)
		case *ast.UnaryExpr:
			if n.Op == token.AND {
				report(n, n.X)
			}
		case *ast.CallExpr:
			fun, ok := n.Fun.(*ast.Ident)
			if ok && fun.Obj == nil && (fun.Name == "delete" || fun.Name == "clear" || fun.Name == "copy") && len(n.Args) > 0 {
				report(n, n.Args[0])
			}
		}
		return true
	})
	return found
}

// baseOf returns the variable that a write to expr changes, and the first field selected of it.
func baseOf(expr ast.Expr) (base *ast.Ident, selected string) {
	for {
		switch x := expr.(type) {
		case *ast.Ident:
			return x, selected
		case *ast.SelectorExpr:
			selected, expr = x.Sel.Name, x.X
		case *ast.IndexExpr:
			expr = x.X
		case *ast.SliceExpr:
			expr = x.X
		case *ast.StarExpr:
			expr = x.X
		case *ast.ParenExpr:
			expr = x.X
		default:
			return nil, ""
		}
	}
}

func TestPackagesKeepNoState(t *testing.T) {
	packages := map[string][]source{}
	for _, s := range sources(t) {
		if !s.test {
			packages[s.folder] = append(packages[s.folder], s)
		}
	}
	for _, files := range packages {
		for _, f := range packageState(files) {
			t.Errorf("%s: %s; packages keep no state, pass a value in", f.where, f.what)
		}
	}
}

func TestRulesOfState(t *testing.T) {
	for _, tc := range []struct {
		name, body string
		n          int
	}{
		{"sentinel", `var ErrX = errors.New("x")`, 0},
		{"pattern", `var p = regexp.MustCompile("x")`, 0},
		{"table", `var t = map[string]int{"a": 1}; func f() int { return t["a"] }`, 0},
		{"failures", "var (\n a = outcome.Failure{}\n b = outcome.Failure{}\n)", 0},
		{"check of an interface", `var _ fmt.Stringer = T{}`, 0},
		{"embedded", "//go:embed x.lua\nvar x string", 0},
		{"embedded in a group", "var (\n//go:embed x.lua\nx string\n)", 0},
		{"lazy constant", `var f = sync.OnceValue(func() int { return 1 })`, 0},
		{"local of the same name", `var n = 1; func f() { n := 2; n++; _ = n }`, 0},
		{"parameter of the same name", `var n = 1; func f(n int) { n = 2 }`, 0},
		{"field of a local", `var n = 1; func f(s *struct{ n int }) { s.n = 2 }`, 0},
		{"read", `var n = 1; func f() int { m := n; m++; return m }`, 0},

		{"init", `func init() {}`, 1},
		{"method called init", `func (t T) init() {}`, 0},
		{"no value", `var x int`, 1},
		{"mutex", `var mu sync.Mutex`, 1},
		{"made mutex", `var mu = &sync.Mutex{}`, 1},
		{"atomic", `var n = atomic.Int64{}`, 1},
		{"made map", `var m = make(map[string]int)`, 1},
		{"empty map", `var m = map[string]int{}`, 1},
		{"channel", `var c chan int = open()`, 1},
		{"assigned", `var n = 1; func f() { n = 2 }`, 1},
		{"counted", `var n = 1; func f() { n++ }`, 1},
		{"element", `var m = map[string]int{"a": 1}; func f() { m["b"] = 2 }`, 1},
		{"field", `var t = T{1}; func f() { t.n = 2 }`, 1},
		{"deleted from", `var m = map[string]int{"a": 1}; func f() { delete(m, "a") }`, 1},
		{"address taken", `var n = 1; func f() *int { return &n }`, 1},
		{"range target", `var n = 1; func f() { for n = range 3 { } }`, 1},
		{"variable of another package", "import \"tokenserver/audit\"\nfunc f() { audit.Level = 2 }", 1},
	} {
		s := parse(t, "sms/x.go", "package sms\n"+tc.body+"\n")
		if found := packageState([]source{s}); len(found) != tc.n {
			t.Errorf("%s: %v, want %d findings", tc.name, found, tc.n)
		}
	}
	one := parse(t, "sms/a.go", "package sms\nvar n = 1\n")
	two := parse(t, "sms/b.go", "package sms\nfunc f() { n = 2 }\n")
	if found := packageState([]source{one, two}); len(found) != 1 || found[0].where != "sms/b.go:2" {
		t.Errorf("write from another file: %v", found)
	}
}
