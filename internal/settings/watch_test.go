package settings_test

import (
	"context"
	"testing"
	"time"

	"tokenserver/internal/settings"
	"tokenserver/store/redisstore"
)

// TestChangesReachEveryProcess has two services with connections of their own, as two processes have. It fails by
// waiting in vain; how long it takes is not judged.
func TestChangesReachEveryProcess(t *testing.T) {
	for name, hints := range map[string]bool{"by polling": false, "by hint": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, "")
			other := newWorld(t, w.dsn)
			if hints {
				redis, err := redisstore.Open(t.Context(), redisstore.Config{}, time.Now)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { _ = redis.Close() })
				w.redis, other.redis = redis, redis
			}
			writer, reader := w.service(), other.service()
			if err := reader.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 30*time.Second)
			defer stop()
			ended := make(chan struct{})
			go func() { defer close(ended); reader.Watch(ctx) }()

			apply(t, writer, settings.Document{Scopes: []settings.Scope{{ID: "read"}}})
			if writer.Current().Scope("read") == nil {
				t.Fatal("the writer itself does not know the new scope")
			}
			for reader.Current().Scope("read") == nil {
				select {
				case <-ctx.Done():
					t.Fatal("the reader never learned of the new scope")
				case <-time.After(time.Millisecond):
				}
			}
			if reader.Current().Number != writer.Current().Number {
				t.Errorf("versions %d and %d, want the same", reader.Current().Number, writer.Current().Number)
			}
			stop()
			<-ended
		})
	}
}

func TestWatchGoesOnWithoutTheStore(t *testing.T) {
	w := newWorld(t, "")
	s := w.service()
	apply(t, s, settings.Document{Scopes: []settings.Scope{{ID: "read"}}})
	failing := &flaky{Documents: w.sql, asked: make(chan struct{}, 8)}
	s.Documents = failing
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Watch(ctx) }()
	<-failing.asked
	<-failing.asked
	stop()
	<-ended
	if s.Current().Scope("read") == nil {
		t.Error("the last snapshot is gone")
	}
}
