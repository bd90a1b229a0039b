package oauth

import (
	"errors"

	"github.com/labstack/echo/v4"

	"tokenserver/store"
)

const checkSessionPath = "/v1/checksession"

// checkSession answers GET of the frame of OpenID Connect Session Management 1.0. A browser whose session has ended
// elsewhere gets a new state here; one that goes on is not prolonged. Only pages at the origin of a registered redirect address get answers.
func (b *Browser) checkSession(c echo.Context) error {
	session, err := b.anySession(c)
	if err == nil {
		err = b.checkSessionUser(c, session)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	origin := webOrigin(c.Request().Referer())
	if !b.registeredOrigin(origin) {
		origin = ""
	}
	return b.Pages.CheckSession(c, origin)
}

// registeredOrigin tells whether a client that may sign users in has a redirect address of that origin.
func (b *Browser) registeredOrigin(origin string) bool {
	if origin == "" {
		return false
	}
	for _, client := range b.Settings.Current().Document.WebClients {
		if client.Disabled {
			continue
		}
		for _, address := range client.RedirectURLs {
			if webOrigin(address) == origin {
				return true
			}
		}
	}
	return false
}
