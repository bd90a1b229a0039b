package web

import (
	"fmt"
	"io"
	"mime"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// Form is the parameters of a request, each with one value. An empty parameter counts as absent (RFC 6749 §3.1).
type Form map[string]string

// IsText tells whether a parameter is something that stores can hold: UTF-8 without NUL.
func IsText(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// BindForm reads an application/x-www-form-urlencoded body. A repeated parameter is ErrRepeated, any parameter in the
// query is ErrQuery: credentials and tokens do not belong into URLs.
func BindForm(c echo.Context) (Form, error) {
	kind, _, err := mime.ParseMediaType(c.Request().Header.Get(echo.HeaderContentType))
	if err != nil || kind != echo.MIMEApplicationForm {
		return nil, ErrContentType
	}
	if c.Request().URL.RawQuery != "" {
		return nil, ErrQuery
	}
	body, err := io.ReadAll(c.Request().Body)
	if err != nil {
		return nil, fmt.Errorf("read body: %w", err)
	}
	return ParseForm(string(body))
}

// ParseForm parses one encoded form or query. Parameters named in repeatable may come again; their first value counts
// here, all of them are read by url.ParseQuery. What is not UTF-8, or holds NUL, is ErrMalformed.
func ParseForm(encoded string, repeatable ...string) (Form, error) {
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	form := make(Form, len(values))
	for name, list := range values {
		if len(list) > 1 && !slices.Contains(repeatable, name) {
			return nil, fmt.Errorf("%w: %s", ErrRepeated, clip(name, 64))
		}
		if !IsText(name) || !IsText(list[0]) {
			return nil, fmt.Errorf("%w: a parameter is no text", ErrMalformed)
		}
		if list[0] != "" {
			form[name] = list[0]
		}
	}
	return form, nil
}
