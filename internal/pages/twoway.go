package pages

import "github.com/labstack/echo/v4"

// TwoWay is the page that shows a client code and asks for the response code of a portal.
type TwoWay struct {
	Language      string
	ClientName    string
	Action        string // where the form goes, a path of this server
	TransactionID string
	FormToken     string
	ClientCode    string // six digits
	Minutes       int    // that the code is good for
	Notice        string // key of the text that says why the page comes again; "" = first time
	RedirectURI   string // where the journey ends: the policy must let the form's redirects through
}

// Grouped is the client code in two groups, as people read it.
func (t TwoWay) Grouped() string {
	const half = 3
	if len(t.ClientCode) != 2*half {
		return t.ClientCode
	}
	return t.ClientCode[:half] + " " + t.ClientCode[half:]
}

// Wrong tells whether the response code that was typed is at fault.
func (t TwoWay) Wrong() bool { return t.Notice == "twoway.wrong" }

// TwoWay renders the page.
func (p *Pages) TwoWay(c echo.Context, status int, page TwoWay) error {
	return p.render(c, status, "two-way-otp", view{Language: page.Language, Title: "twoway.title", Page: page}, Origin(page.RedirectURI))
}
