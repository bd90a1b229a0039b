package registration

import (
	"errors"
	"net/http"
	"regexp"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/outcome"
	"tokenserver/internal/web"
)

var (
	clientIDForm   = regexp.MustCompile(`^[0-9A-F]{64}$`)
	identifierForm = regexp.MustCompile(`^[0-9a-f]{32}$`)
	responseForm   = regexp.MustCompile(`^[0-9A-Fa-f]{64}$`)
)

// bind reads a JSON body. A body that is too large or not JSON at all gets its own status, under the same event.
func bind(c echo.Context, target any, malformed outcome.Failure) error {
	err := web.BindJSON(c, target)
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &tooLarge):
		malformed.Code, malformed.Text = outcome.PayloadTooLarge, "the body is too large"
	case errors.Is(err, web.ErrContentType):
		malformed.Code, malformed.Text = outcome.UnsupportedMediaType, "the content type must be application/json"
	}
	return malformed.Because(err)
}
