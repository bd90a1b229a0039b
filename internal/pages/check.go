package pages

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
)

// rule names something in a file that the policy of the pages keeps the browser from using.
type rule struct {
	pattern *regexp.Regexp
	why     string
}

func templateRules() []rule {
	return []rule{
		{regexp.MustCompile(`(?i)<script\b(?:[^>]*\bsrc\s*=)?[^>]*>\s*[^<\s]`), "a script inside the page does not run"},
		{regexp.MustCompile(`(?i)<script\b(?:(?:"[^"]*"|'[^']*'|[^>"'])*)>`), "only .Asset \"page.js\" runs as a script"},
		{regexp.MustCompile(`(?i)<style\b`), "a style inside the page has no effect: write it into page.css"},
		{regexp.MustCompile(`(?i)<[a-z][^>]*\sstyle\s*=`), "a style attribute has no effect: write it into page.css"},
		{regexp.MustCompile(`(?i)<[a-z][^>]*\son[a-z]+\s*=`), "an event attribute does not run"},
		{regexp.MustCompile(`(?i)<(?:iframe|frame|object|embed|base|audio|video)\b`), "this element is not loaded"},
		{regexp.MustCompile(`(?i)<(?:img|link|script)\b[^>]*\b(?:src|href)\s*=\s*["']?\s*(?:https?:)?//`), "nothing of another server is loaded"},
	}
}

func styleRules() []rule {
	return []rule{
		{regexp.MustCompile(`(?i)@import\b`), "nothing is imported into a style"},
		{regexp.MustCompile(`(?i)@font-face\b`), "no font is loaded"},
		{regexp.MustCompile(`(?i)url\(\s*["']?\s*(?:[a-z][a-z0-9+.-]*:)?//`), "nothing of another server is loaded"},
		{regexp.MustCompile(`(?i)url\(\s*["']?\s*data:`), "no data address is loaded"},
	}
}

// ownScript is how a template may ask for the script of the pages.
var ownScript = regexp.MustCompile(`^<script defer src="\{\{\s*\.Asset "page\.js"\s*\}\}">$`)

// refused names file and line of everything that breaks a rule.
func refused(file string, content []byte, rules []rule) error {
	var problems []error
	for _, r := range rules {
		for _, at := range r.pattern.FindAllIndex(content, -1) {
			if ownScript.Match(content[at[0]:at[1]]) {
				continue
			}
			line := 1 + bytes.Count(content[:at[0]], []byte("\n"))
			problems = append(problems, fmt.Errorf("%s:%d: %s", file, line, r.why))
		}
	}
	return joined(problems)
}

// check tells whether every page can be shown with an overlay, in every language, and still carries the fields that the
// server waits for.
func (p *Pages) check(o *overlay) error {
	s := p.builtIn.under(o)
	if err := s.parse(); err != nil {
		return err
	}
	var problems []error
	for _, k := range kinds() {
		for _, sample := range k.samples {
			for _, language := range Languages() {
				if err := p.checkPage(s, k, sample, language); err != nil {
					problems = append(problems, err)
				}
			}
		}
	}
	return joined(problems)
}

func (p *Pages) checkPage(s *set, k kind, sample any, language string) error {
	v := view{Language: language, Title: k.title, Script: true, Logo: "https://client.example/logo.svg", Page: sample, pages: p}
	rendered := func(s *set) ([]byte, error) {
		v.set = s
		var page bytes.Buffer
		err := s.templates[k.name].ExecuteTemplate(&page, "layout", v)
		return page.Bytes(), err
	}
	page, err := rendered(s)
	if err != nil {
		return err
	}
	model, err := rendered(p.builtIn)
	if err != nil {
		return err
	}
	file := s.sources[k.name].name
	has, err := fields(page)
	if err != nil {
		return fmt.Errorf("%s:1: %w", file, err)
	}
	wants, err := fields(model)
	if err != nil {
		return err
	}
	for _, field := range wants {
		if !slices.Contains(has, field) {
			return fmt.Errorf("%s:1: lacks %s, which the server waits for", file, field)
		}
	}
	return nil
}

// fields returns what a page must have to do its work: forms, the names of their fields, and the elements that the script
// looks for.
func fields(page []byte) ([]string, error) {
	z := html.NewTokenizer(bytes.NewReader(page))
	var found []string
	for {
		switch z.Next() {
		case html.TextToken, html.EndTagToken, html.CommentToken, html.DoctypeToken:
		case html.ErrorToken:
			if err := z.Err(); !errors.Is(err, io.EOF) {
				return nil, err
			}
			return found, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			for _, a := range t.Attr {
				switch {
				case a.Key == "action" && t.Data == "form":
					found = append(found, fmt.Sprintf("the form to %q", a.Val))
				case a.Key == "name" && slices.Contains([]string{"input", "button", "select", "textarea"}, t.Data):
					found = append(found, fmt.Sprintf("the field %q", a.Val))
				case a.Key == "id" && (a.Val == "continue" || a.Val == "answer"):
					found = append(found, fmt.Sprintf("the element with id %q", a.Val))
				case a.Key == "src" && t.Data == "iframe":
					found = append(found, fmt.Sprintf("the frame of %q (.FrameElements)", a.Val))
				case a.Key == "href" && t.Data == "a" && !strings.HasPrefix(a.Val, "#"):
					found = append(found, fmt.Sprintf("the link to %q", a.Val))
				}
			}
		}
	}
}
