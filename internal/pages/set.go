package pages

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"path"
	"slices"
	"strings"
)

//go:embed templates texts assets
var files embed.FS

// set is one way the pages look. The built-in one is whole; each other one is laid over it and whole again.
type set struct {
	sources   map[string]source // page or part → its text
	templates map[string]*template.Template
	texts     map[string]map[string]string // language → key → text
	styles    []string                     // served names; later ones win
	logo      string                       // served name; "" = none
}

// source is the text of a template, under the name that errors call it.
type source struct{ name, text string }

// parts are what the pages are built from: the frame of all of them, and the line that names the client.
func parts() []string { return []string{"layout", "client"} }

// overlay is what a template set says: some of the pages, some of the texts, a style, a logo.
type overlay struct {
	sources map[string]source
	texts   map[string]map[string]string
	style   string // served name; "" = none
	logo    string
}

// under returns a copy of s with o laid over it; nil changes nothing. The copy is not parsed yet.
func (s *set) under(o *overlay) *set {
	copied := &set{
		sources: maps.Clone(s.sources), texts: map[string]map[string]string{}, styles: slices.Clone(s.styles), logo: s.logo,
	}
	for language, texts := range s.texts {
		copied.texts[language] = maps.Clone(texts)
	}
	if o == nil {
		return copied
	}
	maps.Copy(copied.sources, o.sources)
	for language, texts := range o.texts {
		maps.Copy(copied.texts[language], texts)
	}
	if o.style != "" {
		copied.styles = append(copied.styles, o.style)
	}
	if o.logo != "" {
		copied.logo = o.logo
	}
	return copied
}

// parse makes the templates from their sources.
func (s *set) parse() error {
	s.templates = map[string]*template.Template{}
	var problems []error
	for _, k := range kinds() {
		t := template.New("pages")
		failed := false
		for _, name := range append(parts(), k.name) {
			if _, err := t.New(s.sources[name].name).Parse(s.sources[name].text); err != nil {
				problems, failed = append(problems, err), true
			}
		}
		for name, in := range map[string]string{"layout": "layout", "client": "client", "page": k.name} {
			if !failed && t.Lookup(name) == nil {
				problems = append(problems, fmt.Errorf("%s:1: defines no template %q", s.sources[in].name, name))
			}
		}
		s.templates[k.name] = t
	}
	return joined(problems)
}

// joined joins errors and says each thing once.
func joined(problems []error) error {
	said := map[string]bool{}
	return errors.Join(slices.DeleteFunc(problems, func(err error) bool {
		if err == nil || said[err.Error()] {
			return true
		}
		said[err.Error()] = true
		return false
	})...)
}

// readBuiltIn reads the embedded files.
func (p *Pages) readBuiltIn() (*set, error) {
	s := &set{sources: map[string]source{}, texts: map[string]map[string]string{}}
	names := parts()
	for _, k := range kinds() {
		names = append(names, k.name)
	}
	for _, name := range names {
		file := "templates/" + name + ".html"
		content, err := files.ReadFile(file)
		if err != nil {
			return nil, err
		}
		s.sources[name] = source{file, string(content)}
	}
	for _, language := range Languages() {
		file := "texts/" + language + ".json"
		content, err := files.ReadFile(file)
		if err != nil {
			return nil, err
		}
		texts, err := readTexts(file, content)
		if err != nil {
			return nil, err
		}
		s.texts[language] = textMap(texts)
	}
	for _, file := range []string{"page.css", "page.js", "checksession.js", "icon.svg"} {
		content, err := files.ReadFile("assets/" + file)
		if err != nil {
			return nil, err
		}
		p.names[file] = p.serve(file, content)
	}
	s.styles = []string{p.names["page.css"]}
	return s, s.parse()
}

// asset is a file that is served as it is.
type asset struct {
	kind    string
	content []byte
}

// assetKinds are the content types by extension.
func assetKinds() map[string]string {
	return map[string]string{
		".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8",
		".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp",
	}
}

// serve makes an asset available under a name that changes with its content, which it returns.
func (p *Pages) serve(file string, content []byte) string {
	hash := sha256.Sum256(content)
	extension := path.Ext(file)
	name := strings.TrimSuffix(path.Base(file), extension) + "." + hex.EncodeToString(hash[:8]) + extension
	p.assets[name] = asset{assetKinds()[extension], content}
	return name
}

func (p *Pages) assetPath(name string) string { return p.base + "/pages/" + name }
