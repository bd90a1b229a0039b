package registration

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"
	"time"

	"tokenserver/internal/appgate"
	"tokenserver/internal/ocra"
)

// clockTolerance is how far the clocks of phone and server may differ during a registration or an upgrade.
const clockTolerance = 10 * time.Minute

// provenKey returns the index of the key under which a response answers a challenge, within the tolerance of the
// clocks; -1 when there is none. It always does the whole work, so that time does not tell which key it was.
func provenKey(keys []appgate.SignatureKey, challenge, response string, now time.Time) (int, error) {
	suite, err := ocra.Parse(ocra.Registration)
	if err != nil {
		return -1, fmt.Errorf("registration suite: %w", err)
	}
	proven, presented := -1, []byte(strings.ToLower(response))
	first, last := suite.StepAt(now.Add(-clockTolerance)), suite.StepAt(now.Add(clockTolerance))
	for n, key := range keys {
		for step := first; step <= last; step++ {
			want, err := suite.Response(key.Key, challenge, step)
			if err != nil {
				return -1, fmt.Errorf("compute response: %w", err)
			}
			if subtle.ConstantTimeCompare([]byte(want), presented) == 1 && proven < 0 {
				proven = n
			}
		}
	}
	return proven, nil
}

// upgradeKeyOf is what the server keeps of a secret, so that the next upgrade can prove that the phone has it.
func upgradeKeyOf(clientSecret string) []byte {
	sum := sha256.Sum256([]byte("ts-upgrade-v1" + clientSecret))
	return sum[:]
}

// underUpgradeKey binds signature keys to an upgrade key: a response then proves the new signature and the old secret.
func underUpgradeKey(keys []appgate.SignatureKey, upgradeKey []byte) []appgate.SignatureKey {
	bound := make([]appgate.SignatureKey, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key.Key)
		_, _ = mac.Write(upgradeKey) // a hash never fails
		bound[i] = appgate.SignatureKey{Entry: key.Entry, Key: mac.Sum(nil)}
	}
	return bound
}

// skewed tells whether the time that a phone says it has explains why its response does not fit.
func skewed(timestamp *int64, now time.Time) bool {
	if timestamp == nil {
		return false
	}
	seconds := int64(clockTolerance / time.Second)
	return *timestamp > now.Unix()+seconds || *timestamp < now.Unix()-seconds
}
