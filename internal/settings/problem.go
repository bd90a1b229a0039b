package settings

import (
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that keeps a document from being applied.
type Problem struct {
	Path string // in the document, for example "applications[2].versions[0].platform"
	Text string // what is wrong and what to do; never a secret
}

func (p Problem) Error() string { return p.Path + ": " + p.Text }

// Invalid says that a document cannot be applied, with all that is wrong with it.
type Invalid struct {
	Problems []Problem
}

// Error lists the problems, one on each line.
func (e *Invalid) Error() string {
	lines := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the problems to errors.Is and errors.As.
func (e *Invalid) Unwrap() []error {
	all := make([]error, len(e.Problems))
	for i, p := range e.Problems {
		all[i] = p
	}
	return all
}

// problems collects.
type problems []Problem

func (p *problems) add(path, format string, args ...any) {
	*p = append(*p, Problem{path, fmt.Sprintf(format, args...)})
}

func (p problems) clone() problems { return slices.Clone(p) }

func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &Invalid{p}
}
