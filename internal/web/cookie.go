package web

import (
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Cookies writes and reads the cookies of our own pages. Behind a public https address they carry the prefix __Host-,
// so that no other host of the domain can set them; plain http, for development on one machine, cannot have it.
type Cookies struct {
	secure bool
}

// CookiesFor returns the cookies for a public address.
func CookiesFor(publicURL string) Cookies {
	return Cookies{secure: strings.HasPrefix(publicURL, "https://")}
}

// Set writes a cookie that scripts cannot read and that other sites' forms do not carry. life 0 = until the browser
// closes.
func (k Cookies) Set(c echo.Context, name, value string, life time.Duration) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // plain http, without Secure, is for development on one machine
		Name: k.name(name), Value: value, Path: "/", MaxAge: int(life / time.Second),
		Secure: k.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// SetReadable writes a cookie below a path that scripts can read and that pages of ours in the frames of other sites
// get. Its name has no prefix. life 0 = until the browser closes.
func (k Cookies) SetReadable(c echo.Context, name, path, value string, life time.Duration) {
	sameSite := http.SameSiteLaxMode // None needs Secure
	if k.secure {
		sameSite = http.SameSiteNoneMode
	}
	k.setReadable(c, name, path, value, life, sameSite)
}

// SetUnmarked is SetReadable without SameSite, for browsers that misunderstand None.
func (k Cookies) SetUnmarked(c echo.Context, name, path, value string, life time.Duration) {
	k.setReadable(c, name, path, value, life, 0)
}

func (k Cookies) setReadable(c echo.Context, name, path, value string, life time.Duration, sameSite http.SameSite) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // scripts read it; plain http, without Secure, is for development on one machine
		Name: name, Value: value, Path: path, MaxAge: int(life / time.Second), Secure: k.secure, SameSite: sameSite,
	})
}

// Get returns the value of a cookie, "" when there is none.
func (k Cookies) Get(c echo.Context, name string) string {
	cookie, err := c.Cookie(k.name(name))
	if err != nil {
		return ""
	}
	return cookie.Value
}

// Delete makes the browser forget a cookie.
func (k Cookies) Delete(c echo.Context, name string) {
	c.SetCookie(&http.Cookie{ //nolint:gosec // plain http, without Secure, is for development on one machine
		Name: k.name(name), Path: "/", MaxAge: -1, Secure: k.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

func (k Cookies) name(name string) string {
	if k.secure {
		return "__Host-" + name
	}
	return name
}
