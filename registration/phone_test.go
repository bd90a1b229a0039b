package registration_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"tokenserver/audit"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/phone"
)

// onThePhone installs the app on a reference client that talks to a real port.
func (f *fixture) onThePhone(t *testing.T, app phone.App) *phone.Phone {
	t.Helper()
	server := f.Server(t, f.handler.Routes, func(g *echo.Group) {
		g.GET("/.well-known/openid-configuration", func(c echo.Context) error {
			return c.JSON(http.StatusOK, map[string]string{"issuer": f.Issuer})
		})
	})
	app.BaseURL, app.Identifier, app.Platform, app.OSVersion, app.Model = server.URL+"/oauth", "bank", phone.Android, "14", "Pixel 8"
	p, err := phone.New(app, phone.Options{Now: f.Now})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestReferenceClient walks the life of an installation with the reference client: whatever it sends is understood.
func TestReferenceClient(t *testing.T) {
	bound := true
	for _, tc := range []struct {
		name  string
		app   phone.App
		to    phone.Release
		codes []audit.Code
	}{
		{
			name: "secret", app: phone.App{Version: "1.0", APIVersion: 1, Signature: oldSignature}, to: phone.Release{Version: "2.0", Signature: newSignature},
			codes: []audit.Code{audit.ClientValidationUpgradeInitialized, audit.DynamicUpSuccess},
		},
		{
			name: "bound secret", app: phone.App{Version: "bound 1", APIVersion: 1, Signature: oldSignature, TamperingProtection: true},
			to:    phone.Release{Version: "bound 2", Signature: newSignature},
			codes: []audit.Code{audit.ClientValidationUpgradeInitialized, audit.DynamicUpSuccess},
		},
		{
			name: "secret becomes bound", app: phone.App{Version: "1.0", APIVersion: 1, Signature: oldSignature},
			to:    phone.Release{Version: "bound 2", Signature: armSignature, TamperingProtection: &bound},
			codes: []audit.Code{audit.ClientValidationUpgradeInitialized, audit.DynamicUpSuccess},
		},
		{
			name: "key", app: phone.App{Version: "1.0", Signature: oldSignature}, to: phone.Release{Version: "2.0", Signature: newSignature},
			codes: []audit.Code{audit.ClientValidationUpgradeInitialized, audit.DynamicUpSuccess},
		},
		{
			name: "key, no proof needed", app: phone.App{Version: "open 1", Signature: oldSignature}, to: phone.Release{Version: "open 2"},
			codes: []audit.Code{audit.ClientCredentialsCheckSuccess, audit.MobileClientUpdatedPlatformVersion},
		},
		{
			name: "from secret to key", app: phone.App{Version: "1.0", APIVersion: 1, Signature: oldSignature}, to: phone.Release{Version: "2.0", Signature: newSignature, APIVersion: 2},
			codes: []audit.Code{audit.ClientValidationUpgradeInitialized, audit.DynamicUpSuccess},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := newFixture(t)
			p := f.onThePhone(t, tc.app)
			if err := p.Register(t.Context(), "Zoë's phone"); err != nil {
				t.Fatal(err)
			}
			f.wantCodes(t, audit.DynamicRegSuccess)
			if c := p.Configuration(); c.PINPolicy.Length != 5 || len(c.IdentityProviders) != 2 || !c.MobileAuthentication.Push {
				t.Errorf("configuration %+v", c)
			}
			check := func() {
				t.Helper()
				f.Clock.Advance(time.Minute)
				v, err := p.Validate(t.Context())
				if err != nil || v.Status != phone.Valid {
					t.Fatalf("validation %+v, %v", v, err)
				}
				f.wantCodes(t, audit.ClientCredentialsCheckSuccess)
			}
			check()
			if err := p.RenameDevice(t.Context(), "mine"); err != nil {
				t.Fatal(err)
			}
			f.wantCodes(t, audit.MobileClientDeviceNameUpdated)
			if err := p.Upgrade(t.Context(), tc.to); err != nil {
				t.Fatal(err)
			}
			f.wantCodes(t, tc.codes...)
			check()
			if i := f.stored(t, p.ClientID()); i.Version != tc.to.Version || i.DeviceName != "mine" {
				t.Errorf("stored %+v", i)
			}
		})
	}
}

// TestDevelopmentModeProtectsTheToken: what the check at app start skips, client authentication does not.
func TestDevelopmentModeProtectsTheToken(t *testing.T) {
	f := newFixture(t)
	i := f.withSecret(t, "any", "X-App-Identifier", "lab", "X-App-Version", "1")
	if f.accepts(t, i, "wrong") || !f.accepts(t, i, i.secret) {
		t.Error("client authentication of an application in development mode")
	}
}

// TestNothingIsAnsweredUnrecorded: when the event cannot be kept there is no answer, and nothing has happened.
func TestNothingIsAnsweredUnrecorded(t *testing.T) {
	f := newFixture(t)
	const text = `{"error":"temporarily_unavailable","error_description":"the server cannot work right now, try again shortly"}`
	f.BreakCommits(errors.New("disk full"))
	got := f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/init", JSON: "{}", Header: headers("1", "X-App-Version", "off")})
	f.want(t, got, 503, text)
	f.BreakCommits(nil)

	c := f.begin(t, "1")
	f.CloseStore()
	got = f.do(t, audittest.Request{Path: "/oauth/v1/client/registration/complete", Header: headers("1"), JSON: object(
		"identifier", c.Identifier, "response", f.respond(t, phone.SignatureKey(oldSignature), c.Challenge, f.Now()))})
	f.want(t, got, 503, text)
}

// TestPrimaryProvider: the application's own choice comes first, without the disabled ones.
func TestPrimaryProvider(t *testing.T) {
	f := newFixture(t)
	d := document()
	d.Applications[0].IdentityProvider, d.Applications[0].PINPolicy = "second", "strict"
	d.PINPolicies = append(d.PINPolicies, settings.PINPolicy{Name: "strict", Length: 8, MaxSimilarDigits: 1})
	f.Settings.Set(d)
	p := f.onThePhone(t, phone.App{Version: "1.0", Signature: oldSignature})
	if err := p.Register(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	c := p.Configuration()
	if len(c.IdentityProviders) != 2 || c.IdentityProviders[0].ID != "second" || c.IdentityProviders[1].ID != "accounts" || c.PINPolicy.Length != 8 {
		t.Errorf("configuration %+v", c)
	}
}
