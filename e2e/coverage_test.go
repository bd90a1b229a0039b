package e2e_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// coverage collects which codes of the catalogue the servers have stored, and for which test.
type coverage struct {
	mu   sync.Mutex
	seen map[string]map[string]bool // code → names of tests
}

func newCoverage() *coverage { return &coverage{seen: map[string]map[string]bool{}} }

// add counts the events of one deployment. A transaction id of ours names the test.
func (c *coverage) add(deployment string, events []event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range events {
		test, _, ours := strings.Cut(e.Transaction, "#")
		if !ours {
			test = "background of " + deployment
		}
		if c.seen[e.Code] == nil {
			c.seen[e.Code] = map[string]bool{}
		}
		c.seen[e.Code][test] = true
	}
}

// coverageReport is build/audit-coverage.json.
type coverageReport struct {
	Catalogue int                 `json:"catalogue"` // core codes
	Seen      int                 `json:"seen"`      // core codes seen
	Codes     map[string][]string `json:"codes"`     // every code seen, extensions too → names of tests
	Unreached map[string]string   `json:"unreached"` // core code → why
}

// report writes build/audit-coverage.json. When the whole suite has run, every core code must have been seen or be listed in
// docs/audit-unreached.txt, and not both.
func (c *coverage) report(root string, whole bool) error {
	core, err := columns(filepath.Join(root, "audit", "catalogue.txt"), 3)
	if err != nil {
		return err
	}
	listed, err := columns(filepath.Join(root, "docs", "audit-unreached.txt"), 2)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	report := coverageReport{Codes: map[string][]string{}, Unreached: map[string]string{}}
	for code, tests := range c.seen {
		for test := range tests {
			report.Codes[code] = append(report.Codes[code], test)
		}
		slices.Sort(report.Codes[code])
	}
	var errs []error
	known := map[string]bool{}
	for _, line := range core {
		if line[1] != "core" {
			continue
		}
		code := line[0]
		known[code] = true
		report.Catalogue++
		if len(c.seen[code]) > 0 {
			report.Seen++
		}
	}
	for _, line := range listed {
		code, why := line[0], line[1]
		report.Unreached[code] = why
		switch {
		case !known[code]:
			errs = append(errs, fmt.Errorf("docs/audit-unreached.txt lists %s, which is no core code", code))
		case why == "":
			errs = append(errs, fmt.Errorf("docs/audit-unreached.txt gives no reason for %s", code))
		case len(c.seen[code]) > 0:
			errs = append(errs, fmt.Errorf("docs/audit-unreached.txt lists %s, which %s has seen", code, report.Codes[code][0]))
		}
	}
	for code := range known {
		if _, is := report.Unreached[code]; !is && len(c.seen[code]) == 0 {
			errs = append(errs, fmt.Errorf("no test has seen %s, and docs/audit-unreached.txt does not say why", code))
		}
	}
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return fmt.Errorf("encode: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(root, "build"), 0o750); err != nil {
		return fmt.Errorf("make build: %w", err)
	}
	if err := os.WriteFile(filepath.Join(root, "build", "audit-coverage.json"), append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	_, _ = fmt.Fprintf(os.Stderr, "e2e: %d of %d core codes seen, build/audit-coverage.json\n", report.Seen, report.Catalogue)
	if !whole {
		return nil
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// columns reads a file of lines with tabs; lines that begin with # do not count.
func columns(path string, n int) ([][]string, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	defer func() { _ = file.Close() }()
	var rows [][]string
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		if line := lines.Text(); line != "" && !strings.HasPrefix(line, "#") {
			row := strings.SplitN(line, "\t", n)
			for len(row) < n {
				row = append(row, "")
			}
			rows = append(rows, row)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read: %w", err)
	}
	return rows, nil
}
