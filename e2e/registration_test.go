package e2e_test

import (
	"context"
	"net/http"
	"testing"

	"tokenserver/phone"
)

// on returns the Android app in another build.
func on(version string, change func(*phone.App)) phone.App {
	app := android()
	app.Version = version
	if change != nil {
		change(&app)
	}
	return app
}

// withSecret moves an app to API version 1.
func withSecret(app phone.App) phone.App {
	app.APIVersion = phone.APISecret
	return app
}

func TestRegistration(t *testing.T) {
	begin := func(app phone.App) func(*actor) ending {
		return func(a *actor) ending {
			path := "/v2/client/registration/init"
			if app.APIVersion == phone.APISecret {
				path = "/v1/client/registration/init"
			}
			return a.do(a.phone(app), phone.Request{Path: path, JSON: map[string]any{}}).ended()
		}
	}
	register := func(app phone.App) func(*actor) ending {
		return func(a *actor) ending { return a.ended(a.phone(app).Register(a.t.Context(), "My phone")) }
	}
	complete := func(path string, body map[string]any) func(*actor) ending {
		return func(a *actor) ending {
			app := android()
			if path[:3] == "/v1" {
				app = withSecret(app)
			}
			return a.do(a.phone(app), phone.Request{Path: path, JSON: body}).ended()
		}
	}
	runRows(t, cluster(t), []row{
		{"key", register(android()), 201, "", "DYNAMIC_REG_SUCCESS"},
		{"secret", register(withSecret(android())), 201, "", "DYNAMIC_REG_SUCCESS"},
		{"unknown application", begin(on("1.0.0", func(p *phone.App) { p.Identifier = "nobody" })), 400, "invalid_header", "DYNAMIC_REG_INVALID_HEADER"},
		{"unknown version", begin(on("99", nil)), 400, "invalid_header", "DYNAMIC_REG_INVALID_HEADER"},
		{"header before everything else", func(a *actor) ending {
			app := on("0.9.0", func(p *phone.App) { p.OSVersion = "7" })
			return a.do(a.phone(app), phone.Request{
				Path: "/v2/client/registration/init", JSON: map[string]any{}, Header: http.Header{"X-Sdk-Version": {"!"}},
			}).ended()
		}, 400, "invalid_header", "DYNAMIC_REG_INVALID_HEADER"},
		{"disabled version", begin(on("0.9.0", nil)), 403, "version_disabled", "DYNAMIC_REG_VERSION_DISABLED"},
		{"login only", begin(on("0.9.5", nil)), 403, "registration_disabled", "DYNAMIC_REG_NEW_REGISTRATIONS_DISABLED"},
		{"old OS", begin(on("1.0.0", func(p *phone.App) { p.OSVersion = "7.1.2" })), 403, "os_version_not_supported", "DYNAMIC_REG_OS_VERSION_INVALID"},
		{"blocked OS", begin(on("1.0.0", func(p *phone.App) { p.OSVersion = "13.0.1" })), 403, "os_version_not_supported", "DYNAMIC_REG_OS_VERSION_INVALID"},
		{"OS not told", begin(on("1.0.0", func(p *phone.App) { p.OSVersion = "" })), 403, "os_version_missing", "DYNAMIC_REG_OS_VERSION_INVALID"},
		{"debugger", begin(on("1.0.0", func(p *phone.App) { p.SecurityState = []string{"debugger"} })), 403, "device_not_trusted", "CLIENT_VALIDATION_DEBUGGER_DETECTED"},
		{"jailbreak", begin(on("1.0.0", func(p *phone.App) { p.SecurityState = []string{"jailbreak"} })), 403, "device_not_trusted", "CLIENT_VALIDATION_JAILBREAK_DETECTED"},
		{"API version closed", begin(withSecret(on("1.0.0", func(p *phone.App) { p.Identifier = "keys-only" }))), 403, "api_version_not_allowed", "API_VERSION_NOT_ALLOWED"},
		{"no identifier", complete("/v2/client/registration", map[string]any{}), 400, "invalid_request", "DYNAMIC_REG_INVALID_REQUEST"},
		{"no response", complete("/v1/client/registration/complete", map[string]any{}), 400, "invalid_request", "DYNAMIC_REG_INVALID_REQUEST"},
		{
			"unknown identifier", complete("/v1/client/registration/complete", map[string]any{"identifier": randomHex(16), "response": randomHex(32)}),
			400, "invalid_response", "DYNAMIC_REG_FAILED",
		},
		{"wrong signature, key", register(on("1.0.0", func(p *phone.App) { p.Signature = newSignature })), 403, "device_not_trusted", "DYNAMIC_REG_FAILED"},
		{"wrong signature, secret", register(withSecret(on("1.0.0", func(p *phone.App) { p.Signature = newSignature }))), 400, "invalid_response", "DYNAMIC_REG_FAILED"},
		{
			"any signature in development mode", register(withSecret(on("1.0.0", func(p *phone.App) { p.Identifier, p.Signature = "development", "any" }))),
			201, "", "DYNAMIC_REG_SUCCESS",
		},
	})
}

func TestClientValidation(t *testing.T) {
	validate := func(app phone.App) func(*actor) ending {
		return func(a *actor) ending {
			_, err := a.registered(app).Validate(a.t.Context())
			return a.ended(err)
		}
	}
	// send validates with headers that no SDK of this build would send.
	send := func(app phone.App, header http.Header) func(*actor) ending {
		return func(a *actor) ending {
			path := "/v2/client/validation"
			if app.APIVersion == phone.APISecret {
				path = "/v1/client/validation"
			}
			p := a.registered(app)
			return a.do(p, phone.Request{Path: path, JSON: map[string]any{}, ClientAuth: true, Header: header}).ended()
		}
	}
	tampering := withSecret(on("4.0.0", func(p *phone.App) { p.TamperingProtection = true }))
	development := withSecret(on("1.0.0", func(p *phone.App) { p.Identifier = "development" }))
	basic := func(id, secret string) http.Header {
		r := http.Request{Header: http.Header{}}
		r.SetBasicAuth(id, secret)
		return r.Header
	}
	runRows(t, cluster(t), []row{
		{"key", validate(android()), 200, "", "CLIENT_CREDENTIALS_CHECK_SUCCESS"},
		{"secret", validate(withSecret(android())), 200, "", "CLIENT_CREDENTIALS_CHECK_SUCCESS"},
		{"bound secret", validate(tampering), 200, "", "CLIENT_CREDENTIALS_CHECK_SUCCESS"},
		{"development mode", validate(development), 200, "", "CLIENT_CREDENTIALS_CHECK_SKIPPED"},
		{"unknown installation", func(a *actor) ending {
			return a.do(a.phone(withSecret(android())), phone.Request{
				Path: "/v1/client/validation", JSON: map[string]any{}, Header: basic("00", "00"),
			}).ended()
		}, 401, "invalid_client", "CLIENT_CREDENTIALS_CHECK_FAILED"},
		{"wrong secret", func(a *actor) ending {
			p := a.registered(withSecret(android()))
			return a.do(p, phone.Request{Path: "/v1/client/validation", JSON: map[string]any{}, Header: basic(p.ClientID(), randomHex(32))}).ended()
		}, 401, "invalid_client", "CLIENT_CREDENTIALS_CHECK_FAILED"},
		{"wrong bound secret", func(a *actor) ending {
			p := a.registered(tampering)
			return a.do(p, phone.Request{Path: "/v1/client/validation", JSON: map[string]any{}, Header: basic(p.ClientID(), randomHex(32))}).ended()
		}, 403, "device_not_trusted", "CLIENT_VALIDATION_ABUSE_DETECTED"},
		{"unknown version", send(android(), http.Header{"X-App-Version": {"99"}}), 400, "invalid_header", "CLIENT_VALIDATION_INVALID_HEADER"},
		{"another application", send(android(), http.Header{"X-App-Identifier": {"short-codes"}}), 400, "invalid_header", "CLIENT_VALIDATION_INVALID_HEADER"},
		{"disabled version", send(android(), http.Header{"X-App-Version": {"0.9.0"}}), 403, "version_disabled", "CLIENT_VALIDATION_VERSION_DISABLED"},
		{"debugger", send(android(), http.Header{"X-Security-State": {"debugger"}}), 403, "device_not_trusted", "CLIENT_VALIDATION_DEBUGGER_DETECTED"},
		{"jailbreak", send(android(), http.Header{"X-Security-State": {"jailbreak"}}), 403, "device_not_trusted", "CLIENT_VALIDATION_JAILBREAK_DETECTED"},
		{"old OS", send(android(), http.Header{"X-Os-Version": {"7"}}), 403, "os_version_not_supported", "CLIENT_VALIDATION_OS_VERSION_INVALID"},
		{"upgrade due", send(android(), http.Header{"X-App-Version": {"1.1.0"}}), 200, "", "CLIENT_VALIDATION_UPGRADE_INITIALIZED"},
		{"version without proof", func(a *actor) ending {
			p := a.registered(on("3.0.0", nil))
			p.Install(phone.Release{Version: "3.1.0"})
			_, err := p.Validate(a.t.Context())
			return a.ended(err)
		}, 200, "", "CLIENT_CREDENTIALS_CHECK_SUCCESS MOBILE_CLIENT_UPDATED_PLATFORM_VERSION"},
		{"another API version", func(a *actor) ending {
			p := a.registered(android())
			return a.do(p, phone.Request{Path: "/v1/client/validation", JSON: map[string]any{}, ClientAuth: true}).ended()
		}, 403, "api_version_not_allowed", "API_VERSION_NOT_ALLOWED"},
		{"device name", func(a *actor) ending {
			return a.ended(a.registered(android()).RenameDevice(a.t.Context(), "Kim's phone"))
		}, 204, "", "MOBILE_CLIENT_DEVICE_NAME_UPDATED"},
	})
}

func TestClientUpgrade(t *testing.T) {
	upgrade := func(app phone.App, to phone.Release) func(*actor) ending {
		return func(a *actor) ending {
			p := a.registered(app)
			err := p.Upgrade(a.t.Context(), to)
			end := a.ended(err)
			if err == nil {
				transaction := a.transaction
				a.quietly("validate the upgraded app", func(ctx context.Context) error {
					v, err := p.Validate(ctx)
					if err == nil && v.Status != phone.Valid {
						a.t.Errorf("after the upgrade the installation is %s", v.Status)
					}
					return err
				})
				a.mu.Lock()
				a.transaction = transaction
				a.mu.Unlock()
			}
			return end
		}
	}
	runRows(t, cluster(t), []row{
		{"key", upgrade(android(), phone.Release{Version: "1.1.0", Signature: newSignature}), 200, "", "CLIENT_VALIDATION_UPGRADE_INITIALIZED DYNAMIC_UP_SUCCESS"},
		{"secret", upgrade(withSecret(android()), phone.Release{Version: "1.1.0", Signature: newSignature}), 200, "", "CLIENT_VALIDATION_UPGRADE_INITIALIZED DYNAMIC_UP_SUCCESS"},
		{
			"secret to key", upgrade(withSecret(android()), phone.Release{Version: "1.1.0", Signature: newSignature, APIVersion: phone.APIKey}),
			200, "", "CLIENT_VALIDATION_UPGRADE_INITIALIZED DYNAMIC_UP_SUCCESS",
		},
		{"wrong signature, key", upgrade(android(), phone.Release{Version: "1.1.0"}), 403, "device_not_trusted", "CLIENT_VALIDATION_UPGRADE_INITIALIZED DYNAMIC_UP_FAILED"},
		{"wrong signature, secret", upgrade(withSecret(android()), phone.Release{Version: "1.1.0"}), 400, "invalid_response", "CLIENT_VALIDATION_UPGRADE_INITIALIZED DYNAMIC_UP_FAILED"},
	})
}
