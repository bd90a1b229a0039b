package sqlstore_test

import (
	"testing"

	"tokenserver/store/storetest"
)

func TestSettings(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) {
			t.Run("documents", func(t *testing.T) { storetest.TestSettings(t, s) })
			t.Run("accounts", func(t *testing.T) { storetest.TestAccounts(t, s) })
			t.Run("held account", func(t *testing.T) { storetest.TestHeldAccount(t, s) })
		})
	}
}
