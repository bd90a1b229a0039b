package testenv_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"tokenserver/internal/testenv"
)

func query(t *testing.T, dsn, statement string) string {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	var value string
	if err := conn.QueryRow(t.Context(), statement).Scan(&value); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return value
}

func TestPostgresGivesEachCallerADatabase(t *testing.T) {
	var first, second string
	t.Run("two at once", func(t *testing.T) {
		first, second = testenv.Postgres(t), testenv.Postgres(t)
		if a, b := query(t, first, "SELECT current_database()"), query(t, second, "SELECT current_database()"); a == b {
			t.Errorf("both got %s", a)
		}
	})
	if _, err := pgx.Connect(t.Context(), first); err == nil {
		t.Error("the database is still there after the test")
	}
}

func TestPostgresSurvivesKillAndPause(t *testing.T) {
	server, err := testenv.StartPostgres(testenv.PostgresOptions{Settings: map[string]string{"max_connections": "42"}})
	if errors.Is(err, testenv.ErrMissing) && !testenv.Required() {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	dsn, err := server.CreateDatabase(t.Context(), "kept")
	if err != nil {
		t.Fatal(err)
	}
	if got := query(t, dsn, "SHOW max_connections"); got != "42" {
		t.Errorf("max_connections = %s", got)
	}
	if got := query(t, dsn, "SHOW fsync"); got != "on" {
		t.Errorf("fsync = %s", got)
	}
	query(t, dsn, "WITH made AS (SELECT 1) SELECT 'x'")

	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	server.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := conn.Exec(ctx, "SELECT 1"); err == nil {
		t.Error("a paused server answered on an open connection")
	}
	server.Continue()
	query(t, dsn, "SELECT 'awake'")

	pid := server.PID()
	server.Kill()
	if _, err := pgx.Connect(t.Context(), dsn); err == nil {
		t.Error("a killed server answered")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if server.PID() == pid {
		t.Error("the process is the old one")
	}
	if got := query(t, dsn, "SELECT current_database()"); got != "kept" {
		t.Errorf("after the restart: %s", got)
	}
}

// redis sends one inline command and returns the first line of the reply.
func redis(addr, command string) (string, error) {
	conn, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(500 * time.Millisecond))
	if _, err := fmt.Fprintf(conn, "%s\r\n", command); err != nil {
		return "", err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	return strings.TrimSpace(line), err
}

func wantReply(t *testing.T, addr, command, want string) {
	t.Helper()
	if got, err := redis(addr, command); err != nil || got != want {
		t.Errorf("%s: %q, %v; want %q", command, got, err, want)
	}
}

func TestRedisGivesEachCallerAServer(t *testing.T) {
	first, second := testenv.Redis(t), testenv.Redis(t)
	wantReply(t, first, "SET k v", "+OK")
	wantReply(t, first, "DBSIZE", ":1")
	wantReply(t, second, "DBSIZE", ":0")
}

func TestRedisRestart(t *testing.T) {
	for _, tc := range []struct {
		name    string
		options testenv.RedisOptions
		kept    string
	}{
		{"forgets", testenv.RedisOptions{}, ":0"},
		{"persists", testenv.RedisOptions{Persist: true}, ":1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			server, err := testenv.StartRedis(tc.options)
			if errors.Is(err, testenv.ErrMissing) && !testenv.Required() {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer server.Stop()
			wantReply(t, server.Addr(), "SET k v", "+OK")
			server.Pause()
			if reply, err := redis(server.Addr(), "PING"); err == nil {
				t.Errorf("a paused server answered %q", reply)
			}
			server.Continue()
			wantReply(t, server.Addr(), "PING", "+PONG")
			server.Kill()
			if _, err := redis(server.Addr(), "PING"); err == nil {
				t.Error("a killed server answered")
			}
			if err := server.Restart(); err != nil {
				t.Fatal(err)
			}
			wantReply(t, server.Addr(), "DBSIZE", tc.kept)
		})
	}
}

func TestRedisWithPasswordStarts(t *testing.T) {
	server, err := testenv.StartRedis(testenv.RedisOptions{Args: []string{"--requirepass", "pw"}})
	if errors.Is(err, testenv.ErrMissing) && !testenv.Required() {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	wantReply(t, server.Addr(), "PING", "-NOAUTH Authentication required.")
}

func TestRedisClusterSharesTheSlots(t *testing.T) {
	nodes := testenv.RedisCluster(t)
	if len(nodes) != 3 {
		t.Fatalf("%d nodes", len(nodes))
	}
	// "foo" hashes to slot 12182, which is the third node's.
	wantReply(t, nodes[0], "SET foo bar", "-MOVED 12182 "+nodes[2])
	wantReply(t, nodes[1], "SET foo bar", "-MOVED 12182 "+nodes[2])
	wantReply(t, nodes[2], "SET foo bar", "+OK")
}
