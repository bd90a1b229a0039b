package idp

import (
	"errors"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

// Header believes the headers of a reverse proxy that has signed the user in. Every field is required.
type Header struct {
	Now      func() time.Time
	Issuer   string // public base URL and /oauth
	Settings settingsSource
	Journey  journey
}

// headerPath lies below the authorization endpoint, so that a proxy which protects that protects this too.
const headerPath = "/authorize/header"

// The headers unless configured otherwise.
const (
	usualUserHeader  = "iv-user"
	usualLevelHeader = "authentication-level"
)

const (
	longestHeader = 4 << 10     // bytes of a header that becomes an attribute
	freshSignIn   = time.Minute // before the authorization request began: prompt=login was obeyed by the proxy then
)

// How it fails: with an error response to the client. It succeeds with 302 to where the journey goes on.
var (
	headerMissing = outcome.Failure{
		Code: outcome.AccessDenied, Audit: audit.IDPHeaderUserMissing, Text: "the user is not signed in",
	}
	headerStale = outcome.Failure{
		Code: outcome.LoginRequired, Audit: audit.AuthnRequestLoginRequired, Text: "the user has to sign in again",
	}
)

// Routes adds the address at which the headers are read. g is the group /oauth.
func (h *Header) Routes(g *echo.Group) {
	g.GET(headerPath, h.signIn, web.RenderFailuresWith(h.Journey.ErrorPage))
}

// SignInURL returns the address at which the headers are read for a transaction.
func (h *Header) SignInURL(transactionID string) string {
	return publicPath(h.Issuer) + headerPath + "?t=" + transactionID
}

// signIn takes over the user whom the proxy names. There is no page, so that it serves silent requests too.
func (h *Header) signIn(c echo.Context) error {
	a, _, err := h.Journey.Waiting(c, c.QueryParam("t"))
	if errors.Is(err, store.ErrConflict) {
		return onward(c, h.Journey.GoOnURL(a.ID))
	}
	if err != nil {
		return ended(err, signInGone)
	}
	p, err := configured(h.Settings, a, settings.HeaderProvider)
	if err != nil {
		return failed(c, h.Journey, a, err)
	}
	id, err := h.identity(c.Request(), p, a)
	if err != nil {
		return failed(c, h.Journey, a, err)
	}
	audit.Admit(c.Request().Context())
	return welcome(c, h.Journey, a, id)
}

// Names tells whether the proxy says that a request comes from that user.
func (h *Header) Names(r *http.Request, p *settings.IdentityProvider, userID string) bool {
	section := p.Header
	if section == nil || !fromProxy(r, section.TrustedProxies) {
		return false
	}
	user, ok := header(r, either(section.UserIDHeader, usualUserHeader))
	return ok && user != "" && user == userID
}

// identity reads the headers. Errors: outcome.Failure for Fail.
func (h *Header) identity(r *http.Request, p *settings.IdentityProvider, a store.Authorization) (store.Identity, error) {
	section := p.Header
	if section == nil { // the settings refuse it
		section = &settings.HeaderSection{}
	}
	if !fromProxy(r, section.TrustedProxies) {
		return store.Identity{}, nobody(p, a, "not from a trusted proxy")
	}
	user, ok := header(r, either(section.UserIDHeader, usualUserHeader))
	switch {
	case !ok:
		return store.Identity{}, nobody(p, a, "user header repeated or malformed")
	case user == "":
		return store.Identity{}, nobody(p, a, "no user header")
	}
	stated, ok := header(r, either(section.LevelHeader, usualLevelHeader))
	if !ok {
		stated = "unreadable"
	}
	at, known := h.signedIn(r, section.TimeHeader)
	if !known && (a.ForceLogin || a.MaxAge >= 0) || known && h.stale(a, at) {
		return store.Identity{}, headerStale.About(audit.Detail("idp", p.ID), audit.Reason("sign-in is not fresh"))
	}
	return store.Identity{UserID: user, Level: stated, AuthTime: at, Attributes: attributesOf(r, section, a)}, nil
}

// nobody is the failure of a request that names no user.
func nobody(p *settings.IdentityProvider, a store.Authorization, reason string) outcome.Failure {
	f := headerMissing
	if a.Silent {
		f = silentLogin
	}
	return f.About(audit.Detail("idp", p.ID), audit.Reason(reason))
}

// fromProxy tells whether the peer of the connection is a trusted proxy. What the request says about its way does not count.
func fromProxy(r *http.Request, trusted []string) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	address := peer.Addr().Unmap().WithZone("")
	for _, text := range trusted {
		if network, err := settings.ParseNetwork(text); err == nil && network.Contains(address) {
			return true
		}
	}
	return false
}

// header returns the one value of a header, "" when there is none. ok is false when it is repeated, too long or no text:
// two values would mean that the proxy has let one from outside through.
func header(r *http.Request, name string) (value string, ok bool) {
	values := r.Header.Values(name)
	if len(values) > 1 {
		return "", false
	}
	if len(values) == 1 {
		value = strings.Trim(values[0], " \t") // other blanks belong to the value (RFC 9110 §5.5)
	}
	return value, len(value) <= longestHeader && web.IsText(value)
}

func either(configured, usual string) string {
	if configured != "" {
		return configured
	}
	return usual
}

// signedIn reads when the user signed in at the proxy.
func (h *Header) signedIn(r *http.Request, name string) (at time.Time, known bool) {
	if name == "" {
		return time.Time{}, false
	}
	text, ok := header(r, name)
	seconds, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil || seconds <= 0 {
		return time.Time{}, false
	}
	if at = time.Unix(seconds, 0).UTC(); at.After(h.Now()) {
		at = h.Now()
	}
	return at, true
}

// stale tells whether a sign-in is older than the client wants it.
func (h *Header) stale(a store.Authorization, at time.Time) bool {
	if a.ForceLogin && at.Before(a.CreatedAt.Add(-freshSignIn)) {
		return true
	}
	return a.MaxAge >= 0 && h.Now().Sub(at) > time.Duration(a.MaxAge)*time.Second
}

// attributesOf copies what the white list names. What is absent, repeated or no text is left out.
func attributesOf(r *http.Request, section *settings.HeaderSection, a store.Authorization) store.Attributes {
	if len(section.Attributes) == 0 {
		return nil // nothing is said about the person, so nothing is taken away either
	}
	attributes := store.Attributes{}
	for _, m := range section.Attributes {
		value := ""
		if name, is := m.QueryParameter(); is {
			value = a.ProviderQuery[name]
		} else if text, ok := header(r, m.From); ok {
			value = text
		}
		if value != "" {
			attributes[m.To] = value
		}
	}
	return attributes
}
