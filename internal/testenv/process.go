package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// stopGrace is how long a server may take to stop before it is killed.
const stopGrace = 20 * time.Second

// process is one running server of ours.
type process struct {
	cmd    *exec.Cmd
	done   chan struct{} // closed when the process has been waited for
	stop   syscall.Signal
	logged string // path of its combined output
}

// command describes a process to start.
type command struct {
	path   string
	args   []string
	dir    string
	log    string              // file that receives stdout and stderr
	user   *syscall.Credential // nil: ours
	stop   syscall.Signal      // asks for an orderly stop
	orphan syscall.Signal      // what the kernel sends when we die
}

// launch starts c. The starting thread stays reserved until the process ends, because the kernel counts the end of that
// thread as the death of the parent.
func launch(c command) (*process, error) {
	output, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir = c.dir
	cmd.Stdout, cmd.Stderr = output, output
	cmd.Env = append(os.Environ(), "LC_ALL=C", "TZ=UTC")
	cmd.SysProcAttr = childAttributes(c)
	p := &process{cmd: cmd, done: make(chan struct{}), stop: c.stop, logged: c.log}

	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		_ = output.Close() // the child has its own copy
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(c.path), err)
	}
	return p, nil
}

// ended reports whether the process is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// halt stops the process in order, or by force when it does not listen. Halting twice is fine.
func (p *process) halt() {
	if p.ended() {
		return
	}
	p.signalAll(syscall.SIGCONT) // a paused process cannot obey
	_ = p.cmd.Process.Signal(p.stop)
	select {
	case <-p.done:
	case <-time.After(stopGrace):
		p.kill()
	}
}

// kill ends the process and its children at once, as a power cut would.
func (p *process) kill() {
	if p.ended() {
		return
	}
	p.signalAll(syscall.SIGKILL)
	<-p.done
}

// signalAll signals the process, then its children: the parent first, so that it makes no new ones meanwhile.
func (p *process) signalAll(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig)
	for _, pid := range children(p.cmd.Process.Pid) {
		_ = syscall.Kill(pid, sig)
	}
}

// waitReady calls probe until it succeeds, the process ends or the time is up.
func (p *process) waitReady(limit time.Duration, probe func() error) error {
	deadline := time.Now().Add(limit)
	for {
		err := probe()
		if err == nil {
			return nil
		}
		if p.ended() {
			return fmt.Errorf("ended before it was ready: %s\n%s", p.cmd.ProcessState, p.tail())
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("not ready after %v: %w\n%s", limit, err, p.tail())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// tail returns the end of the log, for error messages.
func (p *process) tail() string {
	text, err := os.ReadFile(p.logged)
	if err != nil {
		return "no log: " + err.Error()
	}
	const most = 2000
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return strings.TrimSpace(string(text))
}

// children lists the direct children of pid. PostgreSQL gives each back end a session of its own, so that a signal to
// the process group would miss them.
func children(pid int) []int {
	entries, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil
	}
	var found []int
	for _, entry := range entries {
		stat, err := os.ReadFile(entry)
		if err != nil {
			continue // it ended meanwhile
		}
		text := string(stat)
		fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:]) // the name before may hold blanks
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(entry))); err == nil {
			found = append(found, child)
		}
	}
	return found
}

// ErrMissing is the error when a server's program is not installed.
var ErrMissing = errors.New("not installed")

// lookPath finds a program on the PATH or in one of the folders, the last folder first.
func lookPath(name string, folders ...string) (string, error) {
	if path, err := exec.LookPath(name); err == nil {
		return path, nil
	}
	for i := len(folders) - 1; i >= 0; i-- {
		if path, err := exec.LookPath(filepath.Join(folders[i], name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", name, ErrMissing)
}
