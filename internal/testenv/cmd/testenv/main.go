// Command testenv runs another command beside private copies of PostgreSQL and Redis:
//
//	testenv [--redis-cluster] [--no-fsync] [--postgres=false] [--redis=false] -- COMMAND ARGUMENTS…
//
// The command finds the servers in TOKENSERVER_TEST_POSTGRES_DSN, TOKENSERVER_TEST_REDIS_ADDR and, when asked for,
// TOKENSERVER_TEST_REDIS_CLUSTER_ADDRS. Its exit code is passed on; 125 means that a server could not be started and 127
// that the command could not. Everything is stopped in the end, also after SIGINT, SIGTERM or a kill of testenv itself.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"tokenserver/internal/testenv"
)

// Exit codes of our own, as env(1) and docker(1) use them.
const (
	exitUsage   = 2
	exitServers = 125
	exitCommand = 127
	exitSignal  = 128 // plus the number of the signal
)

func main() {
	os.Exit(run(os.Args[1:], os.Stderr))
}

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("testenv", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var servers servers
	flags.BoolVar(&servers.postgres, "postgres", true, "start PostgreSQL")
	flags.BoolVar(&servers.redis, "redis", true, "start Redis")
	flags.BoolVar(&servers.cluster, "redis-cluster", false, "start a three-node Redis cluster as well")
	flags.BoolVar(&servers.noSync, "no-fsync", false, "let PostgreSQL skip syncing to disk: faster, for tests that do not measure")
	if err := flags.Parse(args); err != nil {
		return exitUsage
	}
	if flags.NArg() == 0 {
		_, _ = fmt.Fprintln(stderr, "usage: testenv [flags] -- COMMAND ARGUMENTS…")
		return exitUsage
	}

	// Caught from here on, so that an interrupt during the start still ends in the deferred stops.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)

	environment, stop, err := servers.start()
	defer stop()
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "testenv:", err)
		return exitServers
	}
	return supervise(flags.Args(), environment, signals, stderr)
}

// servers says what to start.
type servers struct {
	postgres, redis, cluster, noSync bool
}

// start returns the variables for the command and a function that stops what was started, also beside an error.
func (s servers) start() (environment []string, stop func(), err error) {
	var stops []func()
	stop = func() {
		for i := len(stops) - 1; i >= 0; i-- {
			stops[i]()
		}
	}
	if s.postgres {
		server, err := testenv.StartPostgres(testenv.PostgresOptions{NoSync: s.noSync})
		if err != nil {
			return nil, stop, fmt.Errorf("postgresql: %w", err)
		}
		stops = append(stops, server.Stop)
		environment = append(environment, testenv.EnvPostgres+"="+server.DSN("postgres"))
	}
	if s.redis {
		server, err := testenv.StartRedis(testenv.RedisOptions{})
		if err != nil {
			return nil, stop, fmt.Errorf("redis: %w", err)
		}
		stops = append(stops, server.Stop)
		environment = append(environment, testenv.EnvRedis+"="+server.Addr())
	}
	if s.cluster {
		cluster, err := testenv.StartRedisCluster()
		if err != nil {
			return nil, stop, fmt.Errorf("redis cluster: %w", err)
		}
		stops = append(stops, cluster.Stop)
		environment = append(environment, testenv.EnvRedisCluster+"="+strings.Join(cluster.Addrs(), ","))
	}
	return environment, stop, nil
}

// supervise runs the command, hands signals on to it and returns its exit code.
func supervise(args, environment []string, signals <-chan os.Signal, stderr io.Writer) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, stderr
	cmd.Env = append(os.Environ(), environment...)
	tieToParent(cmd)

	// The kernel counts the end of the starting thread as the death of the parent, so this thread stays.
	runtime.LockOSThread()
	if err := cmd.Start(); err != nil {
		_, _ = fmt.Fprintln(stderr, "testenv:", err)
		return exitCommand
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for {
		select {
		case sig := <-signals:
			_ = cmd.Process.Signal(sig)
		case err := <-done:
			return exitCode(err)
		}
	}
}

func exitCode(err error) int {
	var failed *exec.ExitError
	switch {
	case err == nil:
		return 0
	case !errors.As(err, &failed):
		return exitCommand
	}
	if status, ok := failed.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return exitSignal + int(status.Signal())
	}
	return failed.ExitCode()
}
