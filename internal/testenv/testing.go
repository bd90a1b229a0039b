package testenv

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// The environment variables between the runner in cmd/testenv, which sets the first three, and the tests. Postgres below
// uses the first; the other two are for suites that share a server, because Redis and RedisCluster start their own.
const (
	EnvPostgres     = "TOKENSERVER_TEST_POSTGRES_DSN"        // URL of a database whose user may create others
	EnvRedis        = "TOKENSERVER_TEST_REDIS_ADDR"          // host:port
	EnvRedisCluster = "TOKENSERVER_TEST_REDIS_CLUSTER_ADDRS" // host:port of each node, with commas between
	EnvRequire      = "TOKENSERVER_TEST_REQUIRE"             // when set, as when CI is: a missing server fails a test
)

const databaseTimeout = 60 * time.Second

// Postgres returns the DSN of a new empty database of the caller's own, dropped when the test ends. The database is in
// the cluster of EnvPostgres; without that, a whole cluster is started for the caller, which takes seconds.
func Postgres(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
	defer cancel()
	admin := os.Getenv(EnvPostgres)
	if admin == "" {
		server, err := StartPostgres(PostgresOptions{NoSync: true})
		if err != nil {
			unavailable(t, "postgresql", err)
		}
		t.Cleanup(server.Stop)
		admin = server.DSN("postgres")
	}
	name := "test_" + strings.ToLower(rand.Text())
	dsn, err := createDatabase(ctx, admin, name)
	if err != nil {
		t.Fatalf("testenv: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), databaseTimeout)
		defer cancel()
		if err := dropDatabase(ctx, admin, name); err != nil {
			t.Logf("testenv: %v", err)
		}
	})
	return dsn
}

// Redis returns the address of an empty Redis of the caller's own, stopped when the test ends.
func Redis(t testing.TB) string {
	t.Helper()
	server, err := StartRedis(RedisOptions{})
	if err != nil {
		unavailable(t, "redis-server", err)
	}
	t.Cleanup(server.Stop)
	return server.Addr()
}

// RedisCluster returns the addresses of an empty three-node cluster of the caller's own, stopped when the test ends.
func RedisCluster(t testing.TB) []string {
	t.Helper()
	cluster, err := StartRedisCluster()
	if err != nil {
		unavailable(t, "redis-server", err)
	}
	t.Cleanup(cluster.Stop)
	return cluster.Addrs()
}

// Required reports whether a missing server must fail a test rather than skip it.
func Required() bool { return os.Getenv("CI") != "" || os.Getenv(EnvRequire) != "" }

// unavailable ends the test: a machine without the server skips it, unless that would hide a hole.
func unavailable(t testing.TB, name string, err error) {
	t.Helper()
	if errors.Is(err, ErrMissing) && !Required() {
		t.Skipf("testenv: %v; install %s (make deps) to run this test", err, name)
	}
	t.Fatalf("testenv: start %s: %v", name, err)
}
