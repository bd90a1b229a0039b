package e2e_test

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"tokenserver/internal/testenv"
)

// script is a program of e2e/node that runs in Node.js beside its packages, and talks in lines of JSON.
type script struct {
	t     *testing.T
	input io.WriteCloser
	lines *bufio.Scanner
}

// startScript starts a program of e2e/node. It ends with the test: its input is closed then.
func startScript(t *testing.T, name string) *script {
	t.Helper()
	node, err := exec.LookPath("node")
	packages := filepath.Join(all.root, "build", "node")
	if err == nil {
		_, err = os.Stat(filepath.Join(packages, "node_modules"))
	}
	if err != nil && testenv.Required() {
		t.Fatalf("Node.js or its packages are missing (make deps): %v", err)
	} else if err != nil {
		t.Skipf("Node.js or its packages are missing (make deps): %v", err)
	}
	folder := t.TempDir() // packages are found from where a program lies, or above
	if err := os.Symlink(filepath.Join(packages, "node_modules"), filepath.Join(folder, "node_modules")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(folder, "e2e"), os.DirFS(filepath.Join(all.root, "e2e", "node"))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "e2e", name)
	complaints, err := os.Create(filepath.Join(t.TempDir(), "stderr.log"))
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), node, path)
	command.Stderr = complaints
	s := &script{t: t}
	if s.input, err = command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(output)
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.input.Close()
		_ = command.Wait() // killed with the context of the test, which has ended
		_ = complaints.Close()
		if t.Failed() {
			text, _ := os.ReadFile(complaints.Name())
			t.Logf("%s said:\n%s", name, text)
		}
	})
	return s
}

// say sends one message.
func (s *script) say(message any) {
	s.t.Helper()
	if err := json.NewEncoder(s.input).Encode(message); err != nil {
		s.t.Fatal(err)
	}
}

// hear reads the next message.
func (s *script) hear() object {
	s.t.Helper()
	message := object{}
	if !s.lines.Scan() {
		s.t.Fatalf("the program has ended: %v", s.lines.Err())
	}
	if err := json.Unmarshal(s.lines.Bytes(), &message); err != nil {
		s.t.Fatalf("%s: %v", s.lines.Bytes(), err)
	}
	return message
}
