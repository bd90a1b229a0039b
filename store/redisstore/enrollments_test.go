package redisstore_test

import (
	"crypto/rand"
	"testing"
	"time"

	"tokenserver/internal/testenv"
	"tokenserver/store/redisstore"
	"tokenserver/store/storetest"
)

func TestPendingEnrollments(t *testing.T) {
	for name, addrs := range map[string]func(testing.TB) []string{
		"embedded": func(testing.TB) []string { return nil },
		"single":   func(t testing.TB) []string { return []string{testenv.Redis(t)} },
		"cluster":  testenv.RedisCluster,
	} {
		t.Run(name, func(t *testing.T) {
			s, err := redisstore.Open(t.Context(), redisstore.Config{Addrs: addrs(t)}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			storetest.TestPendingEnrollments(t, s, rand.Text, time.Now)
		})
	}
}
