package pages

import "github.com/labstack/echo/v4"

// StepUp is the page that asks for the code of a text message.
type StepUp struct {
	Language      string
	ClientName    string
	Action        string // where the form goes, a path of this server
	TransactionID string
	FormToken     string
	NumberEnding  string // the last digits of the phone number
	Digits        int    // of the code
	MaySendAgain  bool
	Notice        string // key of the text that says why the page comes again; "" = first time
	RedirectURI   string // where the journey ends: the policy must let the form's redirects through
}

// Sent tells whether the notice is good news.
func (p StepUp) Sent() bool { return p.Notice == "stepup.sent" }

// StepUp renders the page.
func (p *Pages) StepUp(c echo.Context, status int, page StepUp) error {
	return p.render(c, status, "sms-step-up", view{Language: page.Language, Title: "stepup.title", Page: page}, Origin(page.RedirectURI))
}
