package pages

import "github.com/labstack/echo/v4"

// UserCode is the page on which a person enters the code that a device shows, or confirms the one that came with the
// address (RFC 8628 §3.3).
type UserCode struct {
	Language         string
	Action           string // where the form goes, a path of this server
	FormToken        string
	UserCode         string // as it stands in the field
	Confirm          bool   // the code came with the address: it must be compared with the device's
	InvalidUserCode  bool   // no device waits with the code that was sent
	InvalidFormToken bool   // the form was too old
	LockedMinutes    int    // so long nothing can be entered; 0 = it can
}

// UserCode renders the page.
func (p *Pages) UserCode(c echo.Context, status int, page UserCode) error {
	return p.render(c, status, "user-code", view{Language: page.Language, Title: "device.title", Page: page})
}

// DeviceStatus is the page on which a device login ends for the person at the browser.
type DeviceStatus struct {
	Language   string
	ClientName string // "" = not known
	Result     string // success, denied, expired, alreadyAuthorized or invalidUserCode
}

// DeviceStatus renders the page.
func (p *Pages) DeviceStatus(c echo.Context, status int, page DeviceStatus) error {
	return p.render(c, status, "device-authorization-status", view{Language: page.Language, Title: "device." + page.Result, Page: page})
}
