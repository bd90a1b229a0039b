package settings

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// redirectURL accepts https, http on loopback (RFC 8252 §7.3) and private-use schemes (§7.1); never a fragment.
func (c *checker) redirectURL(path, text string) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }):
		c.add(path, "%q is no URL", clip(text))
	case !u.IsAbs():
		c.add(path, "%q is not absolute: want https://…, or the private scheme of an app such as myapp://…", clip(text))
	case strings.Contains(text, "#"):
		c.add(path, "%q has a fragment: remove what follows #", clip(text))
	case u.User != nil:
		c.add(path, "the URL holds a user name: remove it")
	case u.Scheme == "https" && u.Hostname() == "":
		c.add(path, "%q names no host", clip(text))
	case u.Scheme == "http" && !loopback(u.Hostname()):
		c.add(path, "%q sends codes in clear: want https (http only for loopback addresses)", clip(text))
	case slices.Contains([]string{"javascript", "data", "vbscript", "file", "blob", "about", "ftp", "ws", "wss", "mailto", "tel"}, u.Scheme):
		c.add(path, "scheme %q cannot receive codes: want https, or the private scheme of an app", u.Scheme)
	}
}

func loopback(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}

// pageURL checks an address that browsers are sent to: https, or http on a loopback address.
func (c *checker) pageURL(path, text string) {
	c.address(path, text, "https (http only for loopback addresses)", func(u *url.URL) bool { return u.Scheme == "http" && loopback(u.Hostname()) })
}

// outboundURL checks an address that this server calls: https, outside production also http on a loopback IP address.
func (c *checker) outboundURL(path, text string) {
	want := "https"
	if !c.rules.Production {
		want = "https, or to try things out http on an IP address of this machine, such as http://127.0.0.1"
	}
	c.address(path, text, want, func(u *url.URL) bool {
		ip, err := netip.ParseAddr(u.Hostname())
		return u.Scheme == "http" && !c.rules.Production && err == nil && ip.IsLoopback()
	})
}

// pictureURL checks the address of a picture that our pages show: https alone.
func (c *checker) pictureURL(path, text string) {
	c.address(path, text, "https", func(*url.URL) bool { return false })
}

// address checks a web address; plain tells where it may be plain http, and want says so. An empty one is no problem.
func (c *checker) address(path, text, want string, plain func(*url.URL) bool) {
	if text == "" {
		return
	}
	u, err := url.Parse(text)
	switch {
	case err != nil, len(text) > maxURL, strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }):
		c.add(path, "%q is no URL", clip(text))
	case (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "":
		c.add(path, "%q is no absolute web address: want https://…", clip(text))
	case u.User != nil:
		c.add(path, "the URL holds a user name: remove it")
	case strings.Contains(text, "#"):
		c.add(path, "%q has a fragment: remove what follows #", clip(text))
	case u.Scheme == "http" && !plain(u):
		c.add(path, "%q is not safe on the way: want %s", clip(text), want)
	}
}

// withoutQuery refuses an address to which something will be appended, when it has a query.
func (c *checker) withoutQuery(path, text string) {
	if strings.Contains(text, "?") {
		c.add(path, "%q has a query: remove what follows ?", clip(text))
	}
}

// origin checks scheme://host[:port] as browsers send it (RFC 6454 §6.1).
func (c *checker) origin(path, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil, u.Host == "", u.User != nil, text != u.Scheme+"://"+u.Host, text != strings.ToLower(text):
		c.add(path, "%q is no origin: want https://host, in lower case and without a path", clip(text))
	case (u.Scheme == "https" && u.Port() == "443") || (u.Scheme == "http" && u.Port() == "80"):
		c.add(path, "%q names the usual port, which browsers leave out: remove it", clip(text))
	default:
		c.pageURL(path, text)
	}
}
