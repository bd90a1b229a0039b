package phone

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// maxText is how much of the visible text of a page is kept for error messages.
const maxText = 200

// Page is what a user sees of an HTML page: its forms, and where it wants to go on.
type Page struct {
	Forms    []Form
	Continue string // href of <a id="continue">, the way back into the app; empty: none
	Text     string // visible text, blanks collapsed, at most 200 characters
}

// Form is one HTML form.
type Form struct {
	Action string // as written; empty means the page itself
	Method string // GET or POST
	Inputs []Input
}

// Input is a named field or button of a form.
type Input struct {
	Name  string
	Type  string // lower case: text, hidden, password, submit …
	Value string
}

// button says whether the input counts only when pressed (or ticked).
func (i Input) button() bool {
	return slices.Contains([]string{"submit", "button", "image", "reset", "checkbox", "radio", "file"}, i.Type)
}

// Has says whether the form has a field of that name that a user can fill in.
func (f Form) Has(name string) bool {
	return slices.ContainsFunc(f.Inputs, func(i Input) bool { return i.Name == name && !i.button() && i.Type != "hidden" })
}

// Button says whether the form has a button of that name.
func (f Form) Button(name string) bool {
	return slices.ContainsFunc(f.Inputs, func(i Input) bool { return i.Name == name && i.button() })
}

// value is that of a field; empty: there is none.
func (f Form) value(name string) string {
	for _, input := range f.Inputs {
		if input.Name == name {
			return input.Value
		}
	}
	return ""
}

// onlyHidden says whether there is nothing to fill in.
func (f Form) onlyHidden() bool {
	return !slices.ContainsFunc(f.Inputs, func(i Input) bool { return !i.button() && i.Type != "hidden" })
}

// ParsePage reads HTML as a browser would; bad markup is repaired, not refused. The error is the reader's.
func ParsePage(r io.Reader) (*Page, error) {
	root, err := html.ParseWithOptions(r, html.ParseOptionEnableScripting(false)) // this user runs no scripts
	if err != nil {
		return nil, fmt.Errorf("parse page: %w", err)
	}
	page := &Page{}
	owners := make(map[string]int) // id of a form → its index, for controls outside of it
	var text strings.Builder
	form := -1
	var walk func(*html.Node)
	walk = func(n *html.Node) {
		outer := form
		switch {
		case n.Type == html.TextNode && !hidden(n.Parent):
			if text.Len() < maxText {
				text.WriteString(" " + n.Data)
			}
		case n.DataAtom == atom.Form:
			page.Forms = append(page.Forms, newForm(n))
			form = len(page.Forms) - 1
			if id := attribute(n, "id"); id != "" {
				owners[id] = form
			}
		case n.DataAtom == atom.A && attribute(n, "id") == "continue":
			page.Continue = attribute(n, "href")
		case n.DataAtom == atom.Input || n.DataAtom == atom.Button || n.DataAtom == atom.Textarea || n.DataAtom == atom.Select:
			owner := form
			if index, ok := owners[attribute(n, "form")]; ok {
				owner = index
			}
			if owner >= 0 && attribute(n, "name") != "" {
				page.Forms[owner].Inputs = append(page.Forms[owner].Inputs, newInput(n))
			}
		}
		for child := n.FirstChild; child != nil; child = child.NextSibling {
			walk(child)
		}
		form = outer
	}
	walk(root)
	page.Text = shorten(strings.Join(strings.Fields(text.String()), " "))
	return page, nil
}

func newForm(n *html.Node) Form {
	method := strings.ToUpper(attribute(n, "method"))
	if method != http.MethodPost {
		method = http.MethodGet
	}
	return Form{Action: attribute(n, "action"), Method: method}
}

func newInput(n *html.Node) Input {
	kind := strings.ToLower(attribute(n, "type"))
	switch {
	case n.DataAtom == atom.Button && kind == "":
		kind = "submit"
	case kind == "":
		kind = "text"
	}
	value := attribute(n, "value")
	if n.DataAtom == atom.Textarea && n.FirstChild != nil {
		value = n.FirstChild.Data
	}
	return Input{Name: attribute(n, "name"), Type: kind, Value: value}
}

// hidden says whether text inside the element is not shown.
func hidden(n *html.Node) bool {
	return n != nil && (n.DataAtom == atom.Script || n.DataAtom == atom.Style || n.DataAtom == atom.Template)
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// shorten cuts a text at maxText characters.
func shorten(text string) string {
	runes := []rune(text)
	if len(runes) <= maxText {
		return text
	}
	return string(runes[:maxText]) + "…"
}
