package sqlstore_test

import (
	"testing"

	"tokenserver/store/storetest"
)

func TestEnrollments(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) { storetest.TestEnrollments(t, s) })
	}
}
