package redisstore

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"tokenserver/store"
)

// Config says where Redis is. No address means the in-process server.
type Config struct {
	Addrs      []string // one: single server; several: cluster; with MasterName: Sentinels
	MasterName string   // Sentinel
	Username   string
	Password   string
	Database   int // single server and Sentinel only
	TLS        bool
	PoolSize   int // connections at most for each node; 0 = 10 for each core
}

// Grace is how long a record stays known after its end, so that "expired" and "unknown" can be told apart.
const Grace = 10 * time.Minute

// Store is the Redis store. Safe for concurrent use.
type Store struct {
	client   redis.UniversalClient
	embedded *embedded // nil with an outside server
	now      func() time.Time
}

// Open connects. Errors: store.ErrUnavailable when no server answers.
func Open(ctx context.Context, config Config, now func() time.Time) (*Store, error) {
	s := &Store{now: now}
	if len(config.Addrs) == 0 {
		var err error
		if s.embedded, err = startEmbedded(); err != nil {
			return nil, err
		}
		config.Addrs = []string{s.embedded.addr()}
	}
	options := &redis.UniversalOptions{
		Addrs: config.Addrs, MasterName: config.MasterName, Username: config.Username, Password: config.Password,
		DB: config.Database, PoolSize: config.PoolSize, ContextTimeoutEnabled: true,
		DialTimeout: 2 * time.Second, ReadTimeout: 3 * time.Second, WriteTimeout: 3 * time.Second,
		DisableIdentity: true, DialerRetries: 1,
		MaxRetries: -1, // a script whose answer got lost must not run again: what is taken once would be found taken
	}
	if config.TLS {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	s.client = redis.NewUniversalClient(options)
	if err := s.Ping(ctx); err != nil {
		_ = s.Close() // the error at hand says more
		return nil, fmt.Errorf("reach Redis: %w", err)
	}
	return s, nil
}

// Close ends the connections, and the in-process server if there is one.
func (s *Store) Close() error {
	err := s.client.Close()
	if s.embedded != nil {
		s.embedded.close()
	}
	return err
}

// Embedded tells whether this is the in-process server, which forgets everything at a restart.
func (s *Store) Embedded() bool { return s.embedded != nil }

// Ping tells whether Redis answers. Errors: store.ErrUnavailable.
func (s *Store) Ping(ctx context.Context) error { return unavailable(s.client.Ping(ctx).Err()) }

// EvictionPolicy returns maxmemory-policy; anything but noeviction may lose what is in flight. "" when the server does
// not tell, as managed services do.
func (s *Store) EvictionPolicy(ctx context.Context) string {
	if s.embedded != nil {
		return "noeviction"
	}
	answer, err := s.client.ConfigGet(ctx, "maxmemory-policy").Result()
	if err != nil {
		return ""
	}
	return answer["maxmemory-policy"]
}

// PoolStats returns the state of the connection pool, for metrics.
func (s *Store) PoolStats() *redis.PoolStats { return s.client.PoolStats() }

// unavailable marks every error of the connection as store.ErrUnavailable. redis.Nil is not one.
func unavailable(err error) error {
	if err == nil || errors.Is(err, redis.Nil) {
		return err
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
}

// life is the TTL of a record that ends at the given time, grace included; at least a second.
func (s *Store) life(ends time.Time) time.Duration {
	return max(ends.Sub(s.now())+Grace, time.Second)
}
