package appgate

import (
	"slices"
	"strings"

	"tokenserver/internal/settings"
)

// OSVersionAccepted tells whether an operating system version, as the phone reports it, passes a rule. A blocked
// version is compared byte for byte and wins over the minimum. No rule accepts everything.
func OSVersionAccepted(rule *settings.OSRule, reported string) bool {
	if rule == nil {
		return true
	}
	return !slices.Contains(rule.BlockedVersions, reported) && !older(osVersion(reported), osVersion(rule.MinimumVersion))
}

// osVersion takes at most three parts of a version and of each its leading digits, without leading zeros. It stops at
// the first part without a leading digit; missing parts are "", which is 0.
func osVersion(text string) [3]string {
	var version [3]string
	for n, part := range strings.SplitN(text, ".", len(version)+1) {
		if n == len(version) {
			break
		}
		digits := part[:len(part)-len(strings.TrimLeft(part, "0123456789"))]
		if digits == "" {
			break
		}
		version[n] = strings.TrimLeft(digits, "0")
	}
	return version
}

// older compares part by part. The parts have no leading zeros, so the longer number is the greater one, of any size.
func older(a, b [3]string) bool {
	for n := range a {
		if len(a[n]) != len(b[n]) {
			return len(a[n]) < len(b[n])
		}
		if a[n] != b[n] {
			return a[n] < b[n]
		}
	}
	return false
}
