package pages

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// text is one entry of a file of texts.
type text struct {
	key, value string
	line       int
}

// readTexts reads one JSON object of texts. The error names file and line.
func readTexts(file string, content []byte) ([]text, error) {
	d := json.NewDecoder(bytes.NewReader(content))
	line := func() int { return 1 + bytes.Count(content[:d.InputOffset()], []byte("\n")) }
	var texts []text
	seen := map[string]bool{}
	var syntax *json.SyntaxError
	fail := func(err error) ([]text, error) {
		at := line()
		if errors.As(err, &syntax) {
			at = 1 + bytes.Count(content[:min(int(syntax.Offset), len(content))], []byte("\n"))
		}
		return nil, fmt.Errorf("%s:%d: %w", file, at, err)
	}
	if open, err := d.Token(); err != nil || open != json.Delim('{') {
		return fail(errors.Join(errors.New("is no JSON object"), err))
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return fail(err)
		}
		t := text{line: line()}
		t.key, _ = key.(string)
		value, err := d.Token()
		if err != nil {
			return fail(err)
		}
		var ok bool
		if t.value, ok = value.(string); !ok {
			return fail(fmt.Errorf("%q is no text", t.key))
		}
		if seen[t.key] {
			return fail(fmt.Errorf("%q is there twice", t.key))
		}
		seen[t.key] = true
		texts = append(texts, t)
	}
	if _, err := d.Token(); err != nil {
		return fail(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fail(errors.New("something follows the object"))
	}
	return texts, nil
}

// ownText is how the keys of texts begin that a template set makes up for its own templates.
const ownText = "own."

// checkTexts finds what is wrong with the texts of a template set: keys must be known, placeholders those of the English
// text.
func (s *set) checkTexts(file string, texts []text) error {
	var problems []error
	for _, t := range texts {
		english, known := s.texts[English][t.key]
		own := strings.HasPrefix(t.key, ownText)
		switch {
		case !known && !own:
			problems = append(problems, fmt.Errorf("%s:%d: %q is no text of a page; one of your own begins with %q", file, t.line, t.key, ownText))
		case !own && !slices.Equal(placeholders(english), placeholders(t.value)):
			problems = append(problems, fmt.Errorf("%s:%d: %q wants the placeholders %q in this order", file, t.line, t.key, placeholders(english)))
		}
	}
	return errors.Join(problems...)
}

func textMap(texts []text) map[string]string {
	m := make(map[string]string, len(texts))
	for _, t := range texts {
		m[t.key] = t.value
	}
	return m
}

// placeholders returns the verbs of a text.
func placeholders(text string) []string {
	return regexp.MustCompile(`%[^%]`).FindAllString(strings.ReplaceAll(text, "%%", ""), -1)
}
