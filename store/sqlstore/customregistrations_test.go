package sqlstore_test

import (
	"testing"

	"tokenserver/store/storetest"
)

func TestCustomRegistrations(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) { storetest.TestCustomRegistrations(t, s) })
	}
}
