package sqlstore_test

import (
	"testing"

	"tokenserver/store/storetest"
)

func TestInstallations(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) { storetest.TestInstallations(t, s) })
	}
}

func TestProfiles(t *testing.T) {
	for name, s := range engines(t) {
		t.Run(name, func(t *testing.T) { storetest.TestProfiles(t, s) })
	}
}
