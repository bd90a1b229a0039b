package main

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"tokenserver/internal/testenv"
)

// asTestenv, when set, turns the test binary into the command itself.
const asTestenv = "TESTENV_RUN_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asTestenv) != "" {
		main()
	}
	os.Exit(m.Run())
}

func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil && !testenv.Required() {
		t.Skip("redis-server is not installed (make deps)")
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asTestenv+"=1")
	return cmd
}

func TestExitCodes(t *testing.T) {
	for _, tc := range []struct {
		name string
		args []string
		code int
		out  string
	}{
		{"success", []string{"--postgres=false", "--", "sh", "-c", "echo ${TOKENSERVER_TEST_REDIS_ADDR%:*}"}, 0, "127.0.0.1\n"},
		{"failure", []string{"--postgres=false", "--", "sh", "-c", "exit 7"}, 7, ""},
		{"signal", []string{"--postgres=false", "--", "sh", "-c", "kill -TERM $$"}, 143, ""},
		{"nothing started", []string{"--postgres=false", "--redis=false", "--", "sh", "-c", "echo [$TOKENSERVER_TEST_REDIS_ADDR]"}, 0, "[]\n"},
		{"cluster", []string{"--postgres=false", "--redis=false", "--redis-cluster", "--", "sh", "-c", "echo $TOKENSERVER_TEST_REDIS_CLUSTER_ADDRS | tr -cd ,"}, 0, ",,"},
		{"no such command", []string{"--postgres=false", "--redis=false", "--", "/does/not/exist"}, 127, ""},
		{"no command", nil, 2, ""},
		{"unknown flag", []string{"--what"}, 2, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			cmd := command(t, tc.args...)
			cmd.Env = append(cmd.Env, testenv.EnvRedis+"=")
			var stdout bytes.Buffer
			cmd.Stdout = &stdout
			_ = cmd.Run()
			if code := cmd.ProcessState.ExitCode(); code != tc.code {
				t.Errorf("exit code %d, want %d", code, tc.code)
			}
			if stdout.String() != tc.out {
				t.Errorf("output %q, want %q", stdout.String(), tc.out)
			}
		})
	}
}

// TestNothingOutlivesIt ends a running testenv in each way and waits for its whole family to be gone.
func TestNothingOutlivesIt(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run(sig.String(), func(t *testing.T) {
			cmd := command(t, "--no-fsync", "--", "sh", "-c", "echo up; exec sleep 600")
			cmd.Env = append(cmd.Env, "TMPDIR="+publicFolder(t)) // a killed testenv cannot remove its files
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "up\n" {
				_ = cmd.Process.Kill()
				t.Fatalf("no start: %q, %v", line, err)
			}
			family := descendants(cmd.Process.Pid)
			if len(family) < 5 { // sleep, redis, postmaster and its helpers
				t.Errorf("only %d processes below testenv", len(family))
			}
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			deadline := time.Now().Add(time.Minute)
			for _, pid := range family {
				for alive(pid) {
					if time.Now().After(deadline) {
						t.Fatalf("process %d is still there", pid)
					}
					time.Sleep(10 * time.Millisecond)
				}
			}
		})
	}
}

// publicFolder makes a folder that other users may pass through, unlike t.TempDir.
func publicFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "testenv-") //nolint:usetesting // PostgreSQL's user cannot enter t.TempDir
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// descendants lists all processes below pid.
func descendants(pid int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	parents := map[int][]int{}
	for _, stat := range stats {
		text, err := os.ReadFile(stat)
		if err != nil {
			continue
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
		child, _ := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		parent, _ := strconv.Atoi(fields[1])
		parents[parent] = append(parents[parent], child)
	}
	found := parents[pid]
	for i := 0; i < len(found); i++ {
		found = append(found, parents[found[i]]...)
	}
	return found
}

// alive reports whether pid runs; a zombie that nobody waits for does not.
func alive(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return false
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	return len(fields) > 0 && fields[0] != "Z"
}
