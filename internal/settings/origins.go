package settings

import (
	"net"
	"net/url"
	"strings"
)

// AllowsOrigin tells whether pages of an origin may call the endpoints that browsers may call from elsewhere at all: an
// origin of the list in cors when that is enabled, every one when it is enabled and empty, and always the origins of
// the redirect addresses of public clients, which have nothing but a browser to call from.
func (s *Snapshot) AllowsOrigin(origin string) bool {
	if s.origins[origin] {
		return true
	}
	cors := s.Document.OAuth.CORS
	return cors.Enabled && len(cors.Origins) == 0 && originOf(origin) == origin && origin != ""
}

// allowedOrigins lists them.
func allowedOrigins(d Document) map[string]bool {
	origins := map[string]bool{}
	add := func(address string) {
		if o := originOf(address); o != "" {
			origins[o] = true
		}
	}
	if d.OAuth.CORS.Enabled {
		for _, o := range d.OAuth.CORS.Origins {
			add(o)
		}
	}
	for i := range d.WebClients {
		w := &d.WebClients[i]
		if w.Disabled || !w.Public() {
			continue
		}
		for _, address := range w.RedirectURLs {
			add(address)
		}
	}
	return origins
}

// originOf returns the origin of a web address as browsers send it (RFC 6454 §6.2): lower case, without the usual port;
// "" when there is none.
func originOf(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return ""
	}
	scheme, port := strings.ToLower(u.Scheme), u.Port()
	if scheme != "https" && scheme != "http" {
		return ""
	}
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port == "" || port == map[string]string{"https": "443", "http": "80"}[scheme] {
		return scheme + "://" + host
	}
	return scheme + "://" + net.JoinHostPort(strings.Trim(host, "[]"), port)
}
