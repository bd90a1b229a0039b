package appgate

import (
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The identification headers of every SDK request.
const (
	ApplicationHeader   = "X-App-Identifier"
	PlatformHeader      = "X-App-Platform"
	VersionHeader       = "X-App-Version"
	OSVersionHeader     = "X-OS-Version"
	ModelHeader         = "X-Device-Model"
	SDKVersionHeader    = "X-SDK-Version"
	APIVersionHeader    = "X-API-Version"
	SecurityStateHeader = "X-Security-State"
)

// The platforms of applications.
const (
	Android = "android"
	IOS     = "ios"
)

// The protocols by which installations prove themselves.
const (
	SecretProtocol = 1
	KeyProtocol    = 2
)

// Headers is what a request says about the app and the device that it comes from.
type Headers struct {
	Application string // [A-Za-z0-9._-]{1,64}
	Platform    string // android or ios
	Version     string // 1 to 64 printable ASCII
	OSVersion   string // 1 to 32 printable ASCII; "" = not reported
	Model       string // at most 64 characters, no control characters; "" = not reported
	SDKVersion  string // [0-9A-Za-z.+-]{1,32}
	APIVersion  int
	Security    SecurityState
}

// SecurityState is what the SDK noticed on the device.
type SecurityState struct {
	Debugger  bool
	Jailbreak bool
	Hooked    bool // recorded, never decided by
}

// ParseSecurityState reads the tokens of X-Security-State or of a client statement. Unknown tokens are ignored.
func ParseSecurityState(tokens []string) SecurityState {
	var s SecurityState
	for _, token := range tokens {
		switch strings.TrimSpace(token) {
		case "debugger":
			s.Debugger = true
		case "jailbreak":
			s.Jailbreak = true
		case "hooked":
			s.Hooked = true
		}
	}
	return s
}

// HeaderError names the header that does not do, and why. It is never the value: that is foreign text.
type HeaderError struct {
	Header string
	Why    string // missing, repeated, malformed or unknown
}

// Error prints "X-App-Version missing".
func (e *HeaderError) Error() string { return e.Header + " " + e.Why }

var (
	identifierForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	platformForm   = regexp.MustCompile(`^(android|ios)$`)
	versionForm    = regexp.MustCompile(`^[\x20-\x7e]{1,64}$`)
	osVersionForm  = regexp.MustCompile(`^[\x20-\x7e]{1,32}$`)
	sdkVersionForm = regexp.MustCompile(`^[0-9A-Za-z.+-]{1,32}$`)
	apiVersionForm = regexp.MustCompile(`^[1-9][0-9]{0,3}$`)
)

const maxModel = 64

// ParseHeaders reads all identification headers. Errors: *HeaderError for the first that is missing, repeated or malformed.
func ParseHeaders(header map[string][]string) (Headers, error) {
	var h Headers
	for _, field := range []struct {
		name     string
		form     *regexp.Regexp
		required bool
		into     *string
	}{
		{ApplicationHeader, identifierForm, true, &h.Application},
		{PlatformHeader, platformForm, true, &h.Platform},
		{VersionHeader, versionForm, true, &h.Version},
		{SDKVersionHeader, sdkVersionForm, true, &h.SDKVersion},
		{OSVersionHeader, osVersionForm, false, &h.OSVersion},
	} {
		value, present, err := single(header, field.name)
		switch {
		case err != nil:
			return Headers{}, err
		case !present && field.required:
			return Headers{}, &HeaderError{field.name, "missing"}
		case present && !field.form.MatchString(value):
			return Headers{}, &HeaderError{field.name, "malformed"}
		}
		*field.into = value
	}
	var err error
	if h.APIVersion, err = parseAPIVersion(header); err != nil {
		return Headers{}, err
	}
	if h.Model, err = parseModel(header); err != nil {
		return Headers{}, err
	}
	state, _, err := single(header, SecurityStateHeader)
	if err != nil {
		return Headers{}, err
	}
	h.Security = ParseSecurityState(strings.Split(state, ","))
	return h, nil
}

// single returns the one value of a header.
func single(header map[string][]string, name string) (value string, present bool, err error) {
	values := header[textproto.CanonicalMIMEHeaderKey(name)]
	switch len(values) {
	case 0:
		return "", false, nil
	case 1:
		return values[0], true, nil
	}
	return "", true, &HeaderError{name, "repeated"}
}

func parseAPIVersion(header map[string][]string) (int, error) {
	value, present, err := single(header, APIVersionHeader)
	switch {
	case err != nil:
		return 0, err
	case !present:
		return 0, &HeaderError{APIVersionHeader, "missing"}
	case !apiVersionForm.MatchString(value):
		return 0, &HeaderError{APIVersionHeader, "malformed"}
	}
	return strconv.Atoi(value)
}

func parseModel(header map[string][]string) (string, error) {
	value, _, err := single(header, ModelHeader)
	if err != nil {
		return "", err
	}
	model := CleanText(value)
	if !utf8.ValidString(value) || utf8.RuneCountInString(model) > maxModel {
		return "", &HeaderError{ModelHeader, "malformed"}
	}
	return model, nil
}

// CleanText drops control characters and the space around a text that people will read.
func CleanText(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s))
}
