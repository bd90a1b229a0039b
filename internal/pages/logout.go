package pages

import (
	"bytes"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/web"
)

// LogoutConfirm is the page that asks the user whether to sign out.
type LogoutConfirm struct {
	Language   string
	ClientName string // who asks; "" = nobody knows
	UserName   string
	Action     string // where the form goes, a path of this server
	ID         string
	FormToken  string
	Reject     string // where the link to stay leads, a path of this server
	Notice     string
}

// LogoutConfirm renders the page that asks.
func (p *Pages) LogoutConfirm(c echo.Context, page LogoutConfirm) error {
	return p.render(c, http.StatusOK, "endsession-confirm", view{Language: page.Language, Title: "logout.title", Page: page})
}

// SignedOut is the page after a logout. Its frames tell the clients (OpenID Connect Front-Channel Logout 1.0 §2).
type SignedOut struct {
	Language string
	Target   string   // where the browser goes afterwards; "" = it stays
	Frames   []string // registered addresses
}

// Link is the target as a link: the address is a registered one.
func (s SignedOut) Link() template.URL { return template.URL(s.Target) } //nolint:gosec // a registered address

// FrameElements is the frames, which nobody sees. They cannot be written into a template.
func (s SignedOut) FrameElements() template.HTML {
	var b strings.Builder
	for _, address := range s.Frames {
		fmt.Fprintf(&b, `<iframe hidden src="%s"></iframe>`, template.HTMLEscapeString(address))
	}
	return template.HTML(b.String()) //nolint:gosec // escaped above
}

// SignedOut renders the page after a logout.
func (p *Pages) SignedOut(c echo.Context, page SignedOut) error {
	v := view{Language: page.Language, Title: "signedout.title", Script: page.Target != "", Page: page}
	for _, address := range page.Frames {
		if origin := Origin(address); origin != "" && !slices.Contains(v.Frames, origin) {
			v.Frames = append(v.Frames, origin)
		}
	}
	return p.render(c, http.StatusOK, "endsession-success", v)
}

// Stay is the page after the user has said no to a logout.
type Stay struct {
	Language string
}

// Stay renders the page after a no.
func (p *Pages) Stay(c echo.Context, page Stay) error {
	return p.render(c, http.StatusOK, "endsession-reject", view{Language: page.Language, Title: "stay.title", Page: page})
}

// CheckSession renders the frame with which pages of clients ask whether the session is still the same (OpenID Connect
// Session Management 1.0 §3.2). origin is the one that gets answers; "" = none does. Any page may frame it: it shows
// nothing and does nothing but answer.
func (p *Pages) CheckSession(c echo.Context, origin string) error {
	var body bytes.Buffer
	if err := p.checkSession.Execute(&body, struct{ Origin, Script string }{origin, p.assetPath(p.names["checksession.js"])}); err != nil {
		return fmt.Errorf("check session page: %w", err)
	}
	web.NoStore(c)
	h := c.Response().Header()
	h.Set(echo.HeaderContentSecurityPolicy, "default-src 'none'; script-src 'self'; base-uri 'none'; form-action 'none'")
	h.Set(echo.HeaderXContentTypeOptions, "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	return c.HTMLBlob(http.StatusOK, body.Bytes())
}
