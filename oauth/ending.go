package oauth

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/pages"
	"tokenserver/internal/web"
)

// pageText is the member of a failure that names the text of its error page.
const pageText = "page"

// ending answers a failure in the way that is right at this point of the request.
type ending = func(echo.Context, outcome.Failure) error

// ErrorPage shows a failure to the person at the browser.
func (b *Browser) ErrorPage(c echo.Context, f outcome.Failure) error {
	text := "error.request"
	switch f.Code {
	case outcome.ServerError:
		text = "error.server"
	case outcome.TemporarilyUnavailable, outcome.TooManyRequests:
		text = "error.unavailable"
	default:
		for _, m := range f.Members() {
			if named, ok := m.Value.(string); ok && m.Name == pageText {
				text = named
			}
		}
	}
	return b.Pages.Error(c, f.Code.Status(), pages.Error{
		Language: pageLanguage(c), Code: f.Code.String(), Text: text,
		TransactionID: audit.TransactionID(c.Request().Context()),
	})
}

// pageLanguage chooses the language of a page before there is a transaction.
func pageLanguage(c echo.Context) string {
	parameters := c.QueryParams()
	return pages.Language(parameters.Get("language"), parameters.Get("ui_locales"), c.Request().Header.Get("Accept-Language"))
}

// reply is where and how an authorization request is answered. The redirect address has been verified.
type reply struct {
	redirectURI string
	mode        string // response mode: modeQuery, modeFragment or modeForm
	state       string // "" = none
	language    string
	clientName  string
	completion  bool // a page stands before the app: success, and failures that the user caused
	device      bool // there is no redirect address: the person at the browser is told, and the device asks for itself
}

// The response modes (OAuth 2.0 Multiple Response Types §2.1, Form Post Response Mode).
const (
	modeQuery    = "query"
	modeFragment = "fragment"
	modeForm     = "form_post"
)

// fail answers with an error response (RFC 6749 §4.1.2.1).
func (b *Browser) fail(r reply) ending {
	if r.device {
		return b.failDevice(r)
	}
	return func(c echo.Context, f outcome.Failure) error {
		r.completion = r.completion && f.Code == outcome.AccessDenied
		answer := url.Values{"error": {f.Code.String()}, "error_description": {f.Text}}
		for _, m := range f.Members() {
			if text, isText := m.Value.(string); isText && (m.Name == "error_uri" || strings.HasPrefix(m.Name, "onegini_")) {
				answer.Set(m.Name, text)
			}
		}
		return b.send(c, r, answer)
	}
}

// send delivers an authorization response: state verbatim, and the issuer (RFC 9207).
func (b *Browser) send(c echo.Context, r reply, answer url.Values) error {
	answer.Set("iss", b.Issuer)
	if r.state != "" {
		answer.Set("state", r.state)
	}
	web.NoStore(c)
	c.Response().Header().Set("Referrer-Policy", "no-referrer")
	switch {
	case r.mode == modeForm:
		return b.Pages.Post(c, http.StatusOK, pages.Post{Language: r.language, Target: r.redirectURI, Fields: answer})
	case r.completion:
		return b.Pages.Complete(c, http.StatusOK, pages.Complete{
			Language: r.language, ClientName: r.clientName, Refused: answer.Has("error"),
			Target: r.target(answer),
		})
	}
	return c.Redirect(seeOther(c), r.target(answer))
}

// target is the redirect address with the answer in its query or as its fragment. A registered address has no fragment.
func (r reply) target(answer url.Values) string {
	if r.mode == modeFragment {
		return r.redirectURI + "#" + answer.Encode()
	}
	return withParameters(r.redirectURI, answer)
}

// leadTo sends the browser to a page of somebody else that the settings name, after a failure that the user can mend
// there. The client is not told.
func (b *Browser) leadTo(address string) ending {
	return func(c echo.Context, _ outcome.Failure) error {
		web.NoStore(c)
		c.Response().Header().Set("Referrer-Policy", "no-referrer")
		return c.Redirect(seeOther(c), address)
	}
}

// seeOther is the status of a redirect: 303 after a POST, so that no form travels on; never 307 or 308.
func seeOther(c echo.Context) int {
	if c.Request().Method == http.MethodPost {
		return http.StatusSeeOther
	}
	return http.StatusFound
}

// backTo sends the browser to a page of ours after a failure that it can mend there. Faults of ours show the error page.
func (b *Browser) backTo(address string) ending {
	return func(c echo.Context, f outcome.Failure) error {
		if f.Code == outcome.ServerError || f.Code == outcome.TemporarilyUnavailable {
			return b.ErrorPage(c, f)
		}
		web.NoStore(c)
		return c.Redirect(http.StatusSeeOther, address)
	}
}
