package sqlstore_test

import (
	"testing"

	"tokenserver/store/storetest"
)

func TestTokens(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			t.Run("families", func(t *testing.T) { storetest.TestTokenFamilies(t, s) })
			t.Run("revocations", func(t *testing.T) { storetest.TestRevocations(t, s) })
			t.Run("signing keys", func(t *testing.T) { storetest.TestSigningKeys(t, s) })
		})
	}
}
