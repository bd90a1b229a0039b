package appgate_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"tokenserver/audit"
	"tokenserver/internal/appgate"
	"tokenserver/internal/audittest"
	"tokenserver/internal/settings"
	"tokenserver/store"
)

// document configures one application whose versions are named after what is special about them.
func document() settings.Document {
	lenient := false
	return settings.Document{
		OSRules: []settings.OSRule{{Platform: "android", MinimumVersion: "12", BlockedVersions: []string{"13.1"}}},
		Applications: []settings.Application{
			{ID: "bank", Versions: []settings.AppVersion{
				{Platform: "android", Version: "good"},
				{Platform: "ios", Version: "good"},
				{Platform: "android", Version: "login only", Status: settings.LoginOnly},
				{Platform: "android", Version: "off", Status: settings.VersionDisabled},
				{Platform: "android", Version: "lenient", SecurityControlsEnforced: &lenient, IntegrityLevel: settings.IntegrityNone},
			}},
			{ID: "keys-only", MinAPIVersion: 2, Versions: []settings.AppVersion{{Platform: "android", Version: "good"}}},
			{ID: "lab", DevelopmentMode: true, Versions: []settings.AppVersion{
				{Platform: "android", Version: "1"},
				{Platform: "android", Version: "2"},
				{Platform: "android", Version: "off", Status: settings.VersionDisabled},
			}},
		},
	}
}

// headers returns good headers, changed by pairs of name and value: "-" removes the header, "a||b" repeats it.
func headers(pairs ...string) http.Header {
	h := http.Header{}
	pairs = append([]string{
		"X-App-Identifier", "bank", "X-App-Platform", "android", "X-App-Version", "good", "X-OS-Version", "14",
		"X-Device-Model", "Pixel 8", "X-SDK-Version", "12.1.0", "X-API-Version", "2",
	}, pairs...)
	for i := 0; i < len(pairs); i += 2 {
		h.Del(pairs[i])
		if pairs[i+1] != "-" {
			for value := range strings.SplitSeq(pairs[i+1], "||") {
				h.Add(pairs[i], value)
			}
		}
	}
	return h
}

func TestCheck(t *testing.T) {
	snapshot := settings.NewSnapshot(1, document())
	registration := appgate.Rule{APIVersions: []int{2}, Registration: true}
	for _, tc := range []struct {
		name   string
		change []string
		rule   appgate.Rule
		want   appgate.Step
		header string
	}{
		{name: "good"},
		{name: "good, no model", change: []string{"X-Device-Model", "-"}},
		{name: "no OS version and no rule", change: []string{"X-App-Platform", "ios", "X-OS-Version", "-"}},
		{name: "unknown tokens of the security state", change: []string{"X-Security-State", "hooked, foo"}},
		{name: "protocol not served", change: []string{"X-API-Version", "1"}, want: appgate.APIVersionStep},
		{name: "protocol not served, everything else missing", change: []string{"X-API-Version", "3", "X-App-Identifier", "-"}, want: appgate.APIVersionStep},
		{name: "protocol closed for new registrations", rule: appgate.Rule{APIVersions: []int{1}, Registration: true}, change: []string{"X-App-Identifier", "keys-only", "X-API-Version", "1"}, want: appgate.APIVersionStep},
		{name: "protocol closed for new registrations only", rule: appgate.Rule{APIVersions: []int{1}}, change: []string{"X-App-Identifier", "keys-only", "X-API-Version", "1"}},
		{name: "no protocol", change: []string{"X-API-Version", "-"}, want: appgate.HeaderStep, header: "X-API-Version missing"},
		{name: "protocol malformed", change: []string{"X-API-Version", "02"}, want: appgate.HeaderStep, header: "X-API-Version malformed"},
		{name: "protocol repeated", change: []string{"X-API-Version", "2||2"}, want: appgate.HeaderStep, header: "X-API-Version repeated"},
		{name: "application repeated", change: []string{"X-App-Identifier", "bank||bank"}, want: appgate.HeaderStep, header: "X-App-Identifier repeated"},
		{name: "application malformed", change: []string{"X-App-Identifier", "ba nk"}, want: appgate.HeaderStep, header: "X-App-Identifier malformed"},
		{name: "application too long", change: []string{"X-App-Identifier", strings.Repeat("b", 65)}, want: appgate.HeaderStep, header: "X-App-Identifier malformed"},
		{name: "application unknown", change: []string{"X-App-Identifier", "Bank"}, want: appgate.HeaderStep, header: "X-App-Identifier unknown"},
		{name: "platform in upper case", change: []string{"X-App-Platform", "Android"}, want: appgate.HeaderStep, header: "X-App-Platform malformed"},
		{name: "version missing", change: []string{"X-App-Version", "-"}, want: appgate.HeaderStep, header: "X-App-Version missing"},
		{name: "version empty", change: []string{"X-App-Version", ""}, want: appgate.HeaderStep, header: "X-App-Version malformed"},
		{name: "version unknown", change: []string{"X-App-Version", "Good"}, want: appgate.HeaderStep, header: "X-App-Version unknown"},
		{name: "version of the other platform", change: []string{"X-App-Platform", "ios", "X-App-Version", "off"}, want: appgate.HeaderStep, header: "X-App-Version unknown"},
		{name: "SDK version missing", change: []string{"X-SDK-Version", "-"}, want: appgate.HeaderStep, header: "X-SDK-Version missing"},
		{name: "SDK version malformed", change: []string{"X-SDK-Version", "12 beta"}, want: appgate.HeaderStep, header: "X-SDK-Version malformed"},
		{name: "OS version malformed", change: []string{"X-OS-Version", strings.Repeat("1", 33)}, want: appgate.HeaderStep, header: "X-OS-Version malformed"},
		{name: "model too long", change: []string{"X-Device-Model", strings.Repeat("é", 65)}, want: appgate.HeaderStep, header: "X-Device-Model malformed"},
		{name: "model not UTF-8", change: []string{"X-Device-Model", "\xff"}, want: appgate.HeaderStep, header: "X-Device-Model malformed"},
		{name: "security state repeated", change: []string{"X-Security-State", "||debugger"}, want: appgate.HeaderStep, header: "X-Security-State repeated"},
		{name: "debugger before everything below", change: []string{"X-Security-State", "jailbreak,debugger", "X-App-Version", "off"}, want: appgate.DebuggerStep},
		{name: "jailbreak", change: []string{"X-Security-State", "hooked, jailbreak"}, want: appgate.JailbreakStep},
		{name: "controls not enforced", change: []string{"X-Security-State", "jailbreak,debugger", "X-App-Version", "lenient"}},
		{name: "disabled before the OS", change: []string{"X-App-Version", "off", "X-OS-Version", "1"}, want: appgate.VersionStep},
		{name: "a header before the status", change: []string{"X-App-Version", "off", "X-OS-Version", "1", "X-SDK-Version", "-"}, want: appgate.HeaderStep, header: "X-SDK-Version missing"},
		{name: "registrations closed before the OS", change: []string{"X-App-Version", "login only", "X-OS-Version", "1"}, want: appgate.RegistrationStep},
		{name: "login only is enough for the others", rule: appgate.Rule{APIVersions: []int{1, 2}}, change: []string{"X-App-Version", "login only"}},
		{name: "OS too old", change: []string{"X-OS-Version", "11.9"}, want: appgate.OSVersionStep},
		{name: "OS blocked", change: []string{"X-OS-Version", "13.1"}, want: appgate.OSVersionStep},
		{name: "OS not reported", change: []string{"X-OS-Version", "-"}, want: appgate.OSVersionMissing},
	} {
		t.Run(tc.name, func(t *testing.T) {
			rule := tc.rule
			if rule.APIVersions == nil {
				rule = registration
			}
			app, err := appgate.Check(snapshot, headers(tc.change...), rule)
			var refused *appgate.Refused
			if !errors.As(err, &refused) {
				if tc.want != "" || err != nil || app.Settings == nil || app.Release == nil {
					t.Fatalf("got %+v, error %v, want step %q", app, err, tc.want)
				}
				return
			}
			header := ""
			if refused.Header != nil {
				header = refused.Header.Error()
			}
			if refused.Step != tc.want || header != tc.header {
				t.Fatalf("got step %q %q, want %q %q", refused.Step, header, tc.want, tc.header)
			}
		})
	}
}

func TestNeedsProof(t *testing.T) {
	s := settings.NewSnapshot(1, document())
	for _, tc := range []struct {
		application, version string
		api                  int
		want                 bool
	}{
		{"bank", "good", 1, true},
		{"bank", "good", 2, true},
		{"bank", "lenient", 2, false},
		{"bank", "lenient", 1, true},
		{"lab", "1", 1, false},
		{"lab", "1", 2, true},
	} {
		got := appgate.NeedsProof(s.Application(tc.application), s.Version(tc.application, "android", tc.version), tc.api)
		if got != tc.want {
			t.Errorf("%+v: %v", tc, got)
		}
	}
}

func TestMove(t *testing.T) {
	for _, tc := range []struct {
		name   string
		stored store.Installation
		change []string
		want   string
		audit  []audit.Code
	}{
		{
			name: "to a version that needs no proof", stored: store.Installation{Application: "bank", Version: "good", APIVersion: 2},
			change: []string{"X-App-Version", "lenient"}, want: "lenient", audit: []audit.Code{audit.MobileClientUpdatedPlatformVersion},
		},
		{
			name: "development mode", stored: store.Installation{Application: "lab", Version: "1", APIVersion: 1},
			change: []string{"X-App-Identifier", "lab", "X-App-Version", "2"}, want: "2", audit: []audit.Code{audit.MobileClientUpdatedPlatformVersion},
		},
		{
			name: "from a version that was deleted", stored: store.Installation{Application: "bank", Version: "gone", APIVersion: 2},
			change: []string{"X-App-Version", "lenient"}, want: "lenient", audit: []audit.Code{audit.MobileClientUpdatedPlatformVersion},
		},
		{name: "same version", stored: store.Installation{Application: "bank", Version: "good", APIVersion: 2}, want: "good"},
		{name: "no headers", stored: store.Installation{Application: "bank", Version: "good", APIVersion: 2}, change: []string{"X-App-Version", "-"}, want: "good"},
		{name: "needs a proof", stored: store.Installation{Application: "bank", Version: "lenient", APIVersion: 2}, want: "lenient"},
		{name: "needs a proof, secret protocol", stored: store.Installation{Application: "bank", Version: "good", APIVersion: 1}, change: []string{"X-App-Version", "lenient"}, want: "good"},
		{name: "disabled", stored: store.Installation{Application: "lab", Version: "1", APIVersion: 1}, change: []string{"X-App-Identifier", "lab", "X-App-Version", "off"}, want: "1"},
		{name: "unknown version", stored: store.Installation{Application: "lab", Version: "1", APIVersion: 1}, change: []string{"X-App-Identifier", "lab", "X-App-Version", "3"}, want: "1"},
		{name: "another application", stored: store.Installation{Application: "bank", Version: "good", APIVersion: 1}, change: []string{"X-App-Identifier", "lab", "X-App-Version", "2"}, want: "good"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			env := audittest.New(t)
			env.Settings.Set(document())
			gate := &appgate.Gate{Installations: env.Store, Audit: env.Recorder}
			tc.stored.ClientID, tc.stored.RegistrationID, tc.stored.Platform = "C1", "R1", "android"
			if err := env.Store.AddInstallation(t.Context(), tc.stored); err != nil {
				t.Fatal(err)
			}
			got, moved, err := gate.Move(env.Context(t), env.Settings.Current(), tc.stored, headers(tc.change...))
			if err != nil || got.Version != tc.want || moved != (len(tc.audit) > 0) {
				t.Fatalf("got version %q, moved %v, error %v, want %q", got.Version, moved, err, tc.want)
			}
			kept, err := env.Store.Installation(t.Context(), "C1")
			if err != nil || kept.Version != tc.want {
				t.Fatalf("stored version %q, error %v, want %q", kept.Version, err, tc.want)
			}
			if codes := env.Codes(t); !slices.Equal(codes, tc.audit) {
				t.Fatalf("codes %v, want %v", codes, tc.audit)
			}
			// The same request again, as if it had raced: it reads the version anew and reports nothing.
			again, moved, err := gate.Move(env.Context(t), env.Settings.Current(), tc.stored, headers(tc.change...))
			if err != nil || moved || again.Version != tc.want || len(env.Codes(t)) != 0 {
				t.Fatalf("again: version %q, moved %v, error %v", again.Version, moved, err)
			}
		})
	}
}

func TestAPIVersionDiffers(t *testing.T) {
	for value, want := range map[string]bool{"1": false, "2": true, "-": false, "x": false, "1||2": false} {
		if got := appgate.APIVersionDiffers(headers("X-API-Version", value), store.Installation{APIVersion: 1}); got != want {
			t.Errorf("%q differs from 1: %v, want %v", value, got, want)
		}
	}
}

func FuzzParseHeaders(f *testing.F) {
	f.Add("bank", "android", "1.0", "14", "Pixel", "12.1.0", "2", "debugger")
	f.Add("", "", "\x00", "４", "\xff\x1b[31m", "+", "0", ",,,")
	f.Fuzz(func(t *testing.T, id, platform, version, os, model, sdk, api, security string) {
		h := headers("X-App-Identifier", id, "X-App-Platform", platform, "X-App-Version", version, "X-OS-Version", os,
			"X-Device-Model", model, "X-SDK-Version", sdk, "X-API-Version", api, "X-Security-State", security)
		got, err := appgate.ParseHeaders(h)
		if err != nil {
			if got != (appgate.Headers{}) {
				t.Fatalf("refused, but %+v", got)
			}
			return
		}
		for _, pair := range [][2]string{
			{got.Application, h.Get("X-App-Identifier")},
			{got.Platform, h.Get("X-App-Platform")},
			{got.Version, h.Get("X-App-Version")},
			{got.OSVersion, h.Get("X-OS-Version")},
			{got.SDKVersion, h.Get("X-SDK-Version")},
		} {
			if pair[0] != pair[1] {
				t.Fatalf("%q became %q", pair[1], pair[0])
			}
		}
		if got.Model != appgate.CleanText(got.Model) {
			t.Fatalf("model %q is not clean", got.Model)
		}
	})
}
