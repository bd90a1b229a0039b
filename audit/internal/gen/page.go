package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

const pageHead = `# Audit codes

Generated from ` + "`audit/catalogue.txt`" + ` by ` + "`make generate`" + `. Core codes are closed and exact: an outcome that has one writes it and
nothing finer; the finer reason stands in the details of the event. Extension codes are ours, for outcomes that the core has
no code for. The last column names the files that write the code, tests left out; a dash means that no endpoint writes it yet
(the reason stands in [audit-unreached.txt](audit-unreached.txt)).

How an event looks, how the log is sealed and how it is exported: [operations.md](operations.md#the-audit-log).
`

// page renders docs/audit.md: a table for each area.
func page(entries []entry, writers map[string][]string) []byte {
	var out bytes.Buffer
	out.WriteString(pageHead)
	var areas []string
	for _, e := range entries {
		if !slices.Contains(areas, e.area) {
			areas = append(areas, e.area)
		}
	}
	for _, area := range areas {
		fmt.Fprintf(&out, "\n## %s\n\n| Code | Kind | Outcome | Meaning | Written in |\n|---|---|---|---|---|\n", area)
		for _, e := range entries {
			if e.area != area {
				continue
			}
			in := "–"
			if files := writers[goName(e.code)]; len(files) > 0 {
				in = "`" + strings.Join(files, "`, `") + "`"
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s | %s |\n", e.code, e.kind, e.outcome, strings.ReplaceAll(e.description, "|", `\|`), in)
		}
	}
	return out.Bytes()
}

// writers finds the files below root that name a constant of package audit, by constant.
func writers(root string) (map[string][]string, error) {
	use := regexp.MustCompile(`\baudit\.([A-Z]\w+)`)
	found := map[string]map[string]bool{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", "audit", "e2e", "bench", "demo", "build", "tools", "audittest"}, d.Name()):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, match := range use.FindAllSubmatch(text, -1) {
			constant := string(match[1])
			if found[constant] == nil {
				found[constant] = map[string]bool{}
			}
			found[constant][filepath.ToSlash(name)] = true
		}
		return nil
	})
	result := make(map[string][]string, len(found))
	for constant, files := range found {
		result[constant] = slices.Sorted(maps.Keys(files))
	}
	return result, err
}
