package oauth

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// registeredRedirect tells whether a redirect address is one of the registered ones: the same string, byte for byte
// (RFC 9700 §4.1.3). Only a native public client may vary the port of a loopback address (RFC 8252 §7.3).
func registeredRedirect(registered []string, offered string, native bool) bool {
	if !usableRedirect(offered) {
		return false
	}
	if slices.Contains(registered, offered) {
		return true
	}
	if !native {
		return false
	}
	before, after, loopback := cutLoopbackPort(offered)
	return loopback && slices.ContainsFunc(registered, func(r string) bool {
		b, a, ok := cutLoopbackPort(r)
		return ok && b == before && a == after
	})
}

// usableRedirect refuses addresses that no registration makes safe: relative ones, fragments, control characters, and
// schemes that run in the page which links to them.
func usableRedirect(address string) bool {
	for i := range len(address) {
		if address[i] <= ' ' || address[i] == 0x7f || address[i] == '#' || address[i] == '\\' {
			return false
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return false
	}
	switch strings.ToLower(u.Scheme) {
	case "javascript", "data", "vbscript", "blob", "file", "about", "view-source", "filesystem":
		return false
	case "http", "https":
		return u.Host != "" && u.User == nil
	}
	return true
}

// cutLoopbackPort splits http://127.0.0.1:PORT/… and http://[::1]:PORT/… around the port, which may be absent.
func cutLoopbackPort(address string) (host, rest string, loopback bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]"} {
		rest, found := strings.CutPrefix(address, host)
		if !found {
			continue
		}
		if port, found := strings.CutPrefix(rest, ":"); found {
			end := strings.IndexAny(port, "/?")
			if end < 0 {
				end = len(port)
			}
			n, err := strconv.ParseUint(port[:end], 10, 16)
			if err != nil || n == 0 || strconv.FormatUint(n, 10) != port[:end] {
				return "", "", false
			}
			rest = port[end:]
		}
		if rest == "" || rest[0] == '/' || rest[0] == '?' {
			return host, rest, true
		}
	}
	return "", "", false
}

// withParameters adds parameters to the query of a redirect address and leaves the rest as it is, byte for byte.
func withParameters(address string, parameters url.Values) string {
	separator := "?"
	if strings.Contains(address, "?") {
		separator = "&"
		if strings.HasSuffix(address, "?") || strings.HasSuffix(address, "&") {
			separator = ""
		}
	}
	return address + separator + parameters.Encode()
}

// publicPath returns the path of the issuer.
func publicPath(issuer string) string {
	u, err := url.Parse(issuer)
	if err != nil {
		return ""
	}
	return u.Path
}
