package pages_test

import (
	"os"
	"strings"
	"testing"

	"tokenserver/internal/pages"
)

// TestTheHandbookNamesEveryPage: docs/templates.md has a section for every template, with every variable.
func TestTheHandbookNamesEveryPage(t *testing.T) {
	content, err := os.ReadFile("../../docs/templates.md")
	if err != nil {
		t.Fatal(err)
	}
	handbook := string(content)
	for page, variables := range pages.Variables() {
		_, section, found := strings.Cut(handbook, "\n### `"+page+"`\n")
		if !found {
			t.Errorf("no section for %s", page)
			continue
		}
		section, _, _ = strings.Cut(section, "\n### ")
		for _, name := range variables {
			if !strings.Contains(section, "`."+name+"`") {
				t.Errorf("%s: .%s is not described", page, name)
			}
		}
	}
}
