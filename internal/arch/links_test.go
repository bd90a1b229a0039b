package arch

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

var (
	inlineLink    = regexp.MustCompile(`\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)`)
	referenceLink = regexp.MustCompile(`(?m)^\s{0,3}\[[^\]]+\]:\s+<?(\S+?)>?(?:\s|$)`)
	codeSpan      = regexp.MustCompile("`[^`\n]*`")
	heading       = regexp.MustCompile(`(?m)^#{1,6}\s+(.+?)\s*#*\s*$`)
	anchorTag     = regexp.MustCompile(`<a\s+(?:id|name)="([^"]+)"`)
)

// withoutFences drops fenced code, where brackets are no links and # opens no heading.
func withoutFences(text string) string {
	var kept strings.Builder
	fence := ""
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		switch {
		case fence != "":
			if strings.HasPrefix(trimmed, fence) {
				fence = ""
			}
		case strings.HasPrefix(trimmed, "```"):
			fence = "```"
		case strings.HasPrefix(trimmed, "~~~"):
			fence = "~~~"
		default:
			kept.WriteString(line)
		}
	}
	return kept.String()
}

// links lists the targets of a page that are not on the Internet.
func links(text string) []string {
	text = codeSpan.ReplaceAllString(withoutFences(text), "")
	var targets []string
	for _, pattern := range []*regexp.Regexp{inlineLink, referenceLink} {
		for _, match := range pattern.FindAllStringSubmatch(text, -1) {
			if u, err := url.Parse(match[1]); err != nil || u.Scheme == "" {
				targets = append(targets, match[1])
			}
		}
	}
	return targets
}

// anchors lists the places of a page that a fragment can name, in the way code hosts derive them from headings.
func anchors(text string) map[string]bool {
	text = withoutFences(text)
	found := map[string]bool{}
	for _, match := range heading.FindAllStringSubmatch(text, -1) {
		slug := strings.Map(func(r rune) rune {
			switch {
			case r == ' ':
				return '-'
			case r == '-' || r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r):
				return unicode.ToLower(r)
			}
			return -1
		}, match[1])
		found[slug] = true
	}
	for _, match := range anchorTag.FindAllStringSubmatch(text, -1) {
		found[match[1]] = true
	}
	return found
}

// broken says what is wrong with a link on a page, or "". Pages are read through read, which fails for missing paths.
func broken(page, target string, read func(string) (string, error)) string {
	u, err := url.Parse(target)
	if err != nil {
		return "unreadable"
	}
	file := page
	if u.Path != "" {
		if strings.HasPrefix(u.Path, "/") {
			return "absolute: it works on no reader's machine"
		}
		file = path.Join(path.Dir(page), u.Path)
	}
	text, err := read(file)
	if err != nil {
		return "leads nowhere"
	}
	if u.Fragment != "" && path.Ext(file) == ".md" && !anchors(text)[u.Fragment] {
		return "no such heading"
	}
	return ""
}

func TestLinks(t *testing.T) {
	dir := root(t)
	read := func(file string) (string, error) {
		full := filepath.Join(dir, filepath.FromSlash(file))
		if info, err := os.Stat(full); err != nil || info.IsDir() {
			return "", err
		}
		text, err := os.ReadFile(full)
		return string(text), err
	}
	for _, page := range files(t, ".md") {
		text, err := read(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, target := range links(text) {
			if why := broken(page, target, read); why != "" {
				t.Errorf("%s: link %s: %s", page, target, why)
			}
		}
	}
}

func TestRulesOfLinks(t *testing.T) {
	pages := map[string]string{
		"README.md":       "# Top\n",
		"docs/adr/1.md":   "# One Store, two: `duties`\n<a id=\"here\"></a>\n```\n# not a heading\n```\n",
		"docs/diagram.go": "package x",
	}
	read := func(file string) (string, error) {
		text, ok := pages[file]
		if !ok {
			return "", os.ErrNotExist
		}
		return text, nil
	}
	for _, tc := range []struct{ target, want string }{
		{"adr/1.md", ""},
		{"../README.md", ""},
		{"../README.md#top", ""},
		{"adr/1.md#one-store-two-duties", ""},
		{"adr/1.md#here", ""},
		{"diagram.go#L1", ""},
		{"adr/1.md#not-a-heading", "no such heading"},
		{"adr/2.md", "leads nowhere"},
		{"../docs/../docs/adr/2.md", "leads nowhere"},
		{"/docs/adr/1.md", "absolute: it works on no reader's machine"},
	} {
		if got := broken("docs/index.md", tc.target, read); got != tc.want {
			t.Errorf("%s: %q, want %q", tc.target, got, tc.want)
		}
	}

	text := "[a](one.md) ![b](two.png \"title\") `[c](no.md)` [d](https://example.org/x) [e][r]\n\n[r]: three.md\n\n```\n[f](no.md)\n```\n[g](mailto:x@example.org) [h](#top)\n"
	if got := strings.Join(links(text), " "); got != "one.md two.png #top three.md" {
		t.Errorf("links: %s", got)
	}
}
