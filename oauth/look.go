package oauth

import (
	"github.com/labstack/echo/v4"

	"tokenserver/internal/pages"
	"tokenserver/internal/settings"
)

// wear gives the pages of a request the look of its client, of which one is given: template set and logo.
func wear(c echo.Context, s *settings.Snapshot, web *settings.WebClient, app *settings.Application) {
	look := pages.Look{Default: s.Document.OAuth.TemplateSet}
	switch {
	case web != nil:
		look.Set, look.Logo = web.TemplateSet, web.LogoURL
	case app != nil:
		look.Set, look.Logo = app.TemplateSet, app.LogoURL
	}
	pages.Wear(c, look)
}
