package redisstore_test

import (
	"sync/atomic"
	"testing"
	"time"

	"tokenserver/internal/testenv"
	"tokenserver/store/redisstore"
	"tokenserver/store/storetest"
)

func TestDeviceLogins(t *testing.T) {
	for name, addrs := range map[string]func(testing.TB) []string{
		"embedded": func(testing.TB) []string { return nil },
		"single":   func(t testing.TB) []string { return []string{testenv.Redis(t)} },
		"cluster":  testenv.RedisCluster,
	} {
		t.Run(name, func(t *testing.T) {
			var ahead atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
			s, err := redisstore.Open(t.Context(), redisstore.Config{Addrs: addrs(t)}, now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			storetest.TestDeviceLogins(t, s, now, func(by time.Duration) { ahead.Add(int64(by)) })
			storetest.TestWebEntries(t, s, now, func(by time.Duration) { ahead.Add(int64(by)) })
		})
	}
}
