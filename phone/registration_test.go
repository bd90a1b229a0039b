package phone_test

import (
	"net/http"
	"slices"
	"testing"

	"tokenserver/phone"
)

// redirecting is a browser that comes straight back with a code.
type redirecting func(authorizeURL string) string

func TestRegisterValidateRename(t *testing.T) {
	for _, tc := range []struct {
		name  string
		api   int
		bound bool
	}{{"plain secret", phone.APISecret, false}, {"bound secret", phone.APISecret, true}, {"key", phone.APIKey, false}} {
		t.Run(tc.name, func(t *testing.T) {
			s := newFakeServer(t)
			s.bound = tc.bound
			app := s.app(tc.api)
			app.TamperingProtection = tc.bound
			p, err := phone.New(app, phone.Options{Now: testNow})
			if err != nil {
				t.Fatal(err)
			}
			if err := p.Register(t.Context(), "Kim's Pixel"); err != nil {
				t.Fatal(err)
			}
			if p.ClientID() != testClientID || p.Configuration().PINPolicy.Length != 5 {
				t.Errorf("client %s, configuration %+v", p.ClientID(), p.Configuration())
			}
			v, err := p.Validate(t.Context())
			if err != nil || v.Status != phone.Valid || len(v.Removed) != 0 {
				t.Fatalf("%+v, %v", v, err)
			}
			if err := p.RenameDevice(t.Context(), "Work phone"); err != nil {
				t.Error(err)
			}
			s.forgotten = true
			_, err = p.Validate(t.Context())
			if e := phone.Refused(err); e == nil || e.SDKNumber != phone.NumberDeviceDeregistered || p.ClientID() != "" {
				t.Errorf("forgotten installation: %v, client id %q", err, p.ClientID())
			}
			if e := phone.Refused(p.RenameDevice(t.Context(), "x")); e == nil || e.Status != 0 || e.SDKNumber != phone.NumberDeviceDeregistered {
				t.Errorf("call without registration: %v", e)
			}
		})
	}
}

func TestRegisterWithAnotherSignature(t *testing.T) {
	s := newFakeServer(t)
	app := s.app(phone.APISecret)
	app.Signature = "repackaged"
	p, err := phone.New(app, phone.Options{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	e := phone.Refused(p.Register(t.Context(), ""))
	if e == nil || e.Status != http.StatusBadRequest || e.Code != "invalid_response" || e.SDKNumber != phone.NumberRegistration || p.ClientID() != "" {
		t.Errorf("%+v", e)
	}
}

func TestValidateRemovesUnknownProfiles(t *testing.T) {
	s, p := signedIn(t, phone.APIKey)
	s.knows = []string{"OTHER1"}
	v, err := p.Validate(t.Context())
	if err != nil || !slices.Equal(v.Removed, []string{testProfile}) || len(p.Profiles()) != 0 {
		t.Errorf("%+v, %v, profiles %v", v, err, p.Profiles())
	}
}

func TestUpgrade(t *testing.T) {
	release := phone.Release{Version: "2.0.0", Signature: "aabbccdd"}
	t.Run("secret", func(t *testing.T) {
		s, p := signedIn(t, phone.APISecret)
		if err := p.Upgrade(t.Context(), release); err != nil {
			t.Fatal(err)
		}
		if s.version != "2.0.0" || p.App().Version != "2.0.0" {
			t.Errorf("server %s, phone %s", s.version, p.App().Version)
		}
		if v, err := p.Validate(t.Context()); err != nil || v.Status != phone.Valid {
			t.Errorf("with the new secret: %+v, %v", v, err)
		}
	})
	t.Run("wrong binary", func(t *testing.T) {
		_, p := signedIn(t, phone.APISecret)
		err := p.Upgrade(t.Context(), phone.Release{Version: "2.0.0", Signature: "eeeeeeee"})
		if e := phone.Refused(err); e == nil || e.Code != "device_not_trusted" || p.App().Version != "1.0.0" {
			t.Errorf("%v, version %s", err, p.App().Version)
		}
		if v, err := p.Validate(t.Context()); err != nil || v.Status != phone.Valid {
			t.Errorf("the old build must stay usable: %+v, %v", v, err)
		}
	})
	t.Run("key", func(t *testing.T) {
		s, p := signedIn(t, phone.APIKey)
		if err := p.Upgrade(t.Context(), release); err != nil || s.version != "2.0.0" {
			t.Errorf("%v, version %s", err, s.version)
		}
	})
	t.Run("secret to key", func(t *testing.T) {
		s, p := signedIn(t, phone.APISecret)
		release.APIVersion = phone.APIKey
		if err := p.Upgrade(t.Context(), release); err != nil || s.public == nil {
			t.Fatalf("%v", err)
		}
		if v, err := p.Validate(t.Context()); err != nil || v.Status != phone.Valid {
			t.Errorf("with the new key: %+v, %v", v, err)
		}
	})
	t.Run("nothing due", func(t *testing.T) {
		_, p := signedIn(t, phone.APIKey)
		if err := p.Upgrade(t.Context(), phone.Release{}); err != nil {
			t.Error(err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	good := phone.App{BaseURL: "http://127.0.0.1:1/oauth"}
	for name, app := range map[string]phone.App{
		"relative base URL": {BaseURL: "/oauth"}, "other scheme": {BaseURL: "ftp://x/oauth"}, "API version": {BaseURL: good.BaseURL, APIVersion: 3},
	} {
		if _, err := phone.New(app, phone.Options{Now: testNow}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := phone.New(good, phone.Options{}); err == nil {
		t.Error("no clock: no error")
	}
}
