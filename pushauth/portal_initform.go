package pushauth

import (
	"context"
	"net/url"
	"strings"
	"unicode/utf8"

	"tokenserver/audit"
	"tokenserver/internal/settings"
	"tokenserver/internal/web"
	"tokenserver/store"
)

const (
	maxCallback     = 2048 // bytes of a callback address
	maxID           = 255  // bytes of a user or device id
	englishLanguage = "en"
)

// initRequest is the form of initialize after its checks.
type initRequest struct {
	version       version
	kind          *settings.AuthenticationType
	userID        string
	appID         string // version 3
	deviceID      string // version 4
	callbackURI   string
	message       string
	secureMessage string
	signingData   string
	language      string
}

// readInit checks the form in the documented order: type, user, device, callback, message, lengths. Unknown parameters
// are ignored, those of other versions among them. What the caller is known to mean is added to the events on the way.
func (p *Portal) readInit(ctx context.Context, s *settings.Snapshot, form web.Form, v version) (initRequest, error) {
	missing := func(name string) error {
		return initInvalid.About(audit.Reason("missing"), audit.Detail("parameter", name))
	}
	r := initRequest{
		version: v, userID: form["user_id"], callbackURI: form["callback_uri"],
		message: form["message"], secureMessage: form["secure_message"], signingData: form["signing_data"],
	}
	target := ""
	switch v {
	case v2:
	case v3:
		r.appID, r.language, target = form["app_id"], form["language_code"], "app_id"
	case v4:
		r.deviceID, r.language, target = form["device_id"], form["language_code"], "device_id"
	}
	audit.Know(ctx, audit.Client(apiClient(ctx)), audit.Detail("type", form["type"]), audit.Count("api_version", int(v)))
	if form["type"] == "" {
		return r, missing("type")
	}
	if r.kind = s.AuthenticationType(form["type"]); r.kind == nil {
		return r, initUnknownType
	}
	audit.Know(ctx, audit.Detail("method", r.kind.Method))
	if r.userID == "" {
		return r, missing("user_id")
	}
	if len(r.userID) > maxID || len(r.deviceID) > maxID {
		return r, initInvalid.About(audit.Reason("too_long"))
	}
	audit.Know(ctx, audit.User(r.userID))
	if target != "" && form[target] == "" {
		return r, missing(target)
	}
	if v == v4 {
		audit.Know(ctx, audit.Client(r.deviceID))
	}
	if reason := p.refuseCallback(s, r.callbackURI); reason != "" {
		return r, initInvalid.About(audit.Reason(reason), audit.Detail("parameter", "callback_uri"))
	}
	if r.message == "" {
		r.message = defaultMessage(r.kind, r.language)
	}
	if r.message == "" {
		return r, missing("message")
	}
	for _, part := range []struct {
		name         string
		length, most int
	}{
		{"message", utf8.RuneCountInString(r.message), p.Limits.Message},
		{"secure_message", utf8.RuneCountInString(r.secureMessage), p.Limits.SecureMessage},
		{"signing_data", len(r.signingData), p.Limits.SigningData},
	} {
		if part.length > part.most {
			return r, initTooLong.About(audit.Detail("parameter", part.name), audit.Count("length", part.length), audit.Count("max", part.most))
		}
	}
	return r, nil
}

// refuseCallback tells why a callback address is refused; "" when it is fine.
func (p *Portal) refuseCallback(s *settings.Snapshot, address string) (reason string) {
	if address == "" {
		return "missing"
	}
	u, err := url.Parse(address)
	switch {
	case len(address) > maxCallback:
		return "too_long"
	case err != nil, !u.IsAbs(), u.Host == "", u.Hostname() == "", u.User != nil, strings.Contains(address, "#"):
		return "malformed"
	case u.Scheme != "https" && (u.Scheme != "http" || !p.Limits.HTTPCallbacks):
		return "scheme"
	case s.Document.MobileAuthentication.KnownCallbacksOnly() && s.Callback(address) == nil:
		return "callback_not_allowed"
	}
	return ""
}

// defaultMessage returns the configured text of a type in that language, else in English.
func defaultMessage(kind *settings.AuthenticationType, language string) string {
	if text := kind.DefaultMessages[language]; text != "" {
		return text
	}
	return kind.DefaultMessages[englishLanguage]
}

// lowerMethod is how the portal API spells methods in results.
func lowerMethod(m store.Method) string { return strings.ToLower(string(m)) }
