package arch

import (
	"go/ast"
	"slices"
	"strings"
	"testing"
)

// domains are the families of the audit catalogue: peers that never import each other.
func domains() []string {
	return []string{"oauth", "registration", "idp", "enrollment", "pushauth", "sms", "fido", "customauth", "api", "admin"}
}

// kernels are rules that several domains share, without HTTP.
func kernels() []string {
	return []string{
		"internal/token", "internal/clientauth", "internal/lifecycle", "internal/settings",
		"internal/keys", "internal/secret", "internal/outbound", "internal/remotejwks",
		"internal/entitlement", "internal/hooks", "internal/sessions",
	}
}

// reserved says for some packages who may import them; tests outside phone and e2e may unless testsToo is false.
type reserved struct {
	target   []string // import paths, ours without the module
	only     []string // folders that may import it
	testsToo bool
	why      string
}

func reservations() []reserved {
	return []reserved{
		{
			target: []string{"gorm.io"}, only: []string{"store/sqlstore"},
			why: "gorm appears only in store/sqlstore",
		},
		{
			target: []string{"github.com/jackc/pgx", "modernc.org/sqlite", "github.com/glebarez", "github.com/mattn/go-sqlite3", "github.com/lib/pq", "github.com/pressly/goose"},
			only:   []string{"store/sqlstore", "internal/testenv", "bench"}, testsToo: true,
			why: "database drivers appear only in store/sqlstore",
		},
		{
			target: []string{"github.com/redis/go-redis", "github.com/alicebob/miniredis"},
			only:   []string{"store/redisstore", "bench", "internal/audittest"}, testsToo: true,
			why: "Redis clients and servers appear only in store/redisstore",
		},
		{
			target: []string{"store/sqlstore", "store/redisstore"},
			only:   []string{"cmd", "bench", "store/sqlstore", "store/redisstore", "store/storetest", "internal/audittest"}, testsToo: true,
			why: "only cmd connects an engine",
		},
		{
			target: []string{"internal/standin"}, only: []string{"cmd/tokenserver", "bench", "e2e", "internal/standin"}, testsToo: true,
			why: "stand-ins are linked into demo, benchmarks and tests only",
		},
		{
			target:   []string{"internal/testenv", "internal/audittest", "store/storetest"},
			only:     []string{"bench", "e2e", "internal/testenv", "internal/audittest", "store/storetest"},
			testsToo: true,
			why:      "the test environment is no part of the server",
		},
		{
			target: []string{"phone"}, only: []string{"cmd/tokenserver", "bench", "e2e", "phone", "internal/standin"}, testsToo: true,
			why: "the server does not know its clients",
		},
		{
			target: []string{"cmd", "internal/arch"}, only: []string{"cmd"},
			why: "commands and rules are for nobody to import",
		},
	}
}

// complaint says what is wrong with one import, or "" when nothing is. Imports of ours come without the module.
func complaint(folder string, test bool, target string, ours bool) string {
	for _, r := range reservations() {
		if within(target, r.target...) && !within(folder, r.only...) && (!test || !r.testsToo) {
			return r.why
		}
	}
	if !ours {
		if !test && within(folder, kernels()...) && within(target, "github.com/labstack/echo") {
			return "kernels are rules without HTTP"
		}
		return ""
	}
	from, _, _ := strings.Cut(folder, "/")
	to, _, _ := strings.Cut(target, "/")
	switch {
	case slices.Contains(domains(), from) && slices.Contains(domains(), to) && from != to:
		return "peers never import each other; cmd passes the value in"
	case from == "phone" && to != "phone":
		return "the phone knows nothing of the server"
	case from == "e2e" && !within(target, "e2e", "phone", "internal/standin", "internal/testenv"):
		return "the black-box suite knows the server by HTTP alone"
	case from == "e2e":
		return ""
	case to == "e2e" || to == "bench" && from != "bench":
		return "nothing imports the black-box suite or the benchmarks"
	case test:
		return ""
	case folder == "audit" || folder == "store":
		return "audit and store import nothing of ours"
	case slices.Contains(domains(), to) && from != "cmd" && from != "bench" && from != to:
		return "only cmd knows the domains"
	case folder == "internal/outcome" && target != "audit":
		return "outcome knows only the audit catalogue"
	case within(folder, kernels()...) && within(target, "internal/web"):
		return "kernels are rules without HTTP"
	}
	return ""
}

func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		for _, spec := range s.tree.Imports {
			target, ours := strings.CutPrefix(importPath(spec), module+"/")
			if why := complaint(s.folder, s.test, target, ours); why != "" {
				t.Errorf("%s imports %s: %s", s.position(spec), importPath(spec), why)
			}
		}
	}
}

// TestKernelsServeNothing refuses the serving half of net/http below the handlers; the client half is fine.
func TestKernelsServeNothing(t *testing.T) {
	for _, s := range sources(t) {
		if s.test || !within(s.folder, kernels()...) {
			continue
		}
		for _, use := range handlerUses(s) {
			t.Errorf("%s uses net/http to serve: kernels are rules without HTTP", s.position(use))
		}
	}
}

func handlerUses(s source) []ast.Node {
	serving := []string{"Handler", "HandlerFunc", "ResponseWriter", "ServeMux", "NewServeMux", "Server", "Handle", "HandleFunc", "ListenAndServe", "Error", "Flusher", "Hijacker"}
	name := s.importName("net/http")
	var found []ast.Node
	ast.Inspect(s.tree, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && name != "" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == name && slices.Contains(serving, sel.Sel.Name) {
				found = append(found, sel)
			}
		}
		return true
	})
	return found
}

func TestRulesOfImports(t *testing.T) {
	const echo = "github.com/labstack/echo/v4"
	for _, tc := range []struct {
		folder string
		test   bool
		target string
		ours   bool
		ok     bool
	}{
		{folder: "pushauth", target: "sms", ours: true},
		{folder: "pushauth", test: true, target: "sms", ours: true},
		{folder: "pushauth/gateway", target: "oauth", ours: true},
		{folder: "pushauth", target: "pushauth/gateway", ours: true, ok: true},
		{folder: "pushauth", target: "store", ours: true, ok: true},
		{folder: "pushauth", target: "internal/web", ours: true, ok: true},
		{folder: "pushauth", target: "store/sqlstore", ours: true},
		{folder: "pushauth", test: true, target: "store/sqlstore", ours: true, ok: true},
		{folder: "pushauth", target: "internal/standin/apns", ours: true},
		{folder: "pushauth", test: true, target: "internal/standin/apns", ours: true, ok: true},
		{folder: "pushauth", target: "cmd/tokenserver", ours: true},
		{folder: "pushauth", target: echo, ok: true},
		{folder: "cmd/tokenserver", target: "pushauth", ours: true, ok: true},
		{folder: "cmd/tokenserver", target: "store/redisstore", ours: true, ok: true},
		{folder: "cmd/tokenserver", target: "internal/standin/apns", ours: true, ok: true},
		{folder: "cmd/tokenserver", target: "gorm.io/gorm"},
		{folder: "cmd/tokenserver", target: "github.com/redis/go-redis/v9"},
		{folder: "audit", target: "store", ours: true},
		{folder: "store", target: "audit", ours: true},
		{folder: "store", target: "gorm.io/gorm"},
		{folder: "store/sqlstore", target: "gorm.io/gorm", ok: true},
		{folder: "store/sqlstore", target: "modernc.org/sqlite", ok: true},
		{folder: "store/sqlstore", target: "store", ours: true, ok: true},
		{folder: "store/sqlstore", target: "audit", ours: true, ok: true},
		{folder: "store/sqlstore", target: "oauth", ours: true},
		{folder: "store/sqlstore", target: "github.com/redis/go-redis/v9"},
		{folder: "store/redisstore", target: "github.com/alicebob/miniredis/v2", ok: true},
		{folder: "oauth", target: "github.com/jackc/pgx/v5"},
		{folder: "oauth", test: true, target: "gorm.io/gorm"},
		{folder: "internal/token", target: echo},
		{folder: "internal/token", test: true, target: echo, ok: true},
		{folder: "internal/token", target: "internal/web", ours: true},
		{folder: "internal/token", target: "oauth", ours: true},
		{folder: "internal/token", target: "store", ours: true, ok: true},
		{folder: "internal/tokens", target: echo, ok: true}, // another package, not the kernel
		{folder: "internal/web", target: "internal/outcome", ours: true, ok: true},
		{folder: "internal/web", target: "admin", ours: true},
		{folder: "internal/outcome", target: "audit", ours: true, ok: true},
		{folder: "internal/outcome", target: "store", ours: true},
		{folder: "phone", target: "audit", ours: true},
		{folder: "phone", test: true, target: "internal/standin/idp", ours: true},
		{folder: "phone", target: "phone/ocra", ours: true, ok: true},
		{folder: "phone", target: "golang.org/x/crypto/hkdf", ok: true},
		{folder: "oauth", target: "phone", ours: true},
		{folder: "e2e", test: true, target: "phone", ours: true, ok: true},
		{folder: "e2e", test: true, target: "internal/testenv", ours: true, ok: true},
		{folder: "e2e", test: true, target: "audit", ours: true},
		{folder: "e2e", test: true, target: "store/sqlstore", ours: true},
		{folder: "bench", target: "phone", ours: true, ok: true},
		{folder: "bench", target: "store/sqlstore", ours: true, ok: true},
		{folder: "oauth", target: "bench", ours: true},
		{folder: "oauth", target: "internal/testenv", ours: true},
		{folder: "oauth", test: true, target: "internal/testenv", ours: true, ok: true},
		{folder: "internal/audittest", target: "store/sqlstore", ours: true, ok: true},
		{folder: "oauth", target: "internal/audittest", ours: true},
		{folder: "oauth", test: true, target: "internal/audittest", ours: true, ok: true},
		{folder: "internal/testenv", target: "github.com/jackc/pgx/v5", ok: true},
	} {
		if why := complaint(tc.folder, tc.test, tc.target, tc.ours); (why == "") != tc.ok {
			t.Errorf("%s (test %v) imports %s: complaint %q, allowed %v", tc.folder, tc.test, tc.target, why, tc.ok)
		}
	}

	serves := parse(t, "internal/keys/x.go", "package keys\nimport \"net/http\"\nfunc f(w http.ResponseWriter, r *http.Request) {}\n")
	if n := len(handlerUses(serves)); n != 1 {
		t.Errorf("%d uses of net/http to serve, want 1", n)
	}
}
