package appgate

import (
	"errors"
	"slices"

	"tokenserver/internal/settings"
)

// Step is a step of the gate. The order is fixed; the first step that fails decides.
type Step string

// The steps, in their order.
const (
	APIVersionStep   Step = "api_version"
	HeaderStep       Step = "invalid_header"
	DebuggerStep     Step = "debugger"
	JailbreakStep    Step = "jailbreak"
	VersionStep      Step = "version_disabled"
	RegistrationStep Step = "registration_disabled"
	OSVersionStep    Step = "os_version"
	OSVersionMissing Step = "os_version_missing"
)

// Refused is the error of a request that does not pass.
type Refused struct {
	Step    Step
	Header  *HeaderError // with HeaderStep: what is wrong
	Claimed Headers      // what could be read; for the event, with values that are well formed only
}

// Error prints the step for the server log.
func (r *Refused) Error() string {
	if r.Header != nil {
		return "app gate: " + r.Header.Error()
	}
	return "app gate: " + string(r.Step)
}

// Rule says which part of the gate an endpoint runs.
type Rule struct {
	APIVersions  []int // that the endpoint serves
	Registration bool  // a new installation asks: the version must admit it, and so must the application's min_api_version
}

// App is a configured build that passed the gate.
type App struct {
	Headers
	Settings *settings.Application
	Release  *settings.AppVersion
}

// Check runs the gate on the headers of a request. Errors: *Refused.
func Check(s *settings.Snapshot, header map[string][]string, rule Rule) (App, error) {
	if err := checkAPIVersion(s, header, rule); err != nil {
		return App{}, err
	}
	h, err := ParseHeaders(header)
	if err != nil {
		return App{}, refusedHeader(err, Headers{})
	}
	app := App{Headers: h, Settings: s.Application(h.Application), Release: s.Version(h.Application, h.Platform, h.Version)}
	if app.Settings == nil {
		return App{}, refusedHeader(&HeaderError{ApplicationHeader, "unknown"}, h)
	}
	if app.Release == nil {
		return App{}, refusedHeader(&HeaderError{VersionHeader, "unknown"}, h)
	}
	if step := app.failing(s, rule); step != "" {
		return App{}, &Refused{Step: step, Claimed: h}
	}
	return app, nil
}

// failing runs the steps that need a known version.
func (a App) failing(s *settings.Snapshot, rule Rule) Step {
	enforced := a.Release.EnforcesSecurityControls()
	osRule := s.OSRule(a.Platform)
	switch {
	case enforced && a.Security.Debugger:
		return DebuggerStep
	case enforced && a.Security.Jailbreak:
		return JailbreakStep
	case !Usable(a.Release):
		return VersionStep
	case rule.Registration && a.Release.CurrentStatus() != settings.LoginRegistration:
		return RegistrationStep
	case osRule != nil && a.OSVersion == "":
		return OSVersionMissing
	case !OSVersionAccepted(osRule, a.OSVersion):
		return OSVersionStep
	}
	return ""
}

// checkAPIVersion comes before everything else. A header that cannot be read is left to the next step.
func checkAPIVersion(s *settings.Snapshot, header map[string][]string, rule Rule) error {
	version, err := parseAPIVersion(header)
	if err != nil {
		return nil //nolint:nilerr // the next step names the header
	}
	least := 0
	if name, _, err := single(header, ApplicationHeader); err == nil && rule.Registration {
		if application := s.Application(name); application != nil {
			least = application.MinAPIVersion
		}
	}
	if slices.Contains(rule.APIVersions, version) && version >= least {
		return nil
	}
	return &Refused{Step: APIVersionStep, Claimed: Headers{APIVersion: version}}
}

func refusedHeader(err error, claimed Headers) error {
	refused := &Refused{Step: HeaderStep, Claimed: claimed}
	if !errors.As(err, &refused.Header) {
		refused.Header = &HeaderError{"", "malformed"}
	}
	return refused
}

// Usable tells whether a version may talk to the server: it is configured and not disabled.
func Usable(v *settings.AppVersion) bool {
	return v != nil && v.CurrentStatus() != settings.VersionDisabled
}

// NeedsProof tells whether an installation of that protocol can enter a version only through the upgrade: by a
// challenge-response under the version's signature, or by a signed statement. Version and application are those that
// the installation wants to enter.
func NeedsProof(a *settings.Application, v *settings.AppVersion, apiVersion int) bool {
	if apiVersion == SecretProtocol {
		return !a.DevelopmentMode
	}
	return v.Integrity() == settings.IntegrityFull
}
