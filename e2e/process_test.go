package e2e_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	startTime = 30 * time.Second // until a server must be ready
	stopTime  = 30 * time.Second // until a server must have stopped in order
	pollEvery = 20 * time.Millisecond
)

// server is one process of the binary under test. It may be killed and started again on the same ports.
type server struct {
	name       string
	dir        string // working folder; its log is in the folder above
	config     string // path of its configuration
	args       []string
	env        []string
	public     string // host:port
	operations string // host:port

	cmd  *exec.Cmd
	done chan struct{} // closed when the process has been waited for
}

// start starts the process and waits until it says that it is ready.
func (s *server) start() error {
	if err := s.launch(); err != nil {
		return err
	}
	if err := s.waitReady(); err != nil {
		s.kill()
		return err
	}
	return nil
}

// launch starts the process and does not wait. The starting thread stays reserved until the process ends, because the kernel
// counts the end of that thread as the death of the parent.
func (s *server) launch() error {
	output, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	s.cmd, s.done = exec.Command(all.binary, s.args...), make(chan struct{})
	s.cmd.Dir, s.cmd.Stdout, s.cmd.Stderr, s.cmd.Env = s.dir, output, output, s.env
	s.cmd.SysProcAttr = childAttributes()
	started := make(chan error, 1)
	go func(cmd *exec.Cmd, done chan struct{}) {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = output.Close() // the child has its own copy
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in cmd.ProcessState
			close(done)
		}
	}(s.cmd, s.done)
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", s.name, err)
	}
	return nil
}

func (s *server) logFile() string { return filepath.Join(filepath.Dir(s.dir), s.name+".log") }

// waitReady asks the operations listener until it answers 200.
func (s *server) waitReady() error {
	deadline := time.Now().Add(startTime)
	for {
		status := s.health("/health/ready")
		if status == http.StatusOK {
			return nil
		}
		if s.ended() {
			return fmt.Errorf("%s ended before it was ready: %s\n%s", s.name, s.cmd.ProcessState, s.tail())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v (status %d)\n%s", s.name, startTime, status, s.tail())
		}
		time.Sleep(pollEvery)
	}
}

// health returns the status of a page of the operations listener; 0 when nobody listens.
func (s *server) health(path string) int {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.operations+path, nil)
	if err != nil {
		return 0
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

func (s *server) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// kill ends the process at once, as a power cut would.
func (s *server) kill() {
	if s.cmd == nil || s.ended() {
		return
	}
	_ = s.cmd.Process.Kill()
	<-s.done
}

// stop asks the process to stop and says when it did not do so in order.
func (s *server) stop() error {
	if s.cmd == nil || s.ended() {
		return nil
	}
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
	case <-time.After(stopTime):
		s.kill()
		return fmt.Errorf("%s did not stop within %v\n%s", s.name, stopTime, s.tail())
	}
	if code := s.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("%s stopped with %s\n%s", s.name, s.cmd.ProcessState, s.tail())
	}
	return nil
}

// tail returns the end of the log, for error messages.
func (s *server) tail() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return "no log: " + err.Error()
	}
	const most = 3000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return strings.TrimSpace(string(text))
}

// result is how a command of the binary ended.
type result struct {
	code   int
	stdout string
	stderr string
}

// command runs the binary to its end.
func command(dir string, env []string, args ...string) (result, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, all.binary, args...)
	var stdout, stderr bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return result{}, fmt.Errorf("run %s: %w", strings.Join(args, " "), err)
	}
	return result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}, nil
}

// environment is ours without the variables that configure the tests: the server refuses keys it does not know.
func environment(more ...string) []string {
	var kept []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, "TOKENSERVER_") {
			kept = append(kept, entry)
		}
	}
	return append(kept, more...)
}

// freePorts returns n different loopback addresses that nobody listens on at this moment.
func freePorts(n int) ([]string, error) {
	addresses := make([]string, 0, n)
	for range n {
		listener, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = listener.Close() }() // all stay taken until the last is found
		addresses = append(addresses, listener.Addr().String())
	}
	return addresses, nil
}
