package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"tokenserver/audit"
)

// TestTheReadmeRuns runs the commands under "Run it", in their order, the way a newcomer types them: the server at the
// address that the page names, one command after the other beside it.
func TestTheReadmeRuns(t *testing.T) {
	t.Chdir("../..") // the page names files from here
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	lines := commandsUnder(string(page), "## Run it")
	if len(lines) < 5 {
		t.Fatalf("the page holds only %q", lines)
	}
	address := mustFree(t)
	r := &reader{
		here: "http://" + address,
		shell: newShell(t, "TOKENSERVER_LISTEN_PUBLIC="+address, "TOKENSERVER_LISTEN_OPERATIONS=127.0.0.1:0",
			"TOKENSERVER_LISTEN_CONSOLE=127.0.0.1:0", "TOKENSERVER_PUBLIC_BASE_URL=http://"+address),
	}
	for _, line := range lines {
		r.try(t, line)
	}
	for _, want := range []string{"make", "serve", "admin", "/oauth/.well-known/openid-configuration", "/oauth/v1/token", "audit"} {
		if !r.done[want] {
			t.Errorf("the page no longer shows %s", want)
		}
	}
}

// commandsUnder returns the commands of the first console block under a heading, without comments.
func commandsUnder(page, heading string) []string {
	_, section, _ := strings.Cut(page, "\n"+heading+"\n")
	_, block, _ := strings.Cut(section, "```console\n")
	block, _, _ = strings.Cut(block, "```")
	var commands []string
	for line := range strings.Lines(block) {
		if typed, is := strings.CutPrefix(line, "$ "); is {
			typed, _, _ = strings.Cut(typed, " #")
			commands = append(commands, strings.TrimSpace(typed))
		}
	}
	return commands
}

// reader is somebody who tries what the page says.
type reader struct {
	*shell
	here string // where the server is instead of http://localhost:7878
	done map[string]bool
}

func (r *reader) did(what string) {
	if r.done == nil {
		r.done = map[string]bool{}
	}
	r.done[what] = true
}

// try runs one command line.
func (r *reader) try(t *testing.T, line string) {
	t.Helper()
	words := strings.Fields(line)
	switch {
	case words[0] == "make":
		makefile, err := os.ReadFile("Makefile")
		if err != nil || len(words) != 2 || !strings.Contains(string(makefile), "\n"+words[1]+":") {
			t.Errorf("%s: no such target (%v)", line, err)
		}
		r.did("make")
	case words[0] == "curl":
		r.curl(t, words[1:])
	case line == "bin/tokenserver":
		r.serve(t)
	case words[0] == "bin/tokenserver" && words[1] == "audit":
		r.follow(t, words[1:])
	case words[0] == "bin/tokenserver":
		r.ok(t, "", words[1:]...)
		r.did(words[1])
	default:
		t.Errorf("%s: this test does not know how to run it", line)
	}
}

// serve starts the server as tokenserver does when it is told nothing, and stops it at the end of the test.
func (r *reader) serve(t *testing.T) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	log := &lockedBuffer{}
	p := &program{in: strings.NewReader(""), out: io.Discard, err: log, environ: r.environ, now: func() time.Time { return time.Now().UTC() }}
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx, nil) }()
	t.Cleanup(func() {
		stop()
		if code := <-ended; code != 0 {
			t.Errorf("the server ended with %d:\n%s", code, log)
		}
	})
	r.until(t, "the server answers", func() bool {
		status, _ := r.request(t, http.MethodGet, r.here+"/oauth/.well-known/openid-configuration", nil)
		return status == http.StatusOK
	})
	r.did("serve")
}

// curl sends what the command line says and reads the answer as its reader would. Settings that were just applied reach the
// running server within two seconds.
func (r *reader) curl(t *testing.T, words []string) {
	t.Helper()
	method, target := http.MethodGet, ""
	var body []string
	var user string
	for i := 0; i < len(words); i++ {
		switch {
		case words[i] == "-s":
		case words[i] == "-u" && i+1 < len(words):
			i++
			user = words[i]
		case words[i] == "-d" && i+1 < len(words):
			i++
			method, body = http.MethodPost, append(body, words[i])
		case strings.HasPrefix(words[i], "http://localhost:7878/"):
			target = strings.TrimPrefix(words[i], "http://localhost:7878")
		default:
			t.Fatalf("curl %q: this test does not know %s", words, words[i])
		}
	}
	var answer []byte
	r.until(t, "curl "+target+" succeeds", func() (ok bool) {
		var status int
		status, answer = r.request(t, method, r.here+target, func(q *http.Request) {
			if id, secret, named := strings.Cut(user, ":"); named {
				q.SetBasicAuth(id, secret)
			}
			if body != nil {
				q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				q.Body = io.NopCloser(strings.NewReader(strings.Join(body, "&")))
			}
		})
		return status == http.StatusOK
	})
	var members map[string]any
	if err := json.Unmarshal(answer, &members); err != nil {
		t.Fatalf("%s: %v", target, err)
	}
	switch target {
	case "/oauth/.well-known/openid-configuration":
		if members["issuer"] != r.here+"/oauth" {
			t.Errorf("the issuer is %v", members["issuer"])
		}
	case "/oauth/v1/token":
		if token, _ := members["access_token"].(string); token == "" || members["scope"] != "accounts" {
			t.Errorf("the token is %v", members)
		}
	}
	r.did(target)
}

// follow runs a command that goes on until somebody stops it: here, when it has shown the event of the token.
func (r *reader) follow(t *testing.T, args []string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out, complaints := &lockedBuffer{}, &lockedBuffer{}
	p := &program{in: strings.NewReader(""), out: out, err: complaints, environ: r.environ, now: func() time.Time { return time.Now().UTC() }}
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx, args) }()
	r.until(t, "the log shows the token", func() bool { return strings.Contains(out.String(), string(audit.TokenRequestAccessTokenCreated)) })
	stop()
	if code := <-ended; code != 0 {
		t.Errorf("%q ended with %d: %s", args, code, complaints)
	}
	r.did(args[0])
}

// request sends one request; status 0 means that nobody answers.
func (r *reader) request(t *testing.T, method, target string, complete func(*http.Request)) (status int, body []byte) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	if complete != nil {
		complete(q)
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, nil
	}
	defer answer.Body.Close()
	if body, err = io.ReadAll(answer.Body); err != nil {
		return 0, nil
	}
	return answer.StatusCode, body
}

func (r *reader) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	for !is() {
		select {
		case <-time.After(100 * time.Millisecond): // few enough refusals for the budgets of the server
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		}
	}
}

// lockedBuffer is a writer that may be read while somebody writes.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
