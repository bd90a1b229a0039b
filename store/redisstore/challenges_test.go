package redisstore_test

import (
	"testing"
	"time"

	"tokenserver/internal/testenv"
	"tokenserver/store/redisstore"
	"tokenserver/store/storetest"
)

func TestRegistrationChallenges(t *testing.T) {
	for name, addrs := range map[string]func(testing.TB) []string{
		"embedded": func(testing.TB) []string { return nil },
		"single":   func(t testing.TB) []string { return []string{testenv.Redis(t)} },
		"cluster":  testenv.RedisCluster,
	} {
		t.Run(name, func(t *testing.T) {
			clock := time.Now()
			now := func() time.Time { return clock }
			s, err := redisstore.Open(t.Context(), redisstore.Config{Addrs: addrs(t)}, now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			storetest.TestRegistrationChallenges(t, s, now, func(by time.Duration) { clock = clock.Add(by) })
		})
	}
}
