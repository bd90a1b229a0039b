package audit_test

import (
	"os"
	"strings"
	"testing"

	"tokenserver/audit"
)

// TestCatalogueIsWhatWasGenerated compares catalogue.txt with the constants: two tables drift, one cannot.
func TestCatalogueIsWhatWasGenerated(t *testing.T) {
	text, err := os.ReadFile("catalogue.txt")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	entries := audit.Catalogue()
	if len(lines) != len(entries) {
		t.Fatalf("%d lines, %d constants: run go generate ./audit", len(lines), len(entries))
	}
	core := 0
	for i, e := range entries {
		if got := strings.Join([]string{string(e.Code), string(e.Kind), e.Area, string(e.Outcome), e.Description}, "\t"); got != lines[i] {
			t.Errorf("constant %q is not line %d of the catalogue: run go generate ./audit", got, i+1)
		}
		if e.Kind == audit.Core {
			core++
		}
	}
	if core != 272 {
		t.Errorf("%d core codes, want 272: the core is closed", core)
	}
}

// TestEveryExtensionCodeIsWritten: what we add ourselves must be in use. docs/audit.md is generated with the writers.
func TestEveryExtensionCodeIsWritten(t *testing.T) {
	page, err := os.ReadFile("../docs/audit.md")
	if err != nil {
		t.Fatal(err)
	}
	unreached, err := os.ReadFile("../docs/audit-unreached.txt")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range audit.Catalogue() {
		row := "| `" + string(e.Code) + "` |"
		i := strings.Index(string(page), row)
		if i < 0 {
			t.Errorf("docs/audit.md lacks %s: run make generate", e.Code)
			continue
		}
		line, _, _ := strings.Cut(string(page)[i:], "\n")
		written := !strings.HasSuffix(line, "| – |")
		excused := strings.Contains("\n"+string(unreached), "\n"+string(e.Code)+"\t")
		if !written && !excused {
			t.Errorf("nobody writes %s, and docs/audit-unreached.txt gives no reason", e.Code)
		}
	}
}
