package redisstore_test

import (
	"context"
	"testing"
	"time"

	"tokenserver/internal/testenv"
	"tokenserver/store/redisstore"
)

func TestHints(t *testing.T) {
	for name, addrs := range map[string]func() []string{
		"embedded": func() []string { return nil },
		"redis":    func() []string { return []string{testenv.Redis(t)} },
		"cluster":  func() []string { return testenv.RedisCluster(t) },
	} {
		t.Run(name, func(t *testing.T) {
			s, err := redisstore.Open(t.Context(), redisstore.Config{Addrs: addrs()}, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			mine, others := s.Hints(ctx, "mine"), s.Hints(ctx, "others")
			for heard := false; !heard; { // a hint may come before the subscription does
				if err := s.Hint(ctx, "mine"); err != nil {
					t.Fatal(err)
				}
				select {
				case _, heard = <-mine:
				case <-time.After(10 * time.Millisecond):
				}
			}
			select {
			case _, open := <-others:
				t.Fatalf("a hint about another topic came through (open %t)", open)
			default:
			}
			stop()
			for range mine {
			}
			if _, open := <-others; open {
				t.Error("a hint came after the end")
			}
		})
	}
}
