package testenv

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const redisReady = 30 * time.Second

// RedisOptions changes what StartRedis starts; the zero value keeps nothing over a restart.
type RedisOptions struct {
	Persist bool     // append-only file, synced at every write: a restart keeps what was acknowledged
	Args    []string // further arguments of redis-server, such as "--requirepass", "…"
}

// RedisServer is a private Redis. Its methods are for one goroutine.
type RedisServer struct {
	options RedisOptions
	bin     string
	dir     string
	port    int
	busPort int // 0 unless it is the node of a cluster
	process *process
}

// StartRedis starts a Redis with maxmemory-policy noeviction. Errors: ErrMissing.
func StartRedis(options RedisOptions) (*RedisServer, error) { return startRedis(options, false) }

func startRedis(options RedisOptions, cluster bool) (*RedisServer, error) {
	bin, err := lookPath("redis-server")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "tokenserver-redis-")
	if err != nil {
		return nil, fmt.Errorf("make folder: %w", err)
	}
	s := &RedisServer{options: options, bin: bin, dir: dir}
	for try := 1; ; try++ {
		ports, err := freePorts(2)
		if err != nil {
			_ = os.RemoveAll(dir)
			return nil, err
		}
		s.port = ports[0]
		if cluster {
			s.busPort = ports[1]
		}
		if err = s.run(); err == nil {
			return s, nil
		}
		if try == startTries {
			_ = os.RemoveAll(dir)
			return nil, err
		}
	}
}

func (s *RedisServer) run() error {
	args := []string{
		"--bind", "127.0.0.1", "--port", strconv.Itoa(s.port), "--dir", s.dir, "--daemonize", "no",
		"--save", "", "--maxmemory-policy", "noeviction",
	}
	if s.options.Persist {
		args = append(args, "--appendonly", "yes", "--appendfsync", "always")
	}
	if s.busPort != 0 {
		args = append(args, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(s.busPort),
			"--cluster-node-timeout", "2000", "--cluster-config-file", filepath.Join(s.dir, "nodes.conf"))
	}
	process, err := launch(command{
		path: s.bin, args: append(args, s.options.Args...), dir: s.dir, log: s.LogFile(),
		stop: syscall.SIGTERM, orphan: syscall.SIGKILL,
	})
	if err != nil {
		return err
	}
	err = process.waitReady(redisReady, func() error { return answers(s.Addr()) })
	if err != nil {
		process.kill()
		return fmt.Errorf("redis-server: %w", err)
	}
	s.process = process
	return nil
}

// Addr is the host and port it listens on.
func (s *RedisServer) Addr() string { return loopback(s.port) }

// LogFile is the path of the server's log; it goes away with Stop.
func (s *RedisServer) LogFile() string { return filepath.Join(s.dir, "redis.log") }

// Stop ends the server and removes its data.
func (s *RedisServer) Stop() {
	s.process.halt()
	_ = os.RemoveAll(s.dir)
}

// Kill ends the server at once. Restart brings it back, empty unless it persists.
func (s *RedisServer) Kill() { s.process.kill() }

// Restart stops the server if it runs and starts it again on the same port.
func (s *RedisServer) Restart() error {
	s.process.halt()
	return s.run()
}

// Pause freezes the server: connections stay open and nothing answers, until Continue.
func (s *RedisServer) Pause() { s.process.signalAll(syscall.SIGSTOP) }

// Continue ends a Pause.
func (s *RedisServer) Continue() { s.process.signalAll(syscall.SIGCONT) }

// PID is the process id of the server.
func (s *RedisServer) PID() int { return s.process.cmd.Process.Pid }
