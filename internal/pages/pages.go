package pages

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"unicode"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/web"
)

//go:embed templates texts assets
var files embed.FS

// Pages renders pages. Safe for concurrent use.
type Pages struct {
	base      string // path of the group that serves the assets, for example /oauth
	secure    bool   // the public address is https
	templates map[string]*template.Template
	texts     map[string]map[string]string // language → key → text
	assets    map[string]asset             // served name → content
	names     map[string]string            // file → served name
}

type asset struct {
	kind    string
	content []byte
}

// New reads the embedded files. publicURL is the public base URL with the path of the group that Routes gets, which is
// the issuer.
func New(publicURL string) (*Pages, error) {
	public, err := url.Parse(publicURL)
	if err != nil {
		return nil, fmt.Errorf("public address: %w", err)
	}
	p := &Pages{
		base: public.Path, secure: public.Scheme == "https", templates: map[string]*template.Template{},
		texts: map[string]map[string]string{}, assets: map[string]asset{}, names: map[string]string{},
	}
	return p, errors.Join(p.readTemplates(), p.readTexts(), p.readAssets())
}

func (p *Pages) readTemplates() error {
	for _, name := range []string{"signin", "consent", "complete", "post", "error"} {
		t, err := template.ParseFS(files, "templates/layout.html", "templates/"+name+".html")
		if err != nil {
			return fmt.Errorf("page %s: %w", name, err)
		}
		p.templates[name] = t
	}
	return nil
}

func (p *Pages) readTexts() error {
	for _, language := range Languages() {
		content, err := files.ReadFile("texts/" + language + ".json")
		if err != nil {
			return fmt.Errorf("texts: %w", err)
		}
		texts := map[string]string{}
		if err := json.Unmarshal(content, &texts); err != nil {
			return fmt.Errorf("texts in %s: %w", language, err)
		}
		p.texts[language] = texts
	}
	return nil
}

func (p *Pages) readAssets() error {
	for file, kind := range map[string]string{
		"page.css": "text/css; charset=utf-8", "page.js": "text/javascript; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		content, err := files.ReadFile("assets/" + file)
		if err != nil {
			return fmt.Errorf("asset: %w", err)
		}
		hash := sha256.Sum256(content)
		extension := path.Ext(file)
		name := strings.TrimSuffix(file, extension) + "." + hex.EncodeToString(hash[:8]) + extension
		p.names[file], p.assets[name] = name, asset{kind, content}
	}
	return nil
}

// Routes serves the assets. g is the group of the public address that New got.
func (p *Pages) Routes(g *echo.Group) {
	g.GET("/pages/:file", p.asset)
}

func (p *Pages) asset(c echo.Context) error {
	a, ok := p.assets[c.Param("file")]
	if !ok {
		return echo.ErrNotFound
	}
	h := c.Response().Header()
	h.Set(echo.HeaderCacheControl, "public, max-age=31536000, immutable")
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	return c.Blob(http.StatusOK, a.kind, a.content)
}

// view is what a template sees.
type view struct {
	Language string
	Title    string // key of the text
	Script   bool   // the page carries the script
	Page     any
	pages    *Pages
}

// T returns a text in the language of the page; %s stands for the arguments in order.
func (v view) T(key string, args ...any) (string, error) {
	text, ok := v.pages.texts[v.Language][key]
	if !ok {
		return "", fmt.Errorf("no text %q in %s", key, v.Language)
	}
	if len(args) == 0 {
		return text, nil
	}
	return fmt.Sprintf(text, args...), nil
}

// Initial returns the first letter of a name, for the mark beside it.
func (v view) Initial(name string) string {
	for _, r := range name {
		return string(unicode.ToUpper(r))
	}
	return ""
}

// Text returns a text in a language of ours; ok is false when there is none.
func (p *Pages) Text(language, key string) (text string, ok bool) {
	text, ok = p.texts[language][key]
	return text, ok
}

// Path returns the address of something below the public address: a path on this server.
func (p *Pages) Path(below string) string { return p.base + below }

// Asset returns the address of a style, script or picture.
func (v view) Asset(file string) string { return v.pages.base + "/pages/" + v.pages.names[file] }

// render writes one page. origins are where its form may lead besides this server.
func (p *Pages) render(c echo.Context, status int, name string, v view, origins ...string) error {
	v.pages = p
	if p.texts[v.Language] == nil {
		v.Language = English
	}
	var body bytes.Buffer
	if err := p.templates[name].ExecuteTemplate(&body, "layout", v); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	p.protect(c, v.Script, origins)
	c.Response().Header().Set("Content-Language", v.Language)
	return c.HTMLBlob(status, body.Bytes())
}

// protect sets the headers that every page has.
func (p *Pages) protect(c echo.Context, script bool, origins []string) {
	web.NoStore(c)
	policy := "default-src 'none'; style-src 'self'; img-src 'self' https:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	for _, origin := range origins {
		policy += " " + origin
	}
	if script {
		policy += "; script-src 'self'"
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentSecurityPolicy, policy)
	h.Set(echo.HeaderXFrameOptions, "DENY")
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	if p.secure {
		h.Set(echo.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// Origin returns what a Content-Security-Policy calls the target of a redirect: scheme, host and port, or the scheme
// alone when it is private to an app; "" when it cannot be said safely.
func Origin(redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme == "" || strings.ContainsAny(u.Host, " ;,'\"") {
		return ""
	}
	if u.Scheme == "http" || u.Scheme == "https" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}
