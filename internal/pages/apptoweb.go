package pages

import (
	"net/url"

	"github.com/labstack/echo/v4"
)

// AppToWeb is the page on which a browser is signed in that an app has opened. Unless it asks, it goes on by itself.
type AppToWeb struct {
	Language   string
	ClientName string // the app
	UserName   string
	Action     string // where the form goes, a path of this server
	Token      string
	FormToken  string
	Target     string // where the browser ends, a registered address
	Ask        bool   // the person has to press
	Another    bool   // somebody else is signed in at this browser
}

// Host is the host of the target, to be shown.
func (a AppToWeb) Host() string {
	u, err := url.Parse(a.Target)
	if err != nil {
		return ""
	}
	return u.Host
}

// AppToWeb renders the page.
func (p *Pages) AppToWeb(c echo.Context, status int, page AppToWeb) error {
	return p.render(c, status, "app-to-web", view{Language: page.Language, Title: "entry.title", Script: !page.Ask, Page: page}, Origin(page.Target))
}

// Forward is the page between a client and an identity provider elsewhere. It goes on by itself.
type Forward struct {
	Language     string
	ClientName   string
	ProviderName string
	Target       string // a path of this server, which leads to the identity provider
}

// Forward renders the page.
func (p *Pages) Forward(c echo.Context, status int, page Forward) error {
	return p.render(c, status, "forward-to-authentication", view{Language: page.Language, Title: "forward.title", Script: true, Page: page})
}
