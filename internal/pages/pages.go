package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/web"
)

// Pages renders pages. Safe for concurrent use.
type Pages struct {
	base     string // path of the group that serves the assets, for example /oauth
	builtIn  *set
	overlays map[string]*overlay // by name of the template set
	made     sync.Map            // [2]*overlay: the client's, the default one → *set
	assets   map[string]asset    // served name → content
	names    map[string]string   // built-in file → served name

	checkSession *template.Template // no page that people see, so no set replaces it
}

// New returns the built-in pages. publicURL is the public base URL with the path of the group that Routes gets, which is
// the issuer.
func New(publicURL string) (*Pages, error) { return Open(publicURL, "") }

// Open is New with the template sets of a folder laid over the built-in pages; "" = none. The error names file and line
// of everything that is wrong with them.
func Open(publicURL, folder string) (*Pages, error) {
	public, err := url.Parse(publicURL)
	if err != nil {
		return nil, fmt.Errorf("public address: %w", err)
	}
	p := &Pages{
		base: public.Path, overlays: map[string]*overlay{}, assets: map[string]asset{},
		names: map[string]string{},
	}
	if p.builtIn, err = p.readBuiltIn(); err != nil {
		return nil, fmt.Errorf("built-in pages: %w", err)
	}
	if p.checkSession, err = template.ParseFS(files, "templates/check-session.html"); err != nil {
		return nil, fmt.Errorf("check session page: %w", err)
	}
	if folder != "" {
		if err := p.readSets(folder); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Sets returns the names of the template sets that clients may choose.
func (p *Pages) Sets() []string { return slices.Sorted(maps.Keys(p.overlays)) }

// view is what a template sees.
type view struct {
	Language string
	Title    string   // key of the text
	Script   bool     // the page carries the script
	Frames   []string // origins of the frames in the page
	Logo     string   // address of the client's logo; "" = none
	Page     any
	pages    *Pages
	set      *set
}

// T returns a text in the language of the page; %s stands for the arguments in order.
func (v view) T(key string, args ...any) (string, error) {
	text, ok := v.set.texts[v.Language][key]
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

// Asset returns the address of a built-in style, script or picture.
func (v view) Asset(file string) (string, error) {
	name, ok := v.pages.names[file]
	if !ok {
		return "", fmt.Errorf("no asset %q", file)
	}
	return v.pages.assetPath(name), nil
}

// Styles returns the addresses of the styles, the built-in one first.
func (v view) Styles() []string {
	paths := make([]string, len(v.set.styles))
	for i, name := range v.set.styles {
		paths[i] = v.pages.assetPath(name)
	}
	return paths
}

// Brand returns the address of the template set's logo; "" = none.
func (v view) Brand() string {
	if v.set.logo == "" {
		return ""
	}
	return v.pages.assetPath(v.set.logo)
}

// Text returns a text in a language of ours; ok is false when there is none.
func (p *Pages) Text(language, key string) (text string, ok bool) {
	text, ok = p.builtIn.texts[language][key]
	return text, ok
}

// Path returns the address of something below the public address: a path on this server.
func (p *Pages) Path(below string) string { return p.base + below }

// render writes one page. origins are where its form may lead besides this server.
func (p *Pages) render(c echo.Context, status int, name string, v view, origins ...string) error {
	look := lookOf(c)
	dressed, err := p.dressed(look)
	if err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	v.pages, v.set, v.Logo = p, dressed, look.Logo
	if v.set.texts[v.Language] == nil {
		v.Language = English
	}
	var body bytes.Buffer
	if err := v.set.templates[name].ExecuteTemplate(&body, "layout", v); err != nil {
		return fmt.Errorf("render page %s: %w", name, err)
	}
	if further, ok := c.Get(leadsKey).([]string); ok && len(origins) > 0 {
		for _, origin := range further {
			if !slices.Contains(origins, origin) {
				origins = append(origins, origin)
			}
		}
	}
	p.protect(c, v, origins)
	c.Response().Header().Set("Content-Language", v.Language)
	return c.HTMLBlob(status, body.Bytes())
}

const leadsKey = "pages.leads"

// MayLeadTo says where the redirects after a form of this request may lead besides this server and the client: browsers
// hold the policy of the page that has the form against each of them.
func MayLeadTo(c echo.Context, addresses ...string) {
	var origins []string
	for _, address := range addresses {
		if origin := Origin(address); address != "" && origin != "" {
			origins = append(origins, origin)
		}
	}
	c.Set(leadsKey, origins)
}

// protect sets the headers that every page has, besides those that package web sets on all HTML.
func (p *Pages) protect(c echo.Context, v view, origins []string) {
	web.NoStore(c)
	policy := "default-src 'none'; style-src 'self'; img-src 'self'"
	if v.Logo != "" {
		policy += " " + Origin(v.Logo)
	}
	policy += "; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"
	for _, origin := range origins {
		if origin != "" {
			policy += " " + origin
		}
	}
	if v.Script {
		policy += "; script-src 'self'"
	}
	if len(v.Frames) > 0 {
		policy += "; frame-src " + strings.Join(v.Frames, " ")
	}
	h := c.Response().Header()
	h.Set(echo.HeaderContentSecurityPolicy, policy)
	h.Set(echo.HeaderXFrameOptions, "DENY")
	h.Set("Referrer-Policy", "no-referrer")
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
	// A picture that is opened by itself runs nothing, whatever it holds.
	h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; style-src 'unsafe-inline'; sandbox")
	return c.Blob(http.StatusOK, a.kind, a.content)
}
