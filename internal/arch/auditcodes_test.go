package arch

import (
	"bufio"
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// catalogue reads the codes of audit/catalogue.txt.
func catalogue(t *testing.T) map[string]bool {
	t.Helper()
	file, err := os.Open(filepath.Join(root(t), "audit", "catalogue.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	codes := map[string]bool{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		code, _, ok := strings.Cut(lines.Text(), "\t")
		if ok && !strings.HasPrefix(code, "#") {
			codes[code] = true
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(codes) < 272 {
		t.Fatalf("only %d codes in the catalogue", len(codes))
	}
	return codes
}

// spelled finds audit codes that do not come from the generated constants: literals of a known code, conversions to
// audit.Code, and string literals where only an audit code can stand.
func spelled(s source, codes map[string]bool) []ast.Node {
	audit := s.importName(module + "/audit")
	isCode := func(n ast.Expr) bool {
		sel, ok := n.(*ast.SelectorExpr)
		if !ok || audit == "" || sel.Sel.Name != "Code" {
			return false
		}
		x, ok := sel.X.(*ast.Ident)
		return ok && x.Name == audit
	}
	text := func(n ast.Expr) (string, bool) {
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return "", false
		}
		value, err := strconv.Unquote(lit.Value)
		return value, err == nil
	}
	var found []ast.Node
	ast.Inspect(s.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			if value, ok := text(n); ok && codes[value] {
				found = append(found, n)
			}
		case *ast.CallExpr:
			if isCode(n.Fun) {
				found = append(found, n)
			}
		case *ast.ValueSpec:
			for _, value := range n.Values {
				if v, ok := text(value); ok && isCode(n.Type) && !codes[v] {
					found = append(found, value)
				}
			}
		case *ast.KeyValueExpr:
			key, named := n.Key.(*ast.Ident)
			if v, ok := text(n.Value); ok && named && key.Name == "Audit" && audit != "" && !codes[v] && v != "" {
				found = append(found, n.Value)
			}
		}
		return true
	})
	return found
}

// TestAuditCodesComeFromTheCatalogue: a code that is spelled by hand can be wrong, a constant cannot. The black-box suite
// spells them by design, because it must notice a changed constant.
func TestAuditCodesComeFromTheCatalogue(t *testing.T) {
	codes := catalogue(t)
	for _, s := range sources(t) {
		if within(s.folder, "audit", "e2e") || within(s.folder, "internal/arch") {
			continue
		}
		for _, n := range spelled(s, codes) {
			t.Errorf("%s: use the constant of package audit", s.position(n))
		}
	}
}

func TestRulesOfAuditCodes(t *testing.T) {
	codes := map[string]bool{"SMS_SUCCESS": true}
	for _, tc := range []struct {
		name, body string
		n          int
	}{
		{"constant", `var f = outcome.Failure{Audit: audit.SMSSuccess, Text: "text"}`, 0},
		{"literal of a code", `var c = "SMS_SUCCESS"`, 1},
		{"raw literal", "var c = `SMS_SUCCESS`", 1},
		{"typed literal", `const c audit.Code = "SMS_SUCCESS"`, 1},
		{"typed literal of no code", `const c audit.Code = "SMS_SUCCES"`, 1},
		{"conversion", `func f(s string) audit.Code { return audit.Code(s) }`, 1},
		{"conversion of a literal", `var c = audit.Code("SMS_SUCCESS")`, 2},
		{"field", `var f = outcome.Failure{Audit: "SMS_SUCCES"}`, 1},
		{"empty code of a fault", `var f = outcome.Failure{Audit: ""}`, 0},
		{"another text", `var c = "SMS_SUCCESS_RATE"`, 0},
		{"type only", `var c []audit.Code`, 0},
	} {
		s := parse(t, "sms/x.go", "package sms\nimport \"tokenserver/audit\"\n"+tc.body+"\n")
		if n := len(spelled(s, codes)); n != tc.n {
			t.Errorf("%s: %d findings, want %d", tc.name, n, tc.n)
		}
	}
	renamed := parse(t, "sms/x.go", "package sms\nimport log \"tokenserver/audit\"\nvar c = log.Code(x)\n")
	if n := len(spelled(renamed, codes)); n != 1 {
		t.Errorf("renamed import: %d findings, want 1", n)
	}
}
