// Command gen turns catalogue.txt into codes_gen.go (one constant for each code, and the table of descriptions) and into
// docs/audit.md. It runs in the folder of package audit.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"go/format"
	"log/slog"
	"os"
	"strings"
)

// initialisms are written in capitals inside a Go name.
var initialisms = map[string]bool{
	"API": true, "CSRF": true, "FIDO": true, "ID": true, "IDP": true, "JWT": true, "OS": true, "PIN": true, "SMS": true, "URL": true,
}

func main() {
	if err := generate("catalogue.txt", "codes_gen.go", "../docs/audit.md"); err != nil {
		slog.Error("generate audit codes", "error", err)
		os.Exit(1)
	}
}

func generate(from, code, doc string) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	entries, err := parse(string(text))
	if err != nil {
		return err
	}
	source, err := render(entries)
	if err != nil {
		return err
	}
	used, err := writers("..")
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(code, source, 0o644), os.WriteFile(doc, page(entries, used), 0o644))
}

// entry is one line of the catalogue.
type entry struct {
	code, kind, area, outcome, description string
}

// parse reads five columns divided by tabs.
func parse(catalogue string) ([]entry, error) {
	var entries []entry
	seen := map[string]bool{}
	for i, line := range strings.Split(strings.TrimSpace(catalogue), "\n") {
		columns := strings.Split(line, "\t")
		if len(columns) != 5 {
			return nil, fmt.Errorf("line %d: %d columns, want code, kind, area, outcome, description", i+1, len(columns))
		}
		e := entry{columns[0], columns[1], columns[2], columns[3], columns[4]}
		if seen[e.code] {
			return nil, fmt.Errorf("line %d: %s stands twice", i+1, e.code)
		}
		seen[e.code] = true
		if e.kind != "core" && e.kind != "extension" {
			return nil, fmt.Errorf("line %d: kind %q", i+1, e.kind)
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// render makes the Go source of a catalogue.
func render(entries []entry) ([]byte, error) {
	var constants, table bytes.Buffer
	for _, e := range entries {
		fmt.Fprintf(&constants, "\t%s Code = %q // %s\n", goName(e.code), e.code, e.description)
		fmt.Fprintf(&table, "\t{Code: %s, Kind: %s, Area: %q, Outcome: %s, Description: %q},\n",
			goName(e.code), goName(e.kind), e.area, goName(e.outcome), e.description)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "// Code generated from catalogue.txt by go generate. DO NOT EDIT.\n\npackage audit\n\n")
	fmt.Fprintf(&out, "// The codes of the catalogue, in its order.\nconst (\n%s)\n\n", constants.String())
	fmt.Fprintf(&out, "// catalogue describes every code, in the order of catalogue.txt.\nvar catalogue = [...]Entry{\n%s}\n", table.String())
	return format.Source(out.Bytes())
}

// goName turns TOKEN_REQUEST_INVALID into TokenRequestInvalid.
func goName(code string) string {
	var name strings.Builder
	for _, word := range strings.Split(strings.ToUpper(code), "_") {
		switch {
		case word == "":
		case initialisms[word]:
			name.WriteString(word)
		default:
			name.WriteString(word[:1] + strings.ToLower(word[1:]))
		}
	}
	return name.String()
}
