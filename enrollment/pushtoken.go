package enrollment

import (
	"regexp"
	"strings"

	"tokenserver/internal/appgate"
	"tokenserver/internal/secret"
)

var apnsForm = regexp.MustCompile(`^[0-9A-Fa-f]{64,200}$`)

const minFCM, maxFCM = 20, 4096

// wellFormed tells whether a push token looks like one of the platform: hex digits from APNs, printable ASCII from FCM.
func wellFormed(platform, token string) bool {
	if platform == appgate.IOS {
		return apnsForm.MatchString(token)
	}
	if len(token) < minFCM || len(token) > maxFCM {
		return false
	}
	for i := range len(token) {
		if token[i] < 0x21 || token[i] > 0x7e {
			return false
		}
	}
	return true
}

// hashToken is how a push token is looked for. Hex digits from APNs are the same token in either case.
func hashToken(keys *secret.Keys, platform, token string) []byte {
	if platform == appgate.IOS {
		token = strings.ToLower(token)
	}
	return keys.MAC(secret.ForPushToken, token)
}
