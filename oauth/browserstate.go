package oauth

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/internal/secret"
	"tokenserver/store"
)

// The cookies of the browser state (OpenID Connect Session Management 1.0 §3.2). Scripts of the check session page read
// them. Browsers that take SameSite=None for something else get the second one.
const (
	stateCookie       = "opbs"
	legacyStateCookie = "LEGACY_opbs"
)

// showBrowserState makes the browser state of a session last exactly as long as the session: clients then see it change
// when it expires.
func (b *Browser) showBrowserState(c echo.Context, s store.BrowserSession) {
	life := s.ExpiresAt.Sub(b.Now())
	path := publicPath(b.Issuer)
	b.cookies().SetReadable(c, stateCookie, path, s.BrowserState, life)
	b.cookies().SetUnmarked(c, legacyStateCookie, path, s.BrowserState, life)
}

// newBrowserState gives the browser a state that belongs to no session.
func (b *Browser) newBrowserState(c echo.Context) {
	b.showBrowserState(c, store.BrowserSession{BrowserState: secret.NewChallenge(), ExpiresAt: b.Now()})
}

// sessionState lets a client ask whether the browser state is still the same, without learning it.
func sessionState(clientID, origin, browserState, salt string) string {
	sum := sha256.Sum256([]byte(clientID + origin + browserState + salt))
	return hex.EncodeToString(sum[:]) + "." + salt
}

// webOrigin returns the origin of a web address as browsers write it (RFC 6454 §6.2), "" for any other address.
func webOrigin(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return ""
	}
	scheme, host := strings.ToLower(u.Scheme), strings.ToLower(u.Host)
	switch scheme {
	case "https":
		host = strings.TrimSuffix(host, ":443")
	case "http":
		host = strings.TrimSuffix(host, ":80")
	default:
		return ""
	}
	return scheme + "://" + strings.TrimSuffix(host, ":")
}
