package phone

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Platforms of an application.
const (
	Android = "android"
	IOS     = "ios"
)

// The two protocols by which an installation proves itself.
const (
	APISecret = 1 // challenge and response at registration, a client secret afterwards
	APIKey    = 2 // client statement at registration, private_key_jwt afterwards
)

// App is one build of a mobile app together with the device it runs on: everything the request headers say.
type App struct {
	BaseURL     string `json:"base_url"`     // of the server, without a slash at the end: https://host/oauth
	Identifier  string `json:"identifier"`   // of the configured application
	Platform    string `json:"platform"`     // Android or IOS
	Version     string `json:"version"`      // compared byte for byte
	OSVersion   string `json:"os_version"`   // empty: not reported
	Model       string `json:"model"`        // empty: not reported
	SDKVersion  string `json:"sdk_version"`  // empty: 1.0.0
	APIVersion  int    `json:"api_version"`  // APISecret or APIKey; 0: APIKey
	Signature   string `json:"signature"`    // what the SDK computes over the running binary: one part of a configured signature
	RedirectURL string `json:"redirect_url"` // private-use URI that brings the user back into the app

	// TamperingProtection binds the client secret to the signature of the running binary; API version 1 only.
	TamperingProtection bool `json:"tampering_protection,omitempty"`
	// SecurityState is what the SDK noticed about the device: debugger, jailbreak, hooked.
	SecurityState []string `json:"security_state,omitempty"`
	// SoftwareStatement is the JWT of the exported configuration; optional, API version 2 only.
	SoftwareStatement string `json:"software_statement,omitempty"`
}

// Release is a newer (or older) build of the same app: what an update from the store changes. Empty fields stay as they are.
type Release struct {
	Version             string
	Signature           string
	APIVersion          int
	TamperingProtection *bool
}

// defaultSDKVersion is sent when App.SDKVersion is empty; the server stores it and decides nothing by it.
const defaultSDKVersion = "1.0.0"

// normalized fills the defaults and checks what no request could do without.
func (a App) normalized() (App, error) {
	a.BaseURL = strings.TrimSuffix(a.BaseURL, "/")
	if a.SDKVersion == "" {
		a.SDKVersion = defaultSDKVersion
	}
	if a.APIVersion == 0 {
		a.APIVersion = APIKey
	}
	base, err := url.Parse(a.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return a, errors.New("phone: base url must be absolute http or https")
	}
	if a.APIVersion != APISecret && a.APIVersion != APIKey {
		return a, errors.New("phone: api version must be 1 or 2")
	}
	return a, nil
}

// updated returns the app after the store has replaced the build.
func (a App) updated(r Release) App {
	if r.Version != "" {
		a.Version = r.Version
	}
	if r.Signature != "" {
		a.Signature = r.Signature
	}
	if r.APIVersion != 0 {
		a.APIVersion = r.APIVersion
	}
	if r.TamperingProtection != nil {
		a.TamperingProtection = *r.TamperingProtection
	}
	return a
}

// header returns the identification headers that go with every SDK request. Values that are not known are left out,
// because an empty header is not the same as none.
func (a App) header() http.Header {
	h := make(http.Header)
	for name, value := range map[string]string{
		"X-App-Identifier": a.Identifier,
		"X-App-Platform":   a.Platform,
		"X-App-Version":    a.Version,
		"X-OS-Version":     a.OSVersion,
		"X-Device-Model":   a.Model,
		"X-SDK-Version":    a.SDKVersion,
		"X-API-Version":    strconv.Itoa(a.APIVersion),
		"X-Security-State": strings.Join(a.SecurityState, ","),
	} {
		if value != "" {
			h.Set(name, value)
		}
	}
	return h
}
