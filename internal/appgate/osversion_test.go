package appgate_test

import (
	"strings"
	"testing"

	"tokenserver/internal/appgate"
	"tokenserver/internal/settings"
)

func TestOSVersionAccepted(t *testing.T) {
	for _, tc := range []struct {
		minimum  string
		accepted string
		refused  string
	}{
		{"2", "2 2.0 3 3.0.1", "0.5 1 1.9.9"},
		{"2.1", "2.1 2.1.0 2.1.1 2.1.rev2 3.0", "2 2.0 2.0.9"},
		{"2.1.4", "2.1.4 2.1.4.beta1 2.1.4-patch 2.1.5 2.2", "2 2.1 2.1.3"},
		{"10", "10 010 10.0.0.1 11", "9 9.9.9 beta 1.0"},
		{"99999999999999999999999", "100000000000000000000000", "99999999999999999999998 1"},
		{"", "0 anything 1", ""},
	} {
		rule := &settings.OSRule{MinimumVersion: tc.minimum}
		for _, reported := range strings.Fields(tc.accepted) {
			if !appgate.OSVersionAccepted(rule, reported) {
				t.Errorf("minimum %q refuses %q", tc.minimum, reported)
			}
		}
		for _, reported := range strings.Fields(tc.refused) {
			if appgate.OSVersionAccepted(rule, reported) {
				t.Errorf("minimum %q accepts %q", tc.minimum, reported)
			}
		}
	}
}

func TestOSVersionBlocked(t *testing.T) {
	rule := &settings.OSRule{MinimumVersion: "4", BlockedVersions: []string{"4.4W", "5.0"}}
	for reported, want := range map[string]bool{"4.4": true, "4.4W": false, "4.4w": true, "5.0": false, "5": true, "5.0.0": true, "3": false} {
		if got := appgate.OSVersionAccepted(rule, reported); got != want {
			t.Errorf("%q accepted: %v, want %v", reported, got, want)
		}
	}
	if !appgate.OSVersionAccepted(nil, "") {
		t.Error("without a rule every version is accepted")
	}
}

func FuzzOSVersionAccepted(f *testing.F) {
	for _, seed := range []string{"2.1.4-patch", "", ".", "...", "0002", "2.rev.1", "999999999999999999999.0", "４.2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !appgate.OSVersionAccepted(&settings.OSRule{MinimumVersion: text}, text) {
			t.Errorf("%q is older than itself", text)
		}
		if !appgate.OSVersionAccepted(&settings.OSRule{MinimumVersion: "0.0.0"}, text) {
			t.Errorf("%q is older than zero", text)
		}
		if appgate.OSVersionAccepted(&settings.OSRule{BlockedVersions: []string{text}}, text) {
			t.Errorf("%q is blocked and accepted", text)
		}
	})
}
