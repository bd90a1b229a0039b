package registration

import (
	"errors"
	"fmt"
	"strings"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/outcome"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// What each step of the gate answers. The audit code depends on what the app wanted; see stage.
var (
	apiVersionNotAllowed = outcome.Failure{Code: outcome.APIVersionNotAllowed, Audit: audit.APIVersionNotAllowed, Text: "this API version is not open here"}
	invalidHeader        = outcome.Failure{Code: outcome.InvalidHeader, Text: "an identification header is missing, malformed or unknown"}
	debuggerDetected     = outcome.Failure{Code: outcome.DeviceNotTrusted, Audit: audit.ClientValidationDebuggerDetected, Text: "debugger"}
	jailbreakDetected    = outcome.Failure{Code: outcome.DeviceNotTrusted, Audit: audit.ClientValidationJailbreakDetected, Text: "jailbreak"}
	versionDisabled      = outcome.Failure{Code: outcome.VersionDisabled, Text: "this version of the app is disabled"}
	registrationDisabled = outcome.Failure{Code: outcome.RegistrationDisabled, Text: "this version of the app takes no new registrations"}
	osVersionRefused     = outcome.Failure{Code: outcome.OSVersionNotSupported, Text: "this version of the operating system is not supported"}
	osVersionUnreported  = outcome.Failure{Code: outcome.OSVersionMissing, Text: "this version of the app does not report the version of the operating system"}
)

// stage is what an app wants of the server; each has audit codes of its own for the same refusal.
type stage int

const (
	registering stage = iota
	validating
	upgrading
)

// enter runs the gate and puts what it learned into every later event of the request. versions are the protocols that
// the endpoint serves.
func (h *Handler) enter(c echo.Context, s *settings.Snapshot, st stage, versions ...int) (appgate.App, error) {
	app, err := appgate.Check(s, c.Request().Header, appgate.Rule{APIVersions: versions, Registration: st == registering})
	var refused *appgate.Refused
	switch {
	case errors.As(err, &refused) && refused.Step == appgate.APIVersionStep:
		return app, apiVersionNotAllowed.Because(err).About(audit.Detail("endpoint", c.Path()), audit.Count("presented", refused.Claimed.APIVersion),
			audit.Detail("allowed", strings.Trim(fmt.Sprint(versions), "[]")))
	case errors.As(err, &refused):
		return app, st.refusal(refused).Because(err)
	case err != nil:
		return app, err
	}
	ctx := c.Request().Context()
	audit.Know(ctx, audit.App(app.Application, app.Platform, app.Version), audit.Count("api_version", app.APIVersion),
		audit.Detail("os_version", app.OSVersion), audit.Detail("sdk_version", app.SDKVersion))
	if app.Security.Hooked {
		audit.Know(ctx, audit.Flag("hooked", true))
	}
	return app, nil
}

// refusal is the failure of a step of the gate.
func (st stage) refusal(r *appgate.Refused) outcome.Failure {
	f := st.stepFailure(r.Step)
	if st == upgrading {
		f.Audit = audit.DynamicUpFailed
		f = f.About(audit.Reason(upgradeReason(r.Step)))
	}
	if r.Claimed.Application != "" {
		f = f.About(audit.App(r.Claimed.Application, r.Claimed.Platform, r.Claimed.Version))
	}
	if r.Header != nil {
		f = f.About(audit.Detail("header", r.Header.Error()))
	}
	return f
}

func (st stage) stepFailure(step appgate.Step) outcome.Failure {
	switch step {
	case appgate.DebuggerStep:
		return debuggerDetected
	case appgate.JailbreakStep:
		return jailbreakDetected
	case appgate.VersionStep:
		return st.audited(versionDisabled, audit.DynamicRegVersionDisabled, audit.ClientValidationVersionDisabled)
	case appgate.RegistrationStep:
		return st.audited(registrationDisabled, audit.DynamicRegNewRegistrationsDisabled, "")
	case appgate.OSVersionStep:
		return st.audited(osVersionRefused, audit.DynamicRegOSVersionInvalid, audit.ClientValidationOSVersionInvalid)
	case appgate.OSVersionMissing:
		return st.audited(osVersionUnreported, audit.DynamicRegOSVersionInvalid, audit.ClientValidationOSVersionInvalid)
	case appgate.HeaderStep, appgate.APIVersionStep: // the latter is answered before
	}
	return st.header()
}

// header is the failure of headers that do not do.
func (st stage) header() outcome.Failure {
	return st.audited(invalidHeader, audit.DynamicRegInvalidHeader, audit.ClientValidationInvalidHeader)
}

func (st stage) audited(f outcome.Failure, registration, validation audit.Code) outcome.Failure {
	switch st {
	case registering:
		f.Audit = registration
	case validating:
		f.Audit = validation
	case upgrading:
		f.Audit = audit.DynamicUpFailed
	}
	return f
}

// upgradeReason is the detail that tells why an upgrade failed at the gate.
func upgradeReason(step appgate.Step) string {
	if step == appgate.OSVersionMissing {
		return string(appgate.OSVersionStep)
	}
	return string(step)
}

// sameProtocol refuses a request in another protocol than the installation is registered with.
func sameProtocol(c echo.Context, app appgate.App, i store.Installation) error {
	if app.APIVersion == i.APIVersion {
		return nil
	}
	return apiVersionNotAllowed.About(audit.Client(i.ClientID), audit.Detail("endpoint", c.Path()),
		audit.Count("presented", app.APIVersion), audit.Count("registered", i.APIVersion))
}
