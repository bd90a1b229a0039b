package pages

import (
	"html/template"
	"net/url"

	"github.com/labstack/echo/v4"
)

// SignIn is the page that asks for user name and password.
type SignIn struct {
	Language      string
	ClientName    string
	Action        string // where the form goes, a path of this server
	TransactionID string
	FormToken     string
	Username      string // typed before, or hinted by the client
	Notice        string // key of the text that says why the page comes again; "" = first time
	Minutes       int    // of the notice "signin.throttled"
	RedirectURI   string // where the journey ends: the policy must let the form's redirects through
}

// SignIn renders the sign-in page.
func (p *Pages) SignIn(c echo.Context, status int, page SignIn) error {
	return p.render(c, status, "signin", view{Language: page.Language, Title: "signin.title", Page: page}, Origin(page.RedirectURI))
}

// Consent is the page that asks the user whether a client may get what it asked for. The posted values come back and
// are compared with what the form token is bound to.
type Consent struct {
	Language    string
	ClientName  string
	UserName    string
	Scopes      []Asked // what the user is asked for
	Action      string
	Posted      []Field
	RedirectURI string
	Notice      string
}

// Asked is one scope on the consent page.
type Asked struct {
	Text string // its description in the user's language
	Once bool   // it is asked each time
}

// Lasts returns how long the consent lasts: the key of the text that says so.
func (p Consent) Lasts() string {
	once := 0
	for _, asked := range p.Scopes {
		if asked.Once {
			once++
		}
	}
	switch {
	case once == 0:
		return "consent.lasting"
	case once == len(p.Scopes):
		return "consent.once"
	}
	return "consent.mixed"
}

// Mixed tells whether a part of the scopes is asked each time, which then stands beside it.
func (p Consent) Mixed() bool { return p.Lasts() == "consent.mixed" }

// Field is one hidden input.
type Field struct{ Name, Value string }

// Consent renders the consent page.
func (p *Pages) Consent(c echo.Context, status int, page Consent) error {
	return p.render(c, status, "consent", view{Language: page.Language, Title: "consent.title", Page: page}, Origin(page.RedirectURI))
}

// Complete is the page that leads back into the app.
type Complete struct {
	Language   string
	ClientName string
	Refused    bool   // the user said no
	Target     string // the verified redirect address with the answer
}

// Link is the target as a link: the address is a registered one, so a private-use scheme is meant.
func (c Complete) Link() template.URL { return template.URL(c.Target) } //nolint:gosec // a registered redirect address

// Complete renders the page that leads back into the app.
func (p *Pages) Complete(c echo.Context, status int, page Complete) error {
	title := "complete.title"
	if page.Refused {
		title = "complete.refused"
	}
	return p.render(c, status, "complete", view{Language: page.Language, Title: title, Script: true, Page: page})
}

// Post is the page that posts the answer to the client by itself (OAuth 2.0 Form Post Response Mode).
type Post struct {
	Language string
	Target   string
	Fields   url.Values
}

// Link is the target as a form action: the address is a registered one.
func (p Post) Link() template.URL { return template.URL(p.Target) } //nolint:gosec // a registered redirect address

// Post renders the page that posts the answer.
func (p *Pages) Post(c echo.Context, status int, page Post) error {
	return p.render(c, status, "post", view{Language: page.Language, Title: "post.title", Script: true, Page: page}, Origin(page.Target))
}

// Error is the page for what cannot be answered by a redirect.
type Error struct {
	Language      string
	Code          string // the OAuth error code
	Text          string // key of the text
	TransactionID string // for the helpdesk
}

// Error renders the error page.
func (p *Pages) Error(c echo.Context, status int, page Error) error {
	return p.render(c, status, "error", view{Language: page.Language, Title: "error.title", Page: page})
}
